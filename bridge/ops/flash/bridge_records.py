"""Ask the bridge's database about the console that a board was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.admin.known_names import KnownNames
from bridge.store import Store, console_status, open_store

IN_USE_MS = 5 * 60_000  # heard within this time, a console is in service; its heartbeat is shorter

Identity = tuple[str, str]


class BridgeRecords:
    """What the database at hand says; without one, or before it is made, nothing is known. Raises TrivoxError."""

    def __init__(self, database: Path | None = None) -> None:
        self._database = database

    def stored_through(self, identity: Identity) -> dict[str, int] | None:
        """Return, by epoch, the number up to which the bridge needs no event of that console; None if not known."""
        with self._open() as store:
            return None if store is None else console_status.through_of(store, *identity)

    def user_of(self, identity: Identity) -> tuple[str, int] | None:
        """Return which board uses a console's name now, and how many ms ago it was heard; None if none does."""
        with self._open() as store:
            board = store and console_status.last_board(store, *identity)
            if not store or not board or store.now_ms - board.last_heard_at_ms > IN_USE_MS:
                return None
            return board.hardware_id, store.now_ms - board.last_heard_at_ms

    def near_console(self, identity: Identity) -> str | None:
        """Return the known console that an unknown one may be a mistyped form of."""
        with self._open() as store:
            return KnownNames(store).near_console(*identity) if store else None

    @contextmanager
    def _open(self) -> Iterator[Store | None]:
        if self._database is None or not self._database.exists():
            yield None
            return
        store = open_store(self._database)
        try:
            yield store
        finally:
            store.close()
