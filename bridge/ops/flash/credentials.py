"""Get consoles' credentials on a technician's machine: from the bridge's keyring, or from a file made from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from bridge.admin.commands import EnrollConsoles
from bridge.errors import TrivoxError
from bridge.keyring import Credentials, Keyring, is_printed
from bridge.private_files import is_open_to_others
from bridge.service.control import perform

Issuer = Callable[[str, str], Credentials | None]
"""(site id, console id) -> the console's credentials, or None if it needs none; raises TrivoxError."""


def no_credentials(_site_id: str, _console_id: str) -> None:
    """Return None: the consoles have no logins of their own."""


def issuer_from_database(database: Path, report_enrolled: Callable[[str], None]) -> Callable[[str, str], Credentials]:
    """Return an issuer of credentials from the keyring beside the bridge's database.

    It enrols consoles that have none yet, and calls `report_enrolled` with SITE/CONSOLE of each.
    """
    keyring = Keyring(database)

    def issue(site_id: str, console_id: str) -> Credentials:
        credentials = keyring.get(site_id, console_id)
        if credentials is None:
            perform(database, EnrollConsoles(consoles=[f"{site_id}/{console_id}"]))
            credentials = keyring.issue(site_id, console_id)
            report_enrolled(f"{site_id}/{console_id}")
        return credentials

    return issue


def issuer_from_file(path: Path) -> Callable[[str, str], Credentials]:
    """Return an issuer of credentials from a file made by `write_file`.

    Raises TrivoxError if it can't be used, or if others may read it.
    """
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

    def issue(site_id: str, console_id: str) -> Credentials:
        name = f"{site_id}/{console_id}"
        if name not in by_name:
            raise TrivoxError(
                f"{path} has no keys for {name}: make it again with `trivox console keys`, and name that console too."
            )
        return by_name[name]

    return issue


def write_file(path: Path, credentials: dict[str, Credentials]) -> None:
    """Write credentials by SITE/CONSOLE to a new file that only its owner may read. Raises TrivoxError."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({name: values._asdict() for name, values in credentials.items()}, file, indent=1)
    except FileExistsError as error:
        raise TrivoxError(f"{path} exists already: delete it, or give another name.") from error
    except OSError as error:
        raise TrivoxError(
            f"{path} cannot be written ({error.strerror}): give a folder that you may write to."
        ) from error
