"""A copy put in the place of a database that is damaged or lost: nobody may write it meanwhile, nothing is thrown away.

What lay there goes aside with its log: SQLite would play the log of the old file into the new one.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridge.control import take_lock
from bridge.errors import WriterBusyError
from bridge.store.condition import copy_to, read_copy

if TYPE_CHECKING:
    from pathlib import Path

BESIDE = ("-wal", "-shm", "-journal")


def restore(copy: Path, database: Path, now: datetime) -> Path | None:
    """Put `copy` in the database's place; where that went, or None when there was none. Raises TrivoxError."""
    lock = take_lock(database)
    if lock is None:
        raise WriterBusyError(f"A bridge or another command writes {database}: end it, then restore.")
    try:
        return _replace(copy, database.resolve(), now)
    finally:
        lock.release()


def _replace(copy: Path, database: Path, now: datetime) -> Path | None:
    partial = database.with_name(f"{database.name}.{os.getpid()}.part")
    source = read_copy(copy)
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL, 0o600))
        copy_to(source, str(copy), partial)
        _sync(partial)
        aside = _move_aside(database, now)
        partial.rename(database)
        _sync(database.parent)
    finally:
        source.close()
        partial.unlink(missing_ok=True)
    return aside


def _move_aside(database: Path, now: datetime) -> Path | None:
    """Give the database and what belongs to it another name, until the new one takes its place."""
    aside = database.with_name(f"{database.name}.replaced-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    for ending in BESIDE:
        beside = database.with_name(database.name + ending)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + ending))
    if not database.exists():
        return None
    try:
        os.link(database, aside)  # so that at no moment there is none, which a bridge would make anew
    except OSError:
        database.rename(aside)  # a filesystem without links
    return aside


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
