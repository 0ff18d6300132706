"""A version of the firmware as one file: a ZIP of the manifest, its Ed25519 signature, and the files that it names.

The manifest is text: `trivox-firmware VERSION`, then a line for each file: SHA-256 in hex, bytes, path. To consoles the
manifest and the files, one after the other, are one run of bytes, of which they ask for pieces.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bridge.errors import TrivoxError

MAX_BYTES = 512 * 1024  # more than boards have room for
MANIFEST_MAX_BYTES = 8192  # as the firmware has it
VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}\Z", re.ASCII)
PATH = re.compile(r"(console|boards)/[a-z0-9_]+\.mpy\Z", re.ASCII)
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files make the same bundle
_MANIFEST, _SIGNATURE = "manifest", "signature"


@dataclass(frozen=True)
class Bundle:
    """A checked bundle; `content` is what consoles are sent, the manifest first."""

    version: str
    manifest: bytes
    content: bytes


def make_key(path: Path) -> Path:
    """Make a key to sign with in `path`, for its owner alone; the file of its public half. Raises TrivoxError."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = path.with_name(f"{path.name}.pub")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
        public.write_bytes(pem_of(key.public_key()))
    except FileExistsError as error:
        raise TrivoxError(f"{path} is there already: a key is not replaced, give another name.") from error
    except OSError as error:
        raise TrivoxError(f"{error.filename} cannot be written ({error.strerror}): check the folder.") from error
    return public


def pem_of(key: Ed25519PublicKey) -> bytes:
    """A public key as text."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_key(path: Path) -> Ed25519PrivateKey:
    """The key to sign with; raises TrivoxError."""
    data = bytes_of(path)
    if path.stat().st_mode & 0o077:
        raise TrivoxError(
            f"{path} can be read by others: `chmod 600 {path}`, and think of whether it still is a secret."
        )
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TrivoxError(f"{path} is no key to sign with: make one by `trivox firmware key FILE`.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrivoxError(f"{path} is a key of another kind: make one by `trivox firmware key FILE`.")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The key to check by; raises TrivoxError."""
    try:
        key = serialization.load_pem_public_key(bytes_of(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrivoxError(f"{path} is no public key: give the .pub file of `trivox firmware key`.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise TrivoxError(f"{path} is a public key of another kind: give the .pub file of `trivox firmware key`.")
    return key


def bytes_of(path: Path) -> bytes:
    """What a small file holds; raises TrivoxError."""
    try:
        with path.open("rb") as file:
            data = file.read(2 * MAX_BYTES + 1)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): check its name and rights.") from error
    if len(data) > 2 * MAX_BYTES:
        raise TrivoxError(f"{path} is too large to be what it should be: check its name.")
    return data


def make_bundle(version: str, files: dict[str, bytes], key: Ed25519PrivateKey) -> bytes:
    """The bundle of these files (by path), signed. Raises TrivoxError if boards could not take it."""
    if not VERSION.match(version):
        raise TrivoxError(f"{version!r} is no version for a bundle: use numbers and dots, such as 1.2.0.")
    lines = [f"trivox-firmware {version}"]
    lines += [f"{hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in sorted(files.items())]
    manifest = ("\n".join(lines) + "\n").encode()
    if len(manifest) > MANIFEST_MAX_BYTES or sum(map(len, files.values())) > MAX_BYTES:
        raise TrivoxError("The firmware is too large for a bundle: see what lies in its folder.")
    members = {_MANIFEST: manifest, _SIGNATURE: key.sign(manifest), **dict(sorted(files.items()))}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name, _LONG_AGO), data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def read_bundle(name: Path, data: bytes, trusted: list[Ed25519PublicKey]) -> Bundle:
    """The bundle `data` of the file `name`, signed by one of the trusted keys and whole; raises TrivoxError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if sum(member.file_size for member in file.infolist()) > MAX_BYTES + MANIFEST_MAX_BYTES:
                raise TrivoxError(f"{name} is too large for a bundle of firmware.")
            members = {member.filename: file.read(member) for member in file.infolist()}
        manifest, signature = members.pop(_MANIFEST), members.pop(_SIGNATURE)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, KeyError, OSError) as error:
        raise TrivoxError(f"{name} is no bundle, or damaged: make one by `trivox firmware build`.") from error
    if not any(_has_signed(key, signature, manifest) for key in trusted):
        raise TrivoxError(
            f"{name} is not signed by a key that is trusted here: `trivox firmware trust KEY.pub`, if it should be."
        )
    return Bundle(_version_of(name, manifest), manifest, manifest + _files_of(name, manifest, members))


def _has_signed(key: Ed25519PublicKey, signature: bytes, manifest: bytes) -> bool:
    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True


def _version_of(name: Path, manifest: bytes) -> str:
    kind, _, version = manifest.decode().partition("\n")[0].partition(" ")
    if kind != "trivox-firmware" or not VERSION.match(version):
        raise TrivoxError(f"{name} was made by a newer Trivox: use that version.")
    return version


def _files_of(name: Path, manifest: bytes, members: dict[str, bytes]) -> bytes:
    """All files in the order of the manifest, each as it says."""
    found = []
    for line in manifest.decode().splitlines()[1:]:
        digits, size, path = line.split(" ")
        data = members.get(path)
        if data is None or str(len(data)) != size or hashlib.sha256(data).hexdigest() != digits:
            raise TrivoxError(f"{name} is damaged: {path} is not as its manifest says.")
        if not PATH.match(path):
            raise TrivoxError(f"{name} holds {path}, which has no place on a console.")
        found.append(data)
    return b"".join(found)
