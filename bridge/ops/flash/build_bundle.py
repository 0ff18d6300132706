"""Make a bundle of the firmware in this clone: compile, hash and sign it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.admin.firmware_bundle import make_bundle
from bridge.errors import TrivoxError
from bridge.ops.flash import SOURCE
from bridge.ops.flash.compile import compile_firmware

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_UPDATED = ("boards", "console")  # the files at the root choose a version, and are not part of any


def version_of(source: Path = SOURCE) -> str:
    """Return the version of the firmware in `source`. Raises TrivoxError."""
    path = source / "console" / "version.py"
    try:
        match = re.search(r'^VERSION = "([^"]*)"', path.read_text("utf-8"), re.MULTILINE)
    except OSError as error:
        raise TrivoxError(
            f"There is no firmware in {source} ({error.strerror}): give the folder of a clone."
        ) from error
    if match is None:
        raise TrivoxError(f"{path} does not say its version: give the folder of a clone.")
    return match[1]


def build(key: Ed25519PrivateKey, source: Path = SOURCE) -> tuple[str, bytes]:
    """Return (version, bundle) of the firmware in `source`. Raises TrivoxError."""
    version = version_of(source)
    with tempfile.TemporaryDirectory() as name:
        folder = compile_firmware(Path(name) / "firmware", source)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for part in _UPDATED
            for path in sorted((folder / part).rglob("*.mpy"))
        }
    return version, make_bundle(version, files, key)
