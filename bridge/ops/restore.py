"""Put a copy in the place of a database that is damaged or lost. Nothing is thrown away.

Nobody may write the database meanwhile. The old one gets another name together with its log, which SQLite would
otherwise apply to the copy. Whenever the power fails, either the old database or the copy is there, whole.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.errors import DatabaseError, WriterBusyError
from bridge.private_files import owner_of, sync
from bridge.store.backup import copy_to, read_copy
from bridge.store.connection import SIDECAR_SUFFIXES, sidecar
from bridge.store.lock import take_lock

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

NEW_MODE = 0o600


def restore(copy: Path, database: Path, now: datetime) -> Path | None:
    """Put `copy` in the database's place, and return the old one's new path (None: there was none).

    Raises TrivoxError.
    """
    database = database.resolve()
    if database.exists() and not database.is_file():
        raise DatabaseError(f"{database} is not a file: give the database's file with --database.")
    lock = take_lock(database)
    if lock is None:
        raise WriterBusyError(f"A bridge or another command is writing {database}: end it, then restore.")
    try:
        return _replace(copy.resolve(), database, now)
    finally:
        lock.release()


def _replace(copy: Path, database: Path, now: datetime) -> Path | None:
    # Under the lock one name is enough: a file left by a killed restore is replaced.
    partial = database.with_name(f"{database.name}.part")
    source = read_copy(copy)
    try:
        _create(partial, database)
        copy_to(source, str(copy), partial)
        sync(partial)
        aside = _set_aside(database, now)
        sync(database.parent)
        partial.rename(database)  # until the old log is gone, the copy beside it is refused
        for suffix in SIDECAR_SUFFIXES:
            sidecar(database, suffix).unlink(missing_ok=True)
        sync(database.parent)
    finally:
        source.close()
        _clear(partial)
    return aside


def _create(partial: Path, database: Path) -> None:
    """Create the new file, empty, with the owner and the permissions of the old database."""
    _clear(partial)
    mode = database.stat().st_mode & 0o777 if database.exists() else NEW_MODE
    make_file(partial)
    with suppress(PermissionError):  # the database is another user's; the copy then belongs to this user
        os.chown(partial, *owner_of(database))
    partial.chmod(mode)


def _clear(partial: Path) -> None:
    for path in (partial, *(sidecar(partial, suffix) for suffix in SIDECAR_SUFFIXES)):
        path.unlink(missing_ok=True)


def _set_aside(database: Path, now: datetime) -> Path | None:
    """Give the database and its log a second name that is free. The first name goes when the copy takes it."""
    if not database.exists():
        return None
    stem, number = f"{database.name}.replaced-{now:%Y%m%dT%H%M%SZ}", 1
    aside = database.with_name(stem)
    while any(path.exists() for path in (aside, *(sidecar(aside, suffix) for suffix in SIDECAR_SUFFIXES))):
        number += 1
        aside = database.with_name(f"{stem}-{number}")
    for suffix in ("-wal", "-journal"):
        if sidecar(database, suffix).exists():
            _link_or_copy(sidecar(database, suffix), sidecar(aside, suffix))
    _link_or_copy(database, aside)
    return aside


def _link_or_copy(path: Path, new_name: Path) -> None:
    try:
        os.link(path, new_name)
    except OSError:
        shutil.copy2(path, new_name)  # a filesystem without links


def make_file(path: Path) -> None:
    """Create a file that only its owner may read. Raises DatabaseError, also if it exists already."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, NEW_MODE))
    except OSError as error:
        raise DatabaseError(f"{path.parent} cannot be written ({error.strerror}): check its permissions.") from error
