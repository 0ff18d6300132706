"""The versions of the firmware that consoles may be updated to, and whose signatures count: a folder of files."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from bridge.admin.firmware_bundle import VERSION, bytes_of, pem_of, read_bundle, read_public_key
from bridge.errors import TrivoxError
from bridge.private_files import is_root, owner_of

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from bridge.admin.firmware_bundle import Bundle

_NAME_DIGITS = 16


class Bundles:
    """The bundles for `database`, in the folder DATABASE-firmware; trusted keys lie in its folder `trusted`."""

    def __init__(self, database: Path) -> None:
        self.folder = database.with_name(f"{database.name}-firmware")
        self._trusted = self.folder / "trusted"
        self._database = database

    def trust(self, public: Path) -> str:
        """Take bundles that this key has signed from now on; what the key is called here. Raises TrivoxError."""
        pem = pem_of(read_public_key(public))
        name = hashlib.sha256(pem).hexdigest()[:_NAME_DIGITS]
        self._write(self._trusted / f"{name}.pub", pem)
        return name

    def add(self, path: Path) -> Bundle:
        """Take in a bundle, once it has been checked. Raises TrivoxError."""
        data = bytes_of(path)
        bundle = read_bundle(path, data, self._keys())
        place = self._path(bundle.version)
        if place.exists() and self.get(bundle.version).manifest != bundle.manifest:
            raise TrivoxError(
                f"Another firmware {bundle.version} is here already: give this one a version of its own "
                "(firmware/console/version.py), or remove " + str(place) + "."
            )
        self._write(place, data)
        return bundle

    def get(self, version: str) -> Bundle:
        """The bundle of a version, checked anew. Raises TrivoxError."""
        path = self._path(version)
        if not VERSION.match(version) or not path.is_file():
            have = ", ".join(self.versions()) or "none yet"
            raise TrivoxError(f"There is no firmware {version} here ({have}): `trivox firmware add BUNDLE`.")
        bundle = read_bundle(path, bytes_of(path), self._keys())
        if bundle.version != version:
            raise TrivoxError(f"{path} is firmware {bundle.version}: remove it, and add the right one again.")
        return bundle

    def versions(self) -> list[str]:
        """All that are here, oldest first."""
        return sorted((path.stem for path in self.folder.glob("*.bundle")), key=rank)

    def _keys(self) -> list[Ed25519PublicKey]:
        return [read_public_key(path) for path in sorted(self._trusted.glob("*.pub"))]

    def _path(self, version: str) -> Path:
        return self.folder / f"{version}.bundle"

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._trusted.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_bytes(data)
            new.replace(path)
            if is_root():
                for made in (self.folder, self._trusted, path):
                    os.chown(made, *owner_of(self._database))
        except OSError as error:
            raise TrivoxError(
                f"{error.filename} cannot be written ({error.strerror}): check rights and disk."
            ) from error


def rank(version: str) -> tuple[int, ...]:
    """What versions are ordered by; anything that is none comes before all."""
    return tuple(int(part) for part in version.split(".")) if VERSION.match(version) else ()
