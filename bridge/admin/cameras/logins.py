"""Keep the logins of video archives: files in a folder beside the database, which only its owner may read.

A login is for a host, as `https://nvr:8971`. None of it is in the database, on a command line, in a link or in a log.
The environment (TRIVOX_CAMERA_USER, TRIVOX_CAMERA_PASSWORD) serves hosts that have no file.
"""

from __future__ import annotations

import json
import os
import re
import ssl
from typing import TYPE_CHECKING, NamedTuple

from bridge import private_files
from bridge.errors import TrivoxError, UsageError
from bridge.input_file import called
from bridge.privileges import acting_for, owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX = "-cameras"
MAX_BYTES = 256 * 1024
MAX_LENGTH = 500
_NOT_IN_NAME = re.compile(r"[^a-z0-9.-]+")
_IPV6 = re.compile(r"\[.*\]")


class ArchiveLogin(NamedTuple):
    """A login at an archive; `ca_file` is the text of certificates that its own is checked by (None: the system's)."""

    user: str | None
    password: str | None
    ca_file: str | None = None

    def __repr__(self) -> str:
        return f"ArchiveLogin(user={self.user!r})"  # logs and tracebacks must not show the rest


class ArchiveLogins:
    """The logins of the archives that a database's cameras have."""

    def __init__(self, database: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._database = database
        self._environment = environment

    def get(self, origin: str) -> ArchiveLogin | None:
        """Return the login for a host; None if there is none. Raises TrivoxError."""
        path = self._path(origin)
        try:
            with acting_for(self._database):
                if not path.exists():
                    return self._from_environment()
                if private_files.is_open_to_others(path):
                    raise TrivoxError(f"{path} holds a password and others may read it: run chmod 600 {path}.")
                content = json.loads(private_files.read(path, MAX_BYTES))
            return _read_login(content)
        except OSError as error:
            raise TrivoxError(f"{path} cannot be read ({error.strerror}): run this as its owner.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise TrivoxError(f"{path} is damaged: run `trivox camera login {origin}` again.") from error

    def _from_environment(self) -> ArchiveLogin | None:
        user, password = (self._environment.get(f"TRIVOX_CAMERA_{name}") for name in ("USER", "PASSWORD"))
        return ArchiveLogin(user, password) if user else None

    def save(self, origin: str, login: ArchiveLogin) -> Path:
        """Keep the login for a host, in place of another one; return its file. Raises TrivoxError."""
        path = self._path(origin)
        owner = owner_of(self._database)
        private_files.make_folder(path.parent, owner)
        content = {"origin": origin, "user": login.user, "password": login.password, "ca_file": login.ca_file}
        private_files.write(path, json.dumps(content).encode(), owner)
        return path

    def remove(self, origin: str) -> bool:
        """Forget the login for a host; return whether there was one. Raises TrivoxError."""
        path = self._path(origin)
        try:
            with acting_for(self._database):
                path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise TrivoxError(f"{path} cannot be removed ({error.strerror}): run this as its owner.") from error
        return True

    def _path(self, origin: str) -> Path:
        with acting_for(self._database):
            folder = private_files.folder_beside(self._database, SUFFIX)
        host = _IPV6.sub(lambda match: match[0].replace(":", "-"), origin.lower())  # fe80::1:2 is not fe80:1::2
        return folder / f"{_NOT_IN_NAME.sub('_', host).strip('_.-')}.login"


def _read_login(content: dict[str, str | None]) -> ArchiveLogin:
    """Return what a file holds. Raises KeyError, TypeError."""
    login = ArchiveLogin(content["user"], content["password"], content.get("ca_file"))
    if not all(isinstance(text, str) for text in (login.user, login.password, login.ca_file or "")):
        raise TypeError(login)
    return login


def check_login(user: str, password: str) -> None:
    """Check what people give for a login. Raises UsageError."""
    for name, text in (("user", user), ("password", password)):
        if not text or len(text) > MAX_LENGTH or not text.isprintable():
            raise UsageError(f"The {name} must be 1 to {MAX_LENGTH} printable characters.")
    if ":" in user:
        raise UsageError("The user's name must not have a colon.")


def check_certificates(path: Path, text: str) -> None:
    """Check that a text holds certificates in PEM. Raises UsageError."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(
            f"{called(path)} holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----: give the one "
            "of the archive's authority, or its own."
        ) from error
