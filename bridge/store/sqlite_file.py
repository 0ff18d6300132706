"""Open SQLite files so that nothing in them is executed: whoever may have written them gains nothing by it."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import apsw

from bridge.errors import DatabaseError
from bridge.privileges import ROOT, acting_for, is_acting_as_root, is_root
from bridge.store.faults import SIDECAR_SUFFIXES, sidecar
from bridge.system import name_of_user, user_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INDEX_SUFFIX = "-shm"
SAFE = (  # the databases that we make have neither triggers nor views
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
)


@contextmanager
def acting_for_owner(database: Path) -> Iterator[None]:
    """Act as the one to whom a database belongs, if root runs this process. Raises DatabaseError if that can't work."""
    with acting_for(database):
        if is_root() and not is_acting_as_root():
            _check_reach(database, name_of_user(user_id()))
        yield


def _check_reach(database: Path, user: str) -> None:
    try:
        belongs_to_root = database.stat().st_uid == ROOT
    except FileNotFoundError:
        return
    except OSError as error:
        _refuse_link(database, user)
        raise DatabaseError(
            f"{user}, to whom {database} belongs, cannot reach it ({error.strerror}): let {user} enter its folders, or "
            "give it to their owner with `chown -h`."
        ) from error
    if belongs_to_root:
        _refuse_link(database, user)
        raise DatabaseError(
            f"{database} belongs to root, but {user} may put another file in its place: give it to {user} with "
            f"`chown -h {user} {database}`, or move it to a folder of root's."
        )


def _refuse_link(database: Path, user: str) -> None:
    if os.path.islink(database):  # noqa: PTH114 - Path's raises where that can't be told
        raise DatabaseError(
            f"{database} is a link to a file that {user} may not use, and {user} may have laid it: find out who did, "
            "and remove it."
        )


def connect(file: Path, flags: int, statement_count: int = 100) -> apsw.Connection:
    """Open a database without running triggers, views or functions that somebody has planted in it."""
    connection = open_file(file, flags, statement_count)
    for setting, value in SAFE:
        connection.config(setting, value)
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def open_file(file: Path, flags: int, statement_count: int = 100) -> apsw.Connection:
    """Open a file that holds nothing of others. Where the system's names aren't in UTF-8, SQLite gets their bytes."""
    name, in_system = str(file), os.fsencode(file)
    if name.encode("utf-8", "surrogatepass") != in_system:
        name, flags = f"file://{quote(os.fsencode(file.absolute()))}", flags | apsw.SQLITE_OPEN_URI
    return apsw.Connection(name, flags=flags, statementcachesize=statement_count)


def check_kinds(database: Path) -> None:
    """Raise DatabaseError where something else lies in the place of a database, or of the files beside it."""
    if database.exists() and not database.is_file():
        raise DatabaseError(f"{database} is not a file: give the database's file with --database.")
    for suffix in SIDECAR_SUFFIXES:
        path = sidecar(database, suffix)
        try:
            status = path.lstat()
        except OSError:
            continue  # opening the database says better what is wrong
        if not stat.S_ISREG(status.st_mode) or (suffix == INDEX_SUFFIX and status.st_nlink > 1):
            raise DatabaseError(
                f"{path} is a link, or no file, where SQLite keeps a file of its own: find out who put it there, and "
                "remove it."
            )
