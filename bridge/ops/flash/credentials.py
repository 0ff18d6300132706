"""Get consoles' credentials on a technician's machine: from the bridge's keyring, or from a file made from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from bridge import private_files
from bridge.admin.commands import EnrollConsoles, NoteNewKeys
from bridge.admin.known_names import KnownNames
from bridge.errors import TrivoxError
from bridge.keyring import Credentials, Keyring, is_printed
from bridge.private_files import is_open_to_others
from bridge.service.control import open_writer
from bridge.store import open_store


class Issuer:
    """Issues credentials by site id and console id; this one issues none, as its consoles have no logins of their own.

    All methods raise TrivoxError.
    """

    def check(self, site_id: str, console_id: str) -> None:
        """Make sure that credentials can be issued, without issuing any."""

    def __call__(self, _site_id: str, _console_id: str) -> Credentials | None:
        """Return a console's credentials; None if it needs none."""
        return None


class DatabaseIssuer(Issuer):
    """Issues from the keyring beside the bridge's database, and enrols consoles that have no credentials yet.

    It calls `report_enrolled` with SITE/CONSOLE of each of those.
    """

    def __init__(self, database: Path, report_enrolled: Callable[[str], None]) -> None:
        self._database = database
        self._keyring = Keyring(database)
        self._report_enrolled = report_enrolled

    def check(self, site_id: str, console_id: str) -> None:
        """Make sure that credentials can be issued, without issuing any."""
        self._keyring.get(site_id, console_id)

    def __call__(self, site_id: str, console_id: str) -> Credentials:
        """Return a console's credentials, new ones if it had none."""
        credentials = self._keyring.get(site_id, console_id)
        if credentials is None:
            name = f"{site_id}/{console_id}"
            with open_writer(self._database, makes_database=True) as writer:
                with self._keyring.issuing(site_id, console_id, before=None) as credentials:
                    writer.perform(EnrollConsoles(consoles=[name]))
                writer.perform(NoteNewKeys(consoles=[name]))
            self._report_enrolled(f"{site_id}/{console_id}")
        return credentials


class FileIssuer(Issuer):
    """Issues from a file made by `write_file`; one that can't be used, or that others may read, is refused at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_name = _read_file(path)

    def check(self, site_id: str, console_id: str) -> None:
        """Make sure that the file has this console's credentials."""
        self(site_id, console_id)

    def __call__(self, site_id: str, console_id: str) -> Credentials:
        """Return a console's credentials."""
        name = f"{site_id}/{console_id}"
        if name not in self._by_name:
            raise TrivoxError(
                f"{self._path} has no keys for {name}: make it again with `trivox console keys`, and name that console "
                "too."
            )
        return self._by_name[name]


def check_names(database: Path, sites: Iterable[str], consoles: Iterable[tuple[str, str]] = ()) -> None:
    """Check that the database knows these sites and consoles. Raises UnknownNameError."""
    store = open_store(database)
    try:
        names = KnownNames(store, new=False)
        for site_id in sites:
            names.check_site(site_id)
        for console in consoles:
            names.check_console(*console)
    finally:
        store.close()


def _read_file(path: Path) -> dict[str, Credentials]:
    try:
        if path.exists() and not path.is_file():
            raise TrivoxError(f"{path} is not a file: give one made by `trivox console keys`.")
        if is_open_to_others(path):
            raise TrivoxError(f"{path} holds keys and others may read it: run chmod 600 {path}.")
        by_name = {name: Credentials(**values) for name, values in json.loads(path.read_bytes()).items()}
        is_whole = all(is_printed(text) for credentials in by_name.values() for text in credentials)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): check its name and permissions.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TrivoxError(f"{path} is not a file of keys: make it again with `trivox console keys`.") from error
    if not is_whole:
        raise TrivoxError(f"{path} is not a file of keys: make it again with `trivox console keys`.")
    return by_name


def check_target(path: Path) -> None:
    """Raise TrivoxError if `write_file` could not write there: only an older file of keys is replaced."""
    if not path.absolute().parent.is_dir():
        raise TrivoxError(f"There is no folder {path.parent}: make it first, or give another name.")
    if path.exists() or path.is_symlink():
        try:
            _read_file(path)
        except TrivoxError as error:
            raise TrivoxError(f"{path} exists already, and is not a file of keys: give another name.") from error


def write_file(path: Path, credentials: dict[str, Credentials]) -> None:
    """Write credentials by SITE/CONSOLE to a file that only its owner may read. Raises TrivoxError."""
    content = {name: values._asdict() for name, values in credentials.items()}
    private_files.write(path, (json.dumps(content, indent=1) + "\n").encode())
