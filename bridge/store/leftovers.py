"""Find what an accident has left in a database's folder, before the database is opened and hides it.

A log stays behind where its database is moved without it, and a copy is saved of a database that was deleted while in
use. Whoever writes to the database meanwhile makes that it can no longer be put together again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import DatabaseError
from bridge.store.descriptors import open_to_read
from bridge.store.faults import sidecar
from bridge.store.write_ahead_log import (
    SINGLE_FILE,
    absent,
    belongs,
    has_frames,
    is_single_file,
    read_log,
    rescued_copies,
)
from bridge.system import read_at

if TYPE_CHECKING:
    from pathlib import Path

LOG_SUFFIX = "-wal"
FIRST_PAGE_BYTES = 105  # SQLite's header, and how the page begins: its kind, two bytes, the number of its cells
EMPTY_SCHEMA = (b"\x0d", b"\0\0")


def check_left_behind(database: Path) -> None:
    """Raise DatabaseError where a database was moved without its log, which would then belong to it no more."""
    try:
        log, is_empty = log_left_behind(database), _is_empty_without_log(database)
    except OSError:
        return  # opening it says better what is wrong
    own_log = sidecar(database, LOG_SUFFIX)
    if log is not None:
        raise DatabaseError(
            f"{log} is the log of {database}, which was moved without it, and holds what was stored last: move "
            f"{database} back to {_database_of(log)}, or the log to {own_log}, then try again; to go on without it, "
            f"move {log} to another folder."
        )
    if is_empty:
        raise DatabaseError(
            f"The database {database} is empty, as what was stored in it is in its log, which is not beside it: move "
            f"that log to {own_log}, then try again; to begin a new database, move {database} away."
        )


def log_left_behind(database: Path) -> Path | None:
    """Return the log that is a database's own, but is named after one that is not there any more. Raises OSError."""
    database = database.resolve()
    if absent(database) is not None or has_frames(sidecar(database, LOG_SUFFIX)) or is_single_file(database):
        return None
    for log in sorted(database.parent.glob(f"*{LOG_SUFFIX}")):
        if has_frames(log) and absent(_database_of(log)) is not None:
            read = read_log(log)
            if read is not None and read.commits and belongs(database, log):
                return log
    return None


def _database_of(log: Path) -> Path:
    return log.with_name(log.name.removesuffix(LOG_SUFFIX))


def _is_empty_without_log(database: Path) -> bool:
    """Return whether nothing was ever moved from a log into a database; one just begun has that log beside it."""
    if absent(database) is not None or sidecar(database, LOG_SUFFIX).exists():
        return False
    with open_to_read(database) as descriptor:
        page = read_at(descriptor, FIRST_PAGE_BYTES, 0)
    return page[18:20] != SINGLE_FILE and (page[100:101], page[103:105]) == EMPTY_SCHEMA


def check_rescued(database: Path) -> None:
    """Raise DatabaseError where a saved copy lies beside a database, whose content nobody may then add to."""
    if absent(database) is None and (saved := rescued_copies(database.resolve())):
        raise DatabaseError(f"{rescued_advice(saved[-1], database)} Nothing is written to {database} until then.")


def rescued_advice(saved: Path, database: Path) -> str:
    """Say what to do with a saved copy."""
    return (
        f"{saved} holds what was stored in {database} when that was deleted or replaced: run `trivox restore {saved}`; "
        f"to go on with {database} as it is, move {saved} to another folder."
    )
