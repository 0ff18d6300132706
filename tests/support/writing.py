"""Run the bridge's writer in this process, for tests of what it stores and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge.service.writer import Outgoing, Writer
from bridge.store import open_store


@contextmanager
def writing(database: Path, on_commit: Callable[[Outgoing], None] = lambda _: None, **options: Any) -> Iterator[Writer]:
    """Run a writer; messages are written by the end, or before an operation that it is asked to `perform`."""
    store = open_store(database, writing=True)
    writer = Writer(store, on_commit, **options)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()
        store.close()
    if writer.failure is not None:
        raise writer.failure
