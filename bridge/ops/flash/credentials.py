"""Where a technician's machine has the consoles' credentials from: the bridge's keyring, or a file made from it."""

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
"""(site, console) -> what it is to prove itself with, None for nothing; raises TrivoxError."""


def of_nobody(_site_id: str, _console_id: str) -> None:
    """Consoles without a login of their own."""


def of_database(database: Path, enrolled: Callable[[str], None]) -> Callable[[str, str], Credentials]:
    """From the keyring beside the bridge's database; who has none yet is enrolled, and `enrolled` told of it."""
    keyring = Keyring(database)

    def issue(site_id: str, console_id: str) -> Credentials:
        found = keyring.get(site_id, console_id)
        if found is None:
            perform(database, EnrollConsoles(consoles=[f"{site_id}/{console_id}"]))
            found = keyring.issue(site_id, console_id)
            enrolled(f"{site_id}/{console_id}")
        return found

    return issue


def of_file(path: Path) -> Callable[[str, str], Credentials]:
    """From a file that `write_file` made; nobody else may read it. Raises TrivoxError."""
    try:
        if path.exists() and not path.is_file():
            raise TrivoxError(f"{path} is no file: give one of `trivox console keys`.")
        if is_open_to_others(path):
            raise TrivoxError(f"{path} holds keys and others may read it: run chmod 600 {path}.")
        found = {name: Credentials(**values) for name, values in json.loads(path.read_bytes()).items()}
        is_whole = all(is_printed(text) for credentials in found.values() for text in credentials)
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): check its name and rights.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TrivoxError(f"{path} is no file of keys: make it anew with `trivox console keys`.") from error

    if not is_whole:
        raise TrivoxError(f"{path} is no file of keys: make it anew with `trivox console keys`.")

    def issue(site_id: str, console_id: str) -> Credentials:
        name = f"{site_id}/{console_id}"
        if name not in found:
            raise TrivoxError(
                f"{path} has no keys of {name}: make it anew with `trivox console keys`, and name it too."
            )
        return found[name]

    return issue


def write_file(path: Path, credentials: dict[str, Credentials]) -> None:
    """Write credentials by SITE/CONSOLE, for their owner alone. Raises TrivoxError if the file is there."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({name: values._asdict() for name, values in credentials.items()}, file, indent=1)
    except FileExistsError as error:
        raise TrivoxError(f"{path} is there: delete it, or give another name.") from error
    except OSError as error:
        raise TrivoxError(f"{path} cannot be written ({error.strerror}): give a folder that is yours.") from error
