"""Copy a database while it is in use, and open such a copy to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from bridge.errors import DatabaseError
from bridge.store.connection import damaged, newest_version, refuse_strange_log
from bridge.store.integrity import integrity_faults

if TYPE_CHECKING:
    from pathlib import Path

BACKUP_PAGES = -1
"""All pages at once: one consistent copy, while the bridge goes on writing."""


def copy_to(source: apsw.Connection, name: str, target: Path) -> None:
    """Copy a whole database to a new file, as it is at one instant; `name` is what people know the source by.

    Raises DatabaseError where the copy is damaged or does not fit on the disk.
    """
    destination = apsw.Connection(str(target))
    try:
        with destination.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(BACKUP_PAGES)
        if faults := integrity_faults(destination, "integrity_check"):
            raise damaged(name, faults[0])
        destination.execute("PRAGMA journal_mode = DELETE")  # a single file, without a log beside it
    except (apsw.FullError, apsw.IOError) as error:
        raise DatabaseError(f"{target.parent} has no room for the copy: make room there, or check its disk.") from error
    finally:
        destination.close()


def read_copy(copy: Path) -> apsw.Connection:
    """Open a copy made by `backup` to read it. Raises DatabaseError where it is not one, or cannot be used."""
    if not copy.is_file():
        raise DatabaseError(f"There is no file {copy}: give a copy made by `trivox backup`.")
    refuse_strange_log(copy)
    refusal = DatabaseError(f"{copy} is not a copy made by `trivox backup`: give one that is.")
    connection = None
    try:
        connection = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
        _check_copy(connection, copy, refusal)
    except apsw.CantOpenError as error:
        raise DatabaseError(f"{copy} cannot be read: check its permissions.") from error
    except (apsw.Error, DatabaseError) as error:
        if connection is not None:
            connection.close()
        raise (error if isinstance(error, DatabaseError) else refusal) from error
    return connection


def _check_copy(connection: apsw.Connection, copy: Path, refusal: DatabaseError) -> None:
    known = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('event', 'identity')").fetchall()
    if known != [(2,)]:
        raise refusal
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if int(str(version)) > newest_version():
        raise DatabaseError(
            f"The copy {copy} was made by a newer Trivox: restore it with that version, or a newer one."
        )
