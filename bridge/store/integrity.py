"""Looks a database through for damage beside the bridge that starts on it, by a connection that only reads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import apsw

from bridge.store.connection import damaged
from bridge.store.console_status import integrity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.errors import DatabaseError

WAIT_S = 10.0  # a database of a few million events is looked through in that time; larger ones while the bridge works


class Check:
    """Begins at once; `wait` for it, and have what it finds later told to `on_damage`."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._failure: DatabaseError | None = None
        self._tell: Callable[[BaseException], None] | None = None
        self._guard = threading.Lock()
        self._connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
        self._is_over = threading.Event()
        threading.Thread(target=self._run, name="integrity", daemon=True).start()

    def wait(self) -> None:
        """Wait for the result, though not for ever; raises DatabaseError when there is damage."""
        self._is_over.wait(WAIT_S)
        if self._failure is not None:
            raise self._failure

    def on_damage(self, tell: Callable[[BaseException], None]) -> None:
        """Have damage told as soon as it is found."""
        with self._guard:
            self._tell = tell
            failure = self._failure
        if failure is not None:
            tell(failure)

    def close(self) -> None:
        """Look no further."""
        self._connection.interrupt()
        self._is_over.wait()
        self._connection.close()

    def _run(self) -> None:
        try:
            faults = integrity(self._connection, "quick_check")
        except apsw.Error:
            faults = []  # interrupted, or hindered by what the writer will tell of
        with self._guard:
            if faults:
                self._failure = damaged(str(self._database), faults[0])
            tell = self._tell
        self._is_over.set()
        if tell is not None and self._failure is not None:
            tell(self._failure)
