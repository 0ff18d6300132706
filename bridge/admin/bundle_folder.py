"""Keep the firmware versions that consoles may be updated to, and the keys that are trusted, in a folder of files."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from bridge import private_files
from bridge.admin.firmware_bundle import (
    MAX_FILE_BYTES,
    VERSION,
    read_bundle,
    read_public_key,
    read_small_file,
    to_pem,
    to_public_key,
)
from bridge.errors import TrivoxError
from bridge.privileges import owner_of

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from bridge.admin.firmware_bundle import Bundle

_KEY_NAME_DIGITS = 16
_KEY_NAME = re.compile(rf"[0-9a-f]{{{_KEY_NAME_DIGITS}}}")


class Bundles:
    """The bundles beside `database`, in the folder DATABASE-firmware; its subfolder `trusted` holds trusted keys."""

    def __init__(self, database: Path) -> None:
        self.folder = private_files.folder_beside(database, "-firmware")
        self._trusted = self.folder / "trusted"
        self._database = database

    def trust(self, public: Path) -> str:
        """Trust bundles that this key has signed; return the name that the key gets here. Raises TrivoxError."""
        pem = to_pem(read_public_key(public))
        name = hashlib.sha256(pem).hexdigest()[:_KEY_NAME_DIGITS]
        self._write(self._trusted / f"{name}.pub", pem)
        return name

    def add(self, path: Path) -> Bundle:
        """Check a bundle and add it. Raises TrivoxError."""
        data = read_small_file(path)
        bundle = read_bundle(path, data, self._keys())
        target = self._path(bundle.version)
        if target.exists() and self.get(bundle.version).manifest != bundle.manifest:
            raise TrivoxError(
                f"A different firmware {bundle.version} is here already: give this one another version "
                f"(firmware/console/version.py), or remove {target}."
            )
        self._write(target, data)
        return bundle

    def get(self, version: str) -> Bundle:
        """Read and check the bundle of a version. Raises TrivoxError."""
        path = self._path(version)
        if version not in self.versions():
            available = ", ".join(self.versions()) or "none yet"
            raise TrivoxError(f"There is no firmware {version} here ({available}): run `trivox firmware add BUNDLE`.")
        bundle = read_bundle(path, _read(path), self._keys())
        if bundle.version != version:
            raise TrivoxError(f"{path} holds firmware {bundle.version}: remove it, and add the right bundle again.")
        return bundle

    def stamp(self, version: str) -> tuple[int, int, int] | None:
        """Return what changes whenever the bundle's file does; None if there is no file."""
        try:
            found = self._path(version).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def versions(self) -> list[str]:
        """List all versions that are here, oldest first."""
        return sorted((path.stem for path in self.folder.glob("*.bundle") if VERSION.fullmatch(path.stem)), key=rank)

    def is_visible(self) -> bool:
        """Return whether we may see what is in the folders; looking for names would pass over them."""
        try:
            for folder in (self.folder, self._trusted):
                os.scandir(folder).close()
        except FileNotFoundError:
            return True
        except PermissionError:
            return False
        return True

    def strange_files(self) -> list[Path]:
        """Return files with a name that no command gives, which are not used."""
        bundles = (path for path in self.folder.glob("*.bundle") if not VERSION.fullmatch(path.stem))
        keys = (path for path in self._trusted.glob("*.pub") if not _KEY_NAME.fullmatch(path.stem))
        return sorted((*bundles, *keys))

    def _keys(self) -> list[Ed25519PublicKey]:
        paths = (path for path in sorted(self._trusted.glob("*.pub")) if _KEY_NAME.fullmatch(path.stem))
        return [to_public_key(path, _read(path)) for path in paths]

    def _path(self, version: str) -> Path:
        return self.folder / f"{version}.bundle"

    def _write(self, path: Path, data: bytes) -> None:
        owner = owner_of(self._database)
        for folder in (self.folder, self._trusted):
            private_files.make_folder(folder, owner)
        private_files.write(path, data, owner)


def _read(path: Path) -> bytes:
    """Read a file of the folder. Raises TrivoxError."""
    try:
        return private_files.read(path, MAX_FILE_BYTES)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): remove it, or add it again.") from error


def rank(version: str) -> tuple[int, ...]:
    """Return a key to sort versions by; text that is not a version comes first."""
    return tuple(int(part) for part in version.split(".")) if VERSION.match(version) else ()
