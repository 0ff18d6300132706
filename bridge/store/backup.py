"""Copy a database while it is in use, and open such a copy to read it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import apsw

from bridge.errors import DatabaseError
from bridge.private_files import SECRET
from bridge.privileges import acting_for
from bridge.store.connection import SCHEMA, newest_version, schema_of
from bridge.store.copied_files import CopiedFiles, can_read_in_place
from bridge.store.faults import UnreadableError, cannot_use, damage_or_disk, is_read_error, sidecar, unreadable
from bridge.store.integrity import integrity_faults
from bridge.store.sqlite_file import check_kinds, connect, open_file
from bridge.store.write_ahead_log import is_own_log

if TYPE_CHECKING:
    from pathlib import Path

BACKUP_PAGES = -1
"""All pages at once: one consistent copy, while the bridge goes on writing."""


def copy_to(source: apsw.Connection, database: Path, target: Path) -> None:
    """Copy a whole database to a new file, as it is at one instant; `database` is the path of the source.

    Raises DatabaseError where the copy is damaged or does not fit on the disk.
    """
    destination = open_file(target, apsw.SQLITE_OPEN_READWRITE)
    try:
        with destination.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(BACKUP_PAGES)
        if faults := integrity_faults(destination, "integrity_check"):
            raise damage_or_disk(database, faults[0])
        destination.execute("PRAGMA journal_mode = DELETE")  # a single file, without a log beside it
    except (apsw.FullError, apsw.IOError) as error:
        if is_read_error(error):
            raise unreadable(database) from error
        raise DatabaseError(f"{target.parent} has no room for the copy: make room there, or check its disk.") from error
    finally:
        destination.close()


def drop_strangers(file: Path) -> list[str]:
    """Remove from a copy what no Trivox has made, such as triggers, which would act on our data; return what it was.

    Raises DatabaseError where it cannot be removed, or something of ours is missing.
    """
    refusal = DatabaseError(f"{file} is not what `trivox backup` has made, and cannot be put right: give another copy.")
    connection = open_file(file, apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        made = schema_of(int(str(version)))
        found = set(connection.execute(SCHEMA).fetchall())
        for kind in ("trigger", "view", "index", "table"):
            for _, name in sorted(thing for thing in found - made if thing[0] == kind):
                quoted = str(name).replace('"', '""')
                connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')  # IF EXISTS: an index goes with its table
    except apsw.Error as error:
        raise refusal from error
    finally:
        connection.close()
    if made - found:
        raise refusal
    return [f"{kind} {name}" for kind, name in sorted(found - made)]


def read_copy(copy: Path) -> apsw.Connection:
    """Open a copy made by `backup`, or a database, to read it.

    Raises DatabaseError where it is neither, or cannot be used.
    """
    if not copy.is_file():
        raise DatabaseError(f"There is no file {copy}: give a copy made by `trivox backup`.")
    if not is_own_log(copy):
        log = sidecar(copy, "-wal")
        raise DatabaseError(f"{log} is the log of another database than {copy}: move {log} away, then try again.")
    return _open_copy(copy, copy)


def read_joined(copy: Path, log: Path, scratch: Path) -> apsw.Connection:
    """Read a copy together with a log that belongs to it, both copied to `scratch`. Raises DatabaseError."""
    try:
        with acting_for(copy):
            opened = copy.open("rb")
        with opened, scratch.open("xb") as target:
            shutil.copyfileobj(opened, target)
        shutil.copyfile(log, sidecar(scratch, "-wal"), follow_symlinks=False)
    except OSError as error:
        raise DatabaseError(
            f"{copy} and {log} cannot be copied to {scratch.parent} ({error.strerror}): make room there, or check the "
            "disk."
        ) from error
    return _open_copy(scratch, copy)


def _open_copy(file: Path, copy: Path) -> apsw.Connection:
    refusal = DatabaseError(f"{copy} is not a copy made by `trivox backup`: give one that is.")
    connection = None
    try:
        check_kinds(file)
        in_place = can_read_in_place(file)
        connection = connect(file, apsw.SQLITE_OPEN_READONLY) if in_place else CopiedFiles(file).connection
        _check_copy(connection, copy, refusal)
    except apsw.CantOpenError as error:
        raise DatabaseError(f"{copy} cannot be read: check its permissions.") from error
    except (apsw.Error, DatabaseError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, DatabaseError):
            raise
        failure = cannot_use(copy, error)
        raise (failure if isinstance(failure, UnreadableError) else refusal) from error
    return connection


def _check_copy(connection: apsw.Connection, copy: Path, refusal: DatabaseError) -> None:
    if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall() and _was_in_use(connection):
        raise DatabaseError(
            f"{copy} is what is left of a database whose content was all in its log, which is not beside it any more: "
            "`trivox restore` has taken the log in before, or somebody moved it; give the restored database or a copy."
        )
    known = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('event', 'identity')").fetchall()
    if known != [(2,)]:
        raise refusal
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if int(str(version)) > newest_version():
        raise DatabaseError(
            f"The copy {copy} was made by a newer Trivox: restore it with that version, or a newer one."
        )


def _was_in_use(connection: apsw.Connection) -> bool:
    """Return whether a file was once opened by a bridge, which gives it a log."""
    return connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def make_file(path: Path) -> None:
    """Create a file that only its owner may read. Raises DatabaseError, also if it exists already."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, SECRET))
    except OSError as error:
        raise DatabaseError(f"{path.parent} cannot be written ({error.strerror}): check its permissions.") from error
