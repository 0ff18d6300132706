"""Make and check bundles: a firmware version as one ZIP of a manifest, its Ed25519 signature, and the files it names.

The manifest is text: `trivox-firmware VERSION`, then a line for each file: SHA-256 in hex, size in bytes, path. To
consoles the manifest and the files, one after the other, are one sequence of bytes, which they fetch in pieces.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bridge import private_files
from bridge.errors import TrivoxError
from bridge.private_files import is_open_to_others

MAX_BYTES = 512 * 1024  # more than any board has room for
MAX_FILE_BYTES = 2 * MAX_BYTES
MANIFEST_MAX_BYTES = 8192  # the firmware's own limit
VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}\Z", re.ASCII)
PATH = re.compile(r"(console|boards)/[a-z0-9_]+\.mpy\Z", re.ASCII)
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same files make the same bundle
_LINE = re.compile(r"([0-9a-f]{64}) ([0-9]{1,7}) ([!-~]{1,100})", re.ASCII)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (  # what reading a damaged archive raises
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    RuntimeError,  # encrypted, or a compression that is not known
    EOFError,
    ArithmeticError,  # an offset beyond all
    LookupError,
    ValueError,
    OSError,
)
_MANIFEST, _SIGNATURE = "manifest", "signature"


@dataclass(frozen=True)
class Bundle:
    """A checked bundle; `content` is what consoles get: the manifest, then the files."""

    version: str
    manifest: bytes
    content: bytes


def make_key(path: Path) -> Path:
    """Make a signing key that only its owner may read; return the file of its public half. Raises TrivoxError."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = path.with_name(f"{path.name}.pub")
    try:
        private_files.create(path, private)
    except FileExistsError as error:
        raise TrivoxError(f"{path} is there already: keys are never replaced, give another name.") from error
    except OSError as error:
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): check the folder.") from error
    private_files.write(public, to_pem(key.public_key()), mode=private_files.OPEN)
    return public


def to_pem(key: Ed25519PublicKey) -> bytes:
    """Encode a public key as PEM text."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read the signing key. Raises TrivoxError."""
    data = read_small_file(path)
    if data.startswith(b"-----BEGIN PUBLIC KEY"):
        raise TrivoxError(f"{path} is the public key, which bridges trust: give the private one, which signs.")
    if is_open_to_others(path):
        raise TrivoxError(
            f"{path} can be read by others: run `chmod 600 {path}`, and consider whether it is still a secret."
        )
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TrivoxError(f"{path} is not a signing key: make one with `trivox firmware key FILE`.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrivoxError(f"{path} is a key of another kind: make one with `trivox firmware key FILE`.")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key. Raises TrivoxError."""
    return to_public_key(path, read_small_file(path))


def to_public_key(path: Path, data: bytes) -> Ed25519PublicKey:
    """Decode a public key that was read from `path`. Raises TrivoxError."""
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrivoxError(f"{path} is not a public key: give the .pub file made by `trivox firmware key`.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise TrivoxError(f"{path} is a public key of another kind: give the .pub file made by `trivox firmware key`.")
    return key


def read_small_file(path: Path) -> bytes:
    """Read a key or a bundle that the user named. Raises TrivoxError if that cannot be read or is too large."""
    if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
        raise TrivoxError(f"{path} is not a file: check its name.")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): check its name and permissions.") from error
    if len(data) > MAX_FILE_BYTES:
        raise TrivoxError(f"{path} is too large for a key or a bundle: check its name.")
    return data


def make_bundle(version: str, files: dict[str, bytes], key: Ed25519PrivateKey) -> bytes:
    """Make and sign a bundle of files, given by path. Raises TrivoxError if boards could not use it."""
    if not VERSION.match(version):
        raise TrivoxError(f"{version!r} is not a valid version: use numbers and dots, such as 1.2.0.")
    lines = [f"trivox-firmware {version}"]
    lines += [f"{hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in sorted(files.items())]
    manifest = ("\n".join(lines) + "\n").encode()
    _check_size("The firmware", manifest, files)
    members = {_MANIFEST: manifest, _SIGNATURE: key.sign(manifest), **dict(sorted(files.items()))}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name, _FIXED_TIME), data, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def read_bundle(name: Path, data: bytes, trusted: list[Ed25519PublicKey]) -> Bundle:
    """Check a bundle, the content of the file `name`: complete, and signed by a trusted key. Raises TrivoxError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if sum(member.file_size for member in file.infolist()) > MAX_BYTES + MANIFEST_MAX_BYTES:
                raise TrivoxError(f"{name} is too large for a bundle of firmware.")
            if any(member.compress_type not in _COMPRESSIONS for member in file.infolist()):
                raise zipfile.BadZipFile
            members = {member.filename: file.read(member) for member in file.infolist()}
        manifest, signature = members.pop(_MANIFEST), members.pop(_SIGNATURE)
    except _DAMAGE as error:
        raise _damaged(name) from error
    if not any(_has_signed(key, signature, manifest) for key in trusted):
        raise TrivoxError(
            f"{name} is not signed by a key that is trusted here: if it should be, run `trivox firmware trust KEY.pub`."
        )
    lines = _lines_of(name, manifest)
    _check_size(f"The firmware in {name}", manifest, members)
    return Bundle(_version_of(name, lines), manifest, manifest + _files_of(name, lines[1:], members))


def _damaged(name: Path) -> TrivoxError:
    return TrivoxError(f"{name} is not a bundle, or is damaged: make one with `trivox firmware build`.")


def _check_size(what: str, manifest: bytes, files: dict[str, bytes]) -> None:
    """Raise TrivoxError if no board has room for the manifest and the files."""
    if len(manifest) > MANIFEST_MAX_BYTES or sum(map(len, files.values())) > MAX_BYTES:
        raise TrivoxError(f"{what} is too large for a bundle: check its folder for files that do not belong there.")


def _lines_of(name: Path, manifest: bytes) -> list[str]:
    """Split a manifest as boards do: each line ends with a line feed alone. Raises TrivoxError."""
    try:
        *lines, rest = manifest.decode("ascii").split("\n")
    except ValueError as error:
        raise _damaged(name) from error
    if rest or not lines[1:] or len(set(lines)) < len(lines):  # it names a file at least, and each once
        raise _damaged(name)
    return lines


def _has_signed(key: Ed25519PublicKey, signature: bytes, manifest: bytes) -> bool:
    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True


def _version_of(name: Path, lines: list[str]) -> str:
    kind, _, version = lines[0].partition(" ") if lines else ("", "", "")
    if kind != "trivox-firmware" or not VERSION.match(version):
        raise TrivoxError(f"{name} was made by a newer Trivox, or its manifest is damaged: use that version here too.")
    return version


def _files_of(name: Path, lines: list[str], members: dict[str, bytes]) -> bytes:
    """Join all files in the order of the manifest, checking each against it. Raises TrivoxError."""
    contents = []
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            raise _damaged(name)
        digits, size, path = found.groups()
        data = members.get(path)
        if data is None or str(len(data)) != size or hashlib.sha256(data).hexdigest() != digits:
            raise TrivoxError(f"{name} is damaged: {path} differs from its manifest.")
        if not PATH.match(path):
            raise TrivoxError(f"{name} holds {path}, which does not belong on a console.")
        contents.append(data)
    return b"".join(contents)
