"""What enrolled consoles, and others at the broker, prove themselves with, in a folder beside the database.

A file each, for its owner alone: SITE/CONSOLE.json of a console, SITE/SOURCE.source of a till or people counter,
NAME.viewer of somebody who reads along, bridge.account of the bridge. The database holds none of it: copies, reports
and whoever reads them need no secrets.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bridge import private_files
from bridge.errors import TrivoxError
from bridge.private_files import owner_of, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BRIDGE = "bridge"
_KEY_BYTES = 32  # of HMAC-SHA256, as long as its result (RFC 2104, section 3)
_PASSWORD_BYTES = 24
_KEY = re.compile(rf"[0-9a-f]{{{2 * _KEY_BYTES}}}")
_PRINTED = re.compile(r"[\x21-\x7e]+")  # what a line of mosquitto's files can hold
_NO_KEY = "00" * _KEY_BYTES  # accounts need none

T = TypeVar("T", "Credentials", "Account")


class Credentials(NamedTuple):
    """One console's: `user` and `password` at the broker, and `key`, 64 hex digits, for what it signs and checks."""

    user: str
    password: str
    key: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"  # neither log nor traceback tells the rest


class Account(NamedTuple):
    """Somebody else's at the broker."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Account(user={self.user!r})"


class Keyring:
    """All credentials that were issued for `database`, in the folder DATABASE-keys."""

    def __init__(self, database: Path) -> None:
        self.folder = database.with_name(f"{database.name}-keys")
        self._database = database

    # -- consoles ------------------------------------------------------------------------------------------------

    def get(self, site_id: str, console_id: str) -> Credentials | None:
        """Those of one console; None where it has none. Raises TrivoxError if its file can't be used."""
        return self._read(self.path(site_id, console_id), Credentials)

    def stamp(self, site_id: str, console_id: str) -> tuple[int, int] | None:
        """What changes whenever a console's file does; None where it has none, or may not be looked at."""
        try:
            found = self.path(site_id, console_id).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def issue(self, site_id: str, console_id: str) -> Credentials:
        """New ones for a console, in the place of any that it had; they are on the disk when this returns."""
        made = Credentials(f"{site_id}.{console_id}", _password(), secrets.token_hex(_KEY_BYTES))
        self._keep(self.path(site_id, console_id), made)
        return made

    def remove(self, site_id: str, console_id: str) -> bool:
        """Forget those of a console; whether it had any."""
        return _forget(self.path(site_id, console_id))

    def consoles(self) -> Iterator[tuple[str, str]]:
        """(site, console) of all that have credentials, in order."""
        for path in sorted(self.folder.glob("*/*.json")):
            yield path.parent.name, path.stem

    def path(self, site_id: str, console_id: str) -> Path:
        """The file with a console's credentials."""
        return self.folder / site_id / f"{console_id}.json"

    # -- others: a source is named SITE/SOURCE, a viewer by one word, the bridge is BRIDGE ---------------------------

    def account(self, name: str) -> Account | None:
        """That of a source, a viewer or the bridge; None where there is none. Raises TrivoxError."""
        return self._read(self.account_path(name), Account)

    def issue_account(self, name: str) -> Account:
        """A new one, in the place of any that there was; it is on the disk when this returns."""
        made = Account(name.replace("/", "."), _password())
        self._keep(self.account_path(name), made)
        return made

    def remove_account(self, name: str) -> bool:
        """Forget one; whether there was any."""
        return _forget(self.account_path(name))

    def sources(self) -> list[str]:
        """All sources that have an account, in order."""
        return [f"{path.parent.name}/{path.stem}" for path in sorted(self.folder.glob("*/*.source"))]

    def viewers(self) -> list[str]:
        """All viewers, in order."""
        return [path.stem for path in sorted(self.folder.glob("*.viewer"))]

    def account_path(self, name: str) -> Path:
        """The file of an account."""
        ending = "account" if name == BRIDGE else "source" if "/" in name else "viewer"
        return self.folder / f"{name}.{ending}"

    def open_to_others(self) -> list[Path]:
        """Files that another user of this machine may read or write."""
        return [path for path in sorted(self.folder.glob("**/*.*")) if private_files.is_open_to_others(path)]

    # -- files -----------------------------------------------------------------------------------------------------

    @staticmethod
    def _read(path: Path, kind: type[T]) -> T | None:
        try:
            found = kind(**json.loads(path.read_bytes()))
            is_whole = all(is_printed(text) for text in found)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TrivoxError(f"{path} cannot be read ({error.strerror}): run this as the bridge's user.") from error
        except (ValueError, TypeError) as error:
            raise _damaged(path) from error
        if not is_whole or not _KEY.fullmatch(getattr(found, "key", _NO_KEY)):
            raise _damaged(path)
        return found

    def _keep(self, path: Path, made: Credentials | Account) -> None:
        owner = owner_of(self._database)
        for folder in (self.folder, path.parent):
            private_files.folder(folder, owner)
        private_files.write(path, (json.dumps(made._asdict()) + "\n").encode(), owner)


def is_printed(text: object) -> bool:
    """Whether this can stand in mosquitto's files."""
    return isinstance(text, str) and _PRINTED.fullmatch(text) is not None


def _damaged(path: Path) -> TrivoxError:
    return TrivoxError(f"{path} is damaged: put it back from a copy, or revoke and enroll anew.")


def _password() -> str:
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _forget(path: Path) -> bool:
    with suppress(FileNotFoundError):
        path.unlink()
        sync(path.parent)
        return True
    return False


class Keys:
    """The consoles' keys, each read again when its file has changed."""

    def __init__(self, database: Path) -> None:
        self._keyring = Keyring(database)
        self._read: dict[tuple[str, str], tuple[tuple[int, int], bytes | None]] = {}

    def of(self, site_id: str, console_id: str) -> bytes | None:
        """A console's key; None where none is known, or its file cannot be used (which `doctor` tells)."""
        name = site_id, console_id
        stamp = self._keyring.stamp(*name)
        if stamp is None:
            return None
        known = self._read.get(name)
        if known is None or known[0] != stamp:
            known = self._read[name] = stamp, self._load(*name)
        return known[1]

    def _load(self, site_id: str, console_id: str) -> bytes | None:
        try:
            found = self._keyring.get(site_id, console_id)
        except TrivoxError:
            return None
        return None if found is None else bytes.fromhex(found.key)
