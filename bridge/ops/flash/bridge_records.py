"""Ask the bridge's database about the console that a board was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.store import Store, console_status, open_store

Identity = tuple[str, str]


class BridgeRecords:
    """What the database at hand says; without one, or before it is made, nothing is known. Raises TrivoxError."""

    def __init__(self, database: Path | None = None) -> None:
        self._database = database

    def stored_through(self, identity: Identity) -> dict[str, int] | None:
        """Return, by epoch, the number up to which the bridge needs no event of that console; None if not known."""
        with self._open() as store:
            return None if store is None else console_status.through_of(store, *identity)

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
