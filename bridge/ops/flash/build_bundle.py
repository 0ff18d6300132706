"""Make a bundle of the firmware: compile, hash and sign it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.admin.firmware_bundle import make_bundle
from bridge.ops.flash import SOURCE
from bridge.ops.flash.compile import compiled, version_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_UPDATED = ("boards", "console")  # the files at the root choose a version, and are not part of any


def build(key: Ed25519PrivateKey, source: Path = SOURCE) -> tuple[str, bytes]:
    """Return (version, bundle) of the firmware in `source`. Raises TrivoxError."""
    version = version_of(source)
    with tempfile.TemporaryDirectory() as name:
        folder = compiled(Path(name) / "firmware", source)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for part in _UPDATED
            for path in sorted((folder / part).rglob("*.mpy"))
        }
    return version, make_bundle(version, files, key)
