"""Repeat what keeps failing for a reason outside this program, until it works or the bridge is stopped."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from bridge.store.faults import NO_MEMORY, write_error

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from bridge.service.vitals import Vitals
    from bridge.store import Store

T = TypeVar("T")

PAUSES_S = (0.1, 0.2, 0.5, 1.0)


class StoppedError(Exception):
    """The bridge was stopped while the database could not be written: what is waiting stays with the broker."""


class Retry:
    """Repeats work until it can be done; pauses end as soon as `stopping` is set."""

    def __init__(self, vitals: Vitals, stopping: threading.Event) -> None:
        self._vitals = vitals
        self._stopping = stopping

    def until_written(self, store: Store, work: Callable[[], T], *, memory_attempts: int | None = None) -> T:
        """Repeat a transaction until the database can be written, and note that it can.

        Raises StoppedError if stopped meanwhile, MemoryError if all of these attempts fail by it, and FilesChangedError
        if the database was moved or deleted meanwhile: nothing that is written then would last.
        """

        def attempt() -> T:
            started_s = time.monotonic()
            try:
                result = work()
            except Exception:
                store.check_files()
                raise
            self._vitals.note_commit(time.monotonic() - started_s)
            return result

        result = self.until_done(attempt, memory_attempts=memory_attempts)
        self._vitals.note_recovered()
        return result

    def until_done(self, work: Callable[[], T], *, memory_attempts: int | None = None) -> T:
        """Repeat this as long as it fails for a reason that may pass.

        Raises StoppedError if stopped meanwhile, and MemoryError if all of these attempts fail by it.
        """
        attempt = 0
        while True:
            try:
                return work()
            except Exception as error:
                reason = write_error(error)
                attempt += 1
                if reason is None or (isinstance(error, NO_MEMORY) and attempt == memory_attempts):
                    raise
                with suppress(MemoryError):  # even the log needs some
                    self._vitals.note_write_error(reason, error)
                if self._stopping.wait(PAUSES_S[min(attempt, len(PAUSES_S)) - 1]):
                    raise StoppedError from error
