"""Check a database for damage while the bridge starts on it, by a connection that only reads."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal

import apsw

from bridge.store.faults import DAMAGED, damage_or_disk, is_read_error, unreadable
from bridge.store.sqlite_file import acting_for_owner, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.errors import DatabaseError

WAIT_S = 10.0  # enough for a database of a few million events; a larger one is checked while the bridge works
MAX_FAULT_LENGTH = 200
SMALL_BYTES = 200 * 1024 * 1024
GROWING = {
    *("event", "received", "envelope_extra", "survey", "force_majeure", "counts", "counts_received", "history"),
    *("rollup_hour", "rollup_day", "coverage_figure", "coverage_known", "coverage_source"),
}
CHECK_TIME_EVERY = 100_000  # steps of SQLite's machine


def integrity_faults(connection: apsw.Connection, check: Literal["integrity_check", "quick_check"]) -> list[str]:
    """Return what SQLite finds wrong with the file; empty: nothing. The quick check does not check indices."""
    return _faults(connection, f"PRAGMA {check}(20)")


def check_for(connection: apsw.Connection, seconds: float) -> tuple[list[str], list[str]]:
    """Check a database for so long at most; return what is wrong, and the tables that were not looked at in whole.

    A small one is checked as a whole, a large one table by table, those last that grow with every press.
    """
    pages, page_size = (int(str(connection.pragma(name))) for name in ("page_count", "page_size"))
    if pages * page_size <= SMALL_BYTES:
        return integrity_faults(connection, "integrity_check"), []
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    tables = sorted((str(name) for (name,) in names), key=lambda name: (name in GROWING, name))
    ends_s = time.monotonic() + seconds
    missed: list[str] = []
    connection.set_progress_handler(lambda: time.monotonic() > ends_s, CHECK_TIME_EVERY)
    try:
        for table in tables:
            try:
                if faults := _faults(connection, f'PRAGMA integrity_check("{table}")'):
                    return faults, missed
            except apsw.InterruptError:
                missed.append(table)
    finally:
        connection.set_progress_handler(None)
    return [], missed


def _faults(connection: apsw.Connection, pragma: str) -> list[str]:
    try:
        found = [str(row[0]) for row in connection.execute(pragma) if row[0] != "ok"]
    except DAMAGED as error:
        found = [str(error)]
    return [" ".join(fault.split())[:MAX_FAULT_LENGTH] for fault in found]


class IntegrityCheck:
    """An integrity check that starts at once: `wait` for its result; `on_damage` reports damage found later."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._failure: DatabaseError | None = None
        self._tell: Callable[[BaseException], None] | None = None
        self._guard = threading.Lock()
        with acting_for_owner(database):
            self._connection = connect(database, apsw.SQLITE_OPEN_READONLY)
            self._connection.execute("SELECT 1 FROM sqlite_schema").fetchall()  # opens log and index as well
        self._is_over = threading.Event()
        threading.Thread(target=self._run, name="integrity_faults", daemon=True).start()

    def wait(self) -> None:
        """Wait for the result, though not for ever. Raises DatabaseError where there is damage."""
        self._is_over.wait(WAIT_S)
        if self._failure is not None:
            raise self._failure

    def on_damage(self, tell: Callable[[BaseException], None]) -> None:
        """Call `tell` as soon as damage is found."""
        with self._guard:
            self._tell = tell
            failure = self._failure
        if failure is not None:
            tell(failure)

    def close(self) -> None:
        """End the check."""
        self._connection.interrupt()
        self._is_over.wait()
        self._connection.close()

    def _run(self) -> None:
        try:
            faults = integrity_faults(self._connection, "quick_check")
            failure = damage_or_disk(self._database, faults[0]) if faults else None
        except apsw.Error as error:
            # Interrupted, or stopped by an error that the writer will report.
            failure = unreadable(self._database) if is_read_error(error) else None
        with self._guard:
            self._failure = failure
            tell = self._tell
        self._is_over.set()
        if tell is not None and self._failure is not None:
            tell(self._failure)
