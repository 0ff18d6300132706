"""The bridge's writer in this process, where only what it stores and counts matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge.service.writer import Writer
from bridge.store import open_store


@contextmanager
def writing(database: Path, **options: Any) -> Iterator[Writer]:
    """A writer at work; what it was given is written at the end, or before what it is asked to `perform`."""
    store = open_store(database, writing=True)
    writer = Writer(store, lambda _: None, **options)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()
        store.close()
    if writer.failure is not None:
        raise writer.failure
