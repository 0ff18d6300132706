"""Keep the credentials of consoles and other users of the broker: files in a folder beside the database.

Each is a file of its own that only its owner may read: SITE/CONSOLE.json for a console, SITE/SOURCE.source for a till
or people counter, NAME.viewer for a program that only reads, bridge.account and trivox-doctor.account for our own, and
bridge.session for the bridge's client id at the broker. None of it is in the database, whose readers need no secrets.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bridge import private_files
from bridge.errors import TrivoxError
from bridge.privileges import acting_for, owner_of
from bridge.system import HAS_MODES, sync
from bridge.text import valid_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BRIDGE = "bridge"
DOCTOR = "trivox-doctor"
OWN_USERS = {BRIDGE: "the bridge's", DOCTOR: "doctor's"}  # nobody enrols or revokes them
SESSION = "bridge.session"
_KEY_BYTES = 32  # of HMAC-SHA256: as long as its result (RFC 2104, section 3)
_PASSWORD_BYTES = 24
_KEY = re.compile(rf"[0-9a-f]{{{2 * _KEY_BYTES}}}")
_PRINTED = re.compile(r"[\x21-\x7e]+")  # what a line of mosquitto's files can hold
_MAX_BYTES = 4096
_FILES = ("*/*.json", "*/*.source", "*.viewer")  # … of consoles, sources and viewers
_WINDOWS_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")
_NO_KEY = "00" * _KEY_BYTES  # for accounts, which need none

T = TypeVar("T", "Credentials", "Account", "BridgeSession")
Stamp = tuple[int, int]  # changes whenever a file does


class UnusableLoginError(TrivoxError):
    """A file of credentials is damaged, or no file: whoever it was for cannot be let in by it."""


class KeysOutOfReachError(TrivoxError):
    """This user may not read the folders of credentials."""


class Credentials(NamedTuple):
    """A console's login at the broker, and its `key`, 64 hex digits: it signs with it, and checks what it is sent."""

    user: str
    password: str
    key: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"  # logs and tracebacks must not show the rest


class Account(NamedTuple):
    """The login at the broker of a source, a viewer, the bridge or `trivox doctor`."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Account(user={self.user!r})"


class BridgeSession(NamedTuple):
    """The client id of the bridge's session at the broker: who knows it may be able to cut the bridge off."""

    client_id: str

    def __repr__(self) -> str:
        return "BridgeSession()"


class Keyring:
    """All credentials issued for `database`, in the folder DATABASE-keys beside it."""

    def __init__(self, database: Path) -> None:
        self.folder = private_files.folder_beside(database, "-keys")
        self._database = database

    # -- consoles ------------------------------------------------------------------------------------------------

    def get(self, site_id: str, console_id: str) -> Credentials | None:
        """Return a console's credentials, or None if it has none. Raises TrivoxError if its file can't be used."""
        return self._read(self.path(site_id, console_id), Credentials, f"{site_id}.{console_id}")

    def stamp(self, site_id: str, console_id: str) -> Stamp | None:
        """Return a value that changes whenever a console's file does; None if the file is missing or out of reach."""
        return _stamp(self.path(site_id, console_id))

    def issue(self, site_id: str, console_id: str) -> Credentials:
        """Make new credentials for a console, in place of any it had; they are on the disk when this returns."""
        with self.issuing(site_id, console_id, self.stamp(site_id, console_id)) as credentials:
            return credentials

    @contextmanager
    def issuing(self, site_id: str, console_id: str, before: Stamp | None) -> Iterator[Credentials]:
        """Make new credentials for a console, in place of those with the stamp `before` (None: it had none).

        They are put there once the passage within has ended well. Raises TrivoxError: where they cannot be written, and
        where others have been issued meanwhile, before that passage begins if possible.
        """
        credentials = Credentials(f"{site_id}.{console_id}", _new_password(), secrets.token_hex(_KEY_BYTES))
        with self._prepared(self.path(site_id, console_id), credentials, before):
            yield credentials

    def remove(self, site_id: str, console_id: str) -> bool:
        """Remove a console's credentials; return whether it had any."""
        return _remove(self.path(site_id, console_id))

    def consoles(self) -> Iterator[tuple[str, str]]:
        """Yield the (site, console) ids of all consoles that have credentials, in order."""
        yield from ((site_id, console_id) for site_id, console_id in self._names("*/*.json"))

    def visible_consoles(self) -> set[tuple[str, str]] | None:
        """Return the (site, console) ids of all consoles that have credentials; None if we may not see who has."""
        try:
            return set(self.consoles())
        except KeysOutOfReachError:
            return None

    def path(self, site_id: str, console_id: str) -> Path:
        """Return the file for a console's credentials."""
        return self.folder / site_id / f"{console_id}.json"

    # -- others: a source is named SITE/SOURCE, a viewer by one word, see also OWN_USERS --------------------------

    def account(self, name: str) -> Account | None:
        """Return the account of a source, a viewer or one of OWN_USERS, or None. Raises TrivoxError as `get` does."""
        return self._read(self.account_path(name), Account, _user(name))

    def issue_account(self, name: str) -> Account:
        """Make a new account, in place of any of this name; it is on the disk when this returns."""
        with self.issuing_account(name, self.account_stamp(name)) as account:
            return account

    @contextmanager
    def issuing_account(self, name: str, before: Stamp | None) -> Iterator[Account]:
        """Make a new account, as `issuing` does new credentials."""
        account = Account(_user(name), _new_password())
        with self._prepared(self.account_path(name), account, before):
            yield account

    def account_stamp(self, name: str) -> Stamp | None:
        """Return for an account what `stamp` does for a console's credentials."""
        return _stamp(self.account_path(name))

    def remove_account(self, name: str) -> bool:
        """Remove an account; return whether there was one."""
        return _remove(self.account_path(name))

    def sources(self) -> list[str]:
        """Return the names of all sources that have an account, in order."""
        return ["/".join(names) for names in self._names("*/*.source")]

    def viewers(self) -> list[str]:
        """Return the names of all viewers, in order."""
        return [name for (name,) in self._names("*.viewer")]

    def account_path(self, name: str) -> Path:
        """Return the file for an account."""
        ending = "account" if name in OWN_USERS else "source" if "/" in name else "viewer"
        return self.folder / f"{name}.{ending}"

    # -- the bridge's session --------------------------------------------------------------------------------------

    def bridge_session(self) -> str | None:
        """Return the client id of the bridge's session, or None if there never was one. Raises TrivoxError."""
        session = self._read(self.folder / SESSION, BridgeSession)
        return None if session is None else session.client_id

    def issue_bridge_session(self, client_id: str) -> str:
        """Keep this client id, and return it; it is on the disk when this returns."""
        path = self.folder / SESSION
        with self._prepared(path, BridgeSession(client_id), _stamp(path)):
            return client_id

    def open_to_others(self) -> list[Path]:
        """Return the folders that another user of this machine may enter, and the files that one may read or write."""
        files = [self.folder, *sorted(self.folder.glob("**/*"))] if self.folder.is_dir() else []
        return [path for path in files if private_files.is_open_to_others(path)]

    def files(self) -> list[Path]:
        """Return the files of all who are enrolled, as far as this user may see them."""
        paths = (path for pattern in _FILES for path in sorted(self.folder.glob(pattern)))
        return [path for path in paths if _is_issued(self._name_of(path))]

    def unusable(self, files: list[Path]) -> tuple[list[Path], list[str]]:
        """Return which of these files we may not read, and a sentence for each that is damaged."""
        denied, damaged = [], []
        for path in files:
            names = self._name_of(path)
            try:
                self.get(*names) if path.suffix == ".json" else self.account("/".join(names))
            except UnusableLoginError as error:
                damaged.append(str(error))
            except TrivoxError:
                denied.append(path)
        return denied, damaged

    def strange_files(self) -> list[Path]:
        """Return files with the name of nobody who could be enrolled, which give no rights to anybody."""
        paths = (path for pattern in _FILES for path in sorted(self.folder.glob(pattern)))
        return [path for path in paths if not _is_issued(self._name_of(path))]

    def _names(self, pattern: str) -> Iterator[tuple[str, ...]]:
        """Yield the ids in the names of files, in order: only ids that can be enrolled."""
        self.check_readable()
        yield from filter(_is_issued, map(self._name_of, sorted(self.folder.glob(pattern))))

    def check_readable(self) -> None:
        """Raise KeysOutOfReachError where we may not read the folders: looking for names would pass over them."""
        try:
            with os.scandir(self.folder) as entries:
                folders = [entry.path for entry in entries if entry.is_dir()]
            for folder in folders:
                os.scandir(folder).close()
        except FileNotFoundError:
            return  # there are none
        except OSError as error:
            raise (KeysOutOfReachError if isinstance(error, PermissionError) else TrivoxError)(
                f"{error.filename} cannot be read ({error.strerror}): run this as the bridge's user."
            ) from error

    def _name_of(self, path: Path) -> tuple[str, ...]:
        return path.relative_to(self.folder).with_suffix("").parts

    # -- files -----------------------------------------------------------------------------------------------------

    @staticmethod
    def _read(path: Path, kind: type[T], user: str | None = None) -> T | None:
        try:
            login = kind(**json.loads(private_files.read(path, _MAX_BYTES)))
            is_whole = all(is_printed(text) for text in login) and getattr(login, "user", None) == user
        except FileNotFoundError:
            return None
        except OSError as error:
            is_denied = isinstance(error, PermissionError)
            raise (TrivoxError if is_denied else UnusableLoginError)(
                f"{path} cannot be read ({error.strerror}): run this as the bridge's user; if it is no file of ours, "
                "remove it."
            ) from error
        except (ValueError, TypeError) as error:
            raise _damaged(path) from error
        if not is_whole or not _KEY.fullmatch(getattr(login, "key", _NO_KEY)):
            raise _damaged(path)
        return login

    @contextmanager
    def _prepared(
        self, path: Path, login: Credentials | Account | BridgeSession, before: Stamp | None
    ) -> Iterator[None]:
        for name in self._name_of(path):
            if not HAS_MODES and _WINDOWS_DEVICE.fullmatch(name):
                raise TrivoxError(f"Windows lets no file be called {name}: give another name, or do this on Linux.")
        owner = owner_of(self._database)
        _check_unchanged(path, before)
        new_folders = [folder for folder in dict.fromkeys((path.parent, self.folder)) if not folder.exists()]
        try:
            for folder in reversed(new_folders):
                private_files.make_folder(folder, owner)
            with private_files.prepared(path, (json.dumps(login._asdict()) + "\n").encode(), owner):
                yield
                _check_unchanged(path, before)
        except BaseException:
            _remove_empty(new_folders)
            raise


def is_printed(text: object) -> bool:
    """Return whether this is a text that mosquitto's files can hold: printed ASCII without spaces."""
    return isinstance(text, str) and _PRINTED.fullmatch(text) is not None


def _is_issued(names: tuple[str, ...]) -> bool:
    return all(map(valid_id, names)) and names not in {(user,) for user in OWN_USERS}


def _user(name: str) -> str:
    """Return the name that an account has at the broker."""
    return name.replace("/", ".")


def _damaged(path: Path) -> UnusableLoginError:
    others = "delete it, and the bridge begins a new session" if path.name == SESSION else "enrol again with --renew"
    return UnusableLoginError(f"{path} is damaged: restore it from a copy, or {others}.")


def _check_unchanged(path: Path, before: Stamp | None) -> None:
    """Raise TrivoxError where somebody else has written a file meanwhile, whose credentials would be worth nothing."""
    if _stamp(path) != before:
        raise TrivoxError(f"Another command has just written {path}, which stays as it is: run this again if need be.")


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _new_password() -> str:
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError), acting_for(folder.parent):
            folder.rmdir()


def _remove(path: Path) -> bool:
    try:
        with acting_for(path.parent):
            path.unlink()
            sync(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise TrivoxError(
            f"{path} cannot be removed ({error.strerror}), so the login in it stays: run this as the bridge's user."
        ) from error
    return True


class KeyCache:
    """The consoles' keys in memory; each is read again when its file has changed."""

    def __init__(self, database: Path) -> None:
        self._keyring = Keyring(database)
        self._cached: dict[tuple[str, str], tuple[Stamp, bytes | None]] = {}  # by console: stamp, key

    def get(self, site_id: str, console_id: str) -> bytes | None:
        """Return a console's key; None if there is none, or its file cannot be used (which `doctor` reports)."""
        name = site_id, console_id
        stamp = self._keyring.stamp(*name)
        if stamp is None:
            return None
        entry = self._cached.get(name)
        if entry is None or entry[0] != stamp:
            entry = self._cached[name] = stamp, self._load(*name)
        return entry[1]

    def _load(self, site_id: str, console_id: str) -> bytes | None:
        try:
            credentials = self._keyring.get(site_id, console_id)
        except TrivoxError:
            return None
        return None if credentials is None else bytes.fromhex(credentials.key)
