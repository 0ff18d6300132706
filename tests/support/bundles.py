"""Make bundles of firmware, signed with a key in the same folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.firmware_bundle import make_bundle, read_key

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"console/app.mpy": b"app" * 1000, "console/version.mpy": b"v", "boards/pico_w.mpy": b"pins"}


def bundle(folder: Path, version: str, files: dict[str, bytes] | None = None, key: str = "release.key") -> Path:
    """Make a bundle of a version; return its file."""
    path = folder / f"{version}.bundle"
    path.write_bytes(make_bundle(version, files or FILES, read_key(folder / key)))
    return path
