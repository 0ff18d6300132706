"""Open the database: pragmas, migrations, transactions."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from functools import cache
from importlib import resources
from itertools import chain
from typing import TYPE_CHECKING, Any

import apsw

from bridge.errors import DatabaseError, MissingDatabaseError
from bridge.model.history import BRIDGE_ITSELF
from bridge.private_files import open_plain
from bridge.privileges import acting_for
from bridge.store.cache import Cache
from bridge.store.copied_files import CopiedFiles, can_read_in_place
from bridge.store.faults import DAMAGED, cannot_use, damage_or_disk, is_read_error
from bridge.store.leftovers import check_left_behind, check_rescued
from bridge.store.open_files import OpenFiles
from bridge.store.sqlite_file import acting_for_owner, check_kinds, connect
from bridge.store.write_ahead_log import check_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bridge.model.history import Origin

Row = tuple[Any, ...]

CACHE_KIB = 65_536
CHECKPOINT_PAGES = 4_000
BUSY_MS = 5_000
NAME_COMMIT = "UPDATE last_commit SET previous = current, current = randomblob(16) RETURNING current"
SCHEMA = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
STATEMENTS_KEPT = 200
ROWS_AT_ONCE = 32  # inserted by one statement: a third less work for SQLite than one by one
WAL_KEPT_BYTES = 64 * 1024 * 1024
GIVE_OR_MAKE = "give --database FILE, or make one with `trivox site set`, `trivox console enroll`, or a bridge"


class Store:
    """One connection to the database.

    All writing happens inside `transaction(now_ms)`; meanwhile `now_ms` is its time, the only one there is, and
    `origin` who makes its changes. The cache is emptied as soon as a transaction is rolled back. With `files`, a
    transaction ends well only if the path still names the files that it was written to. With `copied`, it reads a copy,
    as the files may not be read in their place.
    """

    def __init__(self, connection: apsw.Connection, path: Path, copied: CopiedFiles | None = None) -> None:
        self.connection = connection
        self.path = path
        self.files: OpenFiles | None = None
        self.copied = copied
        self.now_ms = 0
        self.origin = BRIDGE_ITSELF
        self.cache = Cache()
        self._cursor = connection.cursor()
        self._in_transaction = False
        self._last_commit: Row | None = None  # the name of this connection's last one

    def all(self, sql: str, bindings: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of a query."""
        return self._cursor.execute(sql, bindings).fetchall()

    def one(self, sql: str, bindings: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a query, or None."""
        return self._cursor.execute(sql, bindings).fetchone()

    def each(self, sql: str, bindings: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield rows one by one, for results too big for memory; other queries may run meanwhile."""
        yield from self.connection.cursor().execute(sql, bindings)

    def run(self, sql: str, bindings: Sequence[Any] = ()) -> None:
        """Execute a statement for its effect."""
        self._cursor.execute(sql, bindings)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement once for each row of bindings."""
        self._cursor.executemany(sql, rows)

    def insert(self, into: str, rows: Sequence[Row]) -> None:
        """Insert rows of equal length; `into` is the statement up to its VALUES."""
        if rows:
            self.insert_values(into, len(rows[0]), list(chain.from_iterable(rows)))

    def insert_values(self, into: str, width: int, values: list[Any]) -> None:
        """Insert rows of `width` values each, given one after another in one list."""
        row, size = f"({', '.join('?' * width)})", width * ROWS_AT_ONCE
        whole = len(values) // size * size
        groups = (values[start : start + size] for start in range(0, whole, size))
        self._cursor.executemany(f"{into} VALUES {', '.join([row] * ROWS_AT_ONCE)}", groups)
        rest = (values[start : start + width] for start in range(whole, len(values), width))
        self._cursor.executemany(f"{into} VALUES {row}", rest)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Show the database as it is now, whatever is written meanwhile."""
        self._cursor.execute("BEGIN")
        try:
            yield
        finally:
            self._cursor.execute("ROLLBACK")

    def changes(self) -> int:
        """Return how many rows the last statement changed."""
        return self.connection.changes()

    def is_outdated(self) -> bool:
        """Return whether this reads a copy of a database that has changed since."""
        return self.copied is not None and not self.copied.is_current()

    def forget(self) -> None:
        """Empty the cache: what it was read from has changed."""
        self.cache = Cache()

    @contextmanager
    def transaction(self, now_ms: int, origin: Origin = BRIDGE_ITSELF) -> Iterator[None]:
        """Run a transaction: all or nothing, durable when it ends; `now_ms` is the time of everything in it.

        Raises DatabaseError where the database is damaged, or what was committed is not in the file of its path.
        """
        self.now_ms, self.origin, name = now_ms, origin, self._last_commit
        self.check_files()  # before SQLite reads its index, which is mapped: what was cut off there kills (SIGBUS)
        try:
            with self._atomic():
                self._check_last_commit()
                before = self.connection.total_changes()
                yield
                if self.connection.total_changes() != before:
                    name = self.one(NAME_COMMIT)
        except DAMAGED as error:
            raise damage_or_disk(self.path, error) from error
        self._last_commit = name
        self.check_files()

    def _check_last_commit(self) -> None:
        """Raise FilesChangedError where the files no longer hold the last commit; nobody else may commit meanwhile."""
        self.check_files()
        if self.files is not None and self._last_commit not in {None, self.one("SELECT current FROM last_commit")}:
            raise self.files.set_back("it was overwritten with an older one")

    def check_files(self) -> None:
        """Raise FilesChangedError unless the database's path still names the files that are open."""
        if self.files is not None:
            self.files.check()

    @contextmanager
    def _atomic(self) -> Iterator[None]:
        if self._in_transaction:
            raise RuntimeError("a transaction is open already")
        if not self.connection.get_autocommit():  # an earlier one could not even be rolled back
            self.forget()
            self._cursor.execute("ROLLBACK")
        self._cursor.execute("BEGIN IMMEDIATE")
        self._in_transaction = True
        try:
            yield
            self._cursor.execute("COMMIT")
        except BaseException:
            self.forget()
            if not self.connection.get_autocommit():
                self._cursor.execute("ROLLBACK")
            raise
        finally:
            self._in_transaction = False

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Within a transaction, do something whole or not at all."""
        try:
            with self.connection:
                yield
        except BaseException:
            self.forget()
            raise

    def migrate(self, migrations: list[tuple[int, str]]) -> None:
        """Run these migrations, all or none, in a transaction together with the note that they ran."""
        with self._atomic():
            for number, sql in migrations:
                self.connection.execute(sql)
                self.connection.execute(f"PRAGMA user_version = {number}")

    def close(self) -> None:
        """Close the connection."""
        try:
            self.check_files()
        except DatabaseError:
            self.keep_log()
        with suppress(
            apsw.Error
        ):  # what is committed is in the log beside the file, whatever keeps SQLite from tidying up
            self._close_as_owner()

    def _close_as_owner(self) -> None:
        """Close the connection, which may delete the log and its index."""
        with acting_for(self.path):
            self.connection.close()

    def keep_log(self, *, keep: bool = True) -> None:
        """Leave the log where it is when the connection is closed: it may belong to another database by now."""
        self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(keep))


def open_store(
    path: Path, *, writing: bool = False, makes_new: bool = True, takes_older: bool = False, busy_ms: int = BUSY_MS
) -> Store:
    """Open the database at `path`; with `writing`, migrate it (the caller holds the writer's lock).

    Where there is none, `writing` makes one, unless not `makes_new`. One of an older Trivox is only read if the caller
    `takes_older`, to copy it. Each statement waits up to `busy_ms` for a lock of another program. Raises DatabaseError
    where the database is missing, damaged, of another version than this program, or cannot be written; apsw.BusyError
    where it stays locked.
    """
    makes_new = writing and makes_new
    _migrations()  # this program's own files are read before it acts as another user
    with acting_for_owner(path):
        if writing and not makes_new:
            require(path)
            if path.stat().st_size == 0:  # opening it for writing would make it a database
                raise _empty(path)
        check_files_beside(path, writing=writing)
        if makes_new:
            _begin(path)
        try:
            return _open(path, busy_ms, writing=writing, makes_new=makes_new, takes_older=takes_older)
        except (apsw.BusyError, apsw.LockedError):
            raise
        except apsw.Error as error:
            raise cannot_use(path, error) from error


def _open(path: Path, busy_ms: int, *, writing: bool, makes_new: bool, takes_older: bool) -> Store:
    store = _connected(path, busy_ms, writing=writing, makes_new=makes_new)
    store.keep_log()  # of a database just begun: without it, it would be taken for one moved without its log
    if not _is_migrated(store, makes_new=makes_new) and not takes_older:
        _migrate(store, writing=writing)
    store.keep_log(keep=False)
    store.files = OpenFiles(path) if writing else None
    return store


def _connected(path: Path, busy_ms: int, *, writing: bool, makes_new: bool) -> Store:
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if makes_new else 0)
    if writing or can_read_in_place(path):
        connection = connect(path, flags, STATEMENTS_KEPT)
        try:
            _set_pragmas(connection, busy_ms, writing=writing)
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        except (apsw.FullError, apsw.IOError) as error:
            connection.close()
            if writing or is_read_error(error):
                raise
        else:
            return Store(connection, path)
    copied = CopiedFiles(path)
    _set_pragmas(copied.connection, busy_ms, writing=False)
    return Store(copied.connection, path, copied)


def _begin(path: Path) -> None:
    """Make a new database's file, empty and private: SQLite would let others read it, if the umask does."""
    if not path.exists():
        with suppress(OSError):  # SQLite says better what is wrong
            os.close(open_plain(path.resolve(), os.O_RDWR | os.O_CREAT))


def check_files_beside(path: Path, *, writing: bool) -> None:
    """Raise DatabaseError where opening the database would hide that a part of it lies elsewhere, or it is missing."""
    check_kinds(path)
    (check_log if writing else require)(path)
    check_left_behind(path)
    if writing:
        check_rescued(path)


def require(path: Path) -> None:
    """Raise DatabaseError where there is no database at `path`."""
    check_log(path)
    if not path.exists():
        raise MissingDatabaseError(f"There is no database {path}: {GIVE_OR_MAKE}.")


def _empty(path: Path) -> DatabaseError:
    return DatabaseError(
        f"The database {path} is empty: start the bridge to begin a new one, or put back a copy with `trivox restore "
        "COPY`."
    )


def _set_pragmas(connection: apsw.Connection, busy_ms: int, *, writing: bool) -> None:
    connection.set_busy_timeout(busy_ms)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    if not writing:
        connection.execute("PRAGMA query_only = ON")
        return
    connection.execute("PRAGMA journal_mode = WAL")  # readers never wait for the writer
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged event survives a power cut
    connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")  # after a long read the log shrinks again
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")  # fewer, larger checkpoints


@cache
def _migrations() -> list[tuple[int, str]]:
    """Return all migrations that this program knows, as (number, SQL), in order."""
    folder = resources.files(__package__) / "migrations"
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(int(name.split("_", 1)[0]), (folder / name).read_text("utf-8")) for name in names]


def schema_of(version: int) -> set[tuple[str, str]]:
    """Return the type and name of all that a database of this version consists of."""
    memory = apsw.Connection(":memory:")
    for number, sql in _migrations():
        if number <= version:
            memory.execute(sql)
    rows = memory.execute(SCHEMA).fetchall()
    return {(str(kind), str(name)) for kind, name in rows}


def newest_version() -> int:
    """Return the version of the databases that this program makes."""
    return _migrations()[-1][0]


def _is_migrated(store: Store, *, makes_new: bool) -> bool:
    """Return whether a database needs no migration. Raises DatabaseError where there is none that would help."""
    version = _version(store)
    if version > newest_version():
        raise DatabaseError(f"The database {store.path} was made by a newer Trivox: use that version, or a newer one.")
    if version == 0 and store.one("SELECT 1 FROM sqlite_schema LIMIT 1"):
        raise DatabaseError(f"The database {store.path} was not made by Trivox: give another file with --database.")
    if version == 0 and not makes_new:
        raise _empty(store.path)
    return version == newest_version()


def _version(store: Store) -> int:
    row = store.one("PRAGMA user_version")
    return int(row[0]) if row else 0


def _migrate(store: Store, *, writing: bool) -> None:
    """Run the missing migrations."""
    if not writing:
        where = "copy it and its log (`-wal`) to a folder that you may write, and " if store.copied else ""
        raise DatabaseError(
            f"The database {store.path} was made by an older Trivox: {where}start the bridge once to upgrade it."
        )
    version = _version(store)
    store.migrate([(number, sql) for number, sql in _migrations() if number > version])
