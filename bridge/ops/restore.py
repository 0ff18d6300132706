"""A copy put in the place of a database that is damaged or lost: nobody may write it meanwhile, nothing is thrown away.

What lay there gets another name together with its log, which SQLite would otherwise play into the copy. Whenever the
power goes, either the old database or the copy is there whole.
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
    """Put `copy` in the database's place; where that went, or None when there was none. Raises TrivoxError."""
    database = database.resolve()
    if database.exists() and not database.is_file():
        raise DatabaseError(f"{database} is no file: give the database's file by --database.")
    lock = take_lock(database)
    if lock is None:
        raise WriterBusyError(f"A bridge or another command writes {database}: end it, then restore.")
    try:
        return _replace(copy.resolve(), database, now)
    finally:
        lock.release()


def _replace(copy: Path, database: Path, now: datetime) -> Path | None:
    partial = database.with_name(f"{database.name}.part")  # one alone, under the lock: a killed one's is taken over
    source = read_copy(copy)
    try:
        _make(partial, database)
        copy_to(source, str(copy), partial)
        sync(partial)
        aside = _keep_aside(database, now)
        sync(database.parent)
        partial.rename(database)  # with the old log beside it the copy is refused until that is gone
        for ending in SIDECAR_SUFFIXES:
            sidecar(database, ending).unlink(missing_ok=True)
        sync(database.parent)
    finally:
        source.close()
        _clear(partial)
    return aside


def _make(partial: Path, database: Path) -> None:
    """Make the new file, empty, with the owner and the rights of what lies there."""
    _clear(partial)
    mode = database.stat().st_mode & 0o777 if database.exists() else NEW_MODE
    make_file(partial)
    with suppress(PermissionError):  # it is another user's: then the copy is this user's own
        os.chown(partial, *owner_of(database))
    partial.chmod(mode)


def _clear(partial: Path) -> None:
    for path in (partial, *(sidecar(partial, ending) for ending in SIDECAR_SUFFIXES)):
        path.unlink(missing_ok=True)


def _keep_aside(database: Path, now: datetime) -> Path | None:
    """Give the database and its log a second name, which nothing has; the first goes when the copy takes it."""
    if not database.exists():
        return None
    stem, number = f"{database.name}.replaced-{now:%Y%m%dT%H%M%SZ}", 1
    aside = database.with_name(stem)
    while any(path.exists() for path in (aside, *(sidecar(aside, ending) for ending in SIDECAR_SUFFIXES))):
        number += 1
        aside = database.with_name(f"{stem}-{number}")
    for ending in ("-wal", "-journal"):
        if sidecar(database, ending).exists():
            _name_also(sidecar(database, ending), sidecar(aside, ending))
    _name_also(database, aside)
    return aside


def _name_also(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:
        shutil.copy2(path, other)  # a filesystem without links


def make_file(path: Path) -> None:
    """Make a file that is not there yet, for its owner alone; raises DatabaseError."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, NEW_MODE))
    except OSError as error:
        raise DatabaseError(f"{path.parent} cannot be written ({error.strerror}): check its rights.") from error
