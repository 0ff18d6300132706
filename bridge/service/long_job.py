"""Carry out a long command in the writer, a step at a time, so that messages are taken in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import log
from bridge.admin.imports import MESSAGES_AT_ONCE, finish
from bridge.errors import TrivoxError
from bridge.service.answers import STOPPED
from bridge.service.jobs import STOPPED_LATE, Job
from bridge.service.operations import LONG_OPERATIONS, Execution
from bridge.service.outcome import TransactionOutcome
from bridge.store import events, imports
from bridge.store.faults import NO_MEMORY, write_error
from bridge.surveys.facts import ConsoleHeard
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.service.outcome import Subscriber
    from bridge.service.vitals import Vitals
    from bridge.store import Store


class LongJob:
    """A long command under way: take its steps until one was the last."""

    def __init__(self, store: Store, job: Job, subscribers: Sequence[Subscriber], *, signed_only: bool = False) -> None:
        """Begin; first of all, finish what an earlier bridge has left. A job without a command does only that."""
        self._store = store
        self._subscribers = subscribers
        self.job = job
        self.execution = Execution(
            TransactionOutcome(subscribers), job.note_progress, job.file, signed_only=signed_only
        )
        self._is_accepted = imports.is_accepted(store)  # when the step under way began
        self._messages_at_once = MESSAGES_AT_ONCE
        self._steps = self._all_steps()

    def _all_steps(self) -> Iterator[None]:
        if self.job.command is None or self._is_accepted:
            yield from self._finish()
        if self.job.command is not None:
            yield from LONG_OPERATIONS[type(self.job.command)](self._store, self.job.command, self.execution)

    def _finish(self, spoilt: str | None = None) -> Iterator[None]:
        notes = self.execution.emit, self.execution.note, self.job.note_progress
        return finish(self._store, *notes, messages_at_once=self._messages_at_once, spoilt=spoilt)

    def take_step(self, now_ms: int, vitals: Vitals) -> bool:
        """Take the next step in a transaction, and count what it did; return whether it was the last one."""
        events.forget_if_many(self._store)
        with self._store.transaction(now_ms, self.job.origin):
            is_last = self.step()
        vitals.note_recovered()
        vitals.counts.update(self.execution.counts)
        # The messages may have been recorded long ago: they are no flood, and not the last word of a console.
        vitals.handle_all(fact for fact in self.execution.outcome.facts if not isinstance(fact, ConsoleHeard))
        self.execution.end_step()
        if is_last:
            self.job.result = self.execution.whole_result()
        return is_last

    def step(self) -> bool:
        """Take the next step inside a transaction of its own; return whether it was the last one."""
        self.execution.outcome = TransactionOutcome(self._subscribers)
        self.execution.counts.clear()
        self._is_accepted = imports.is_accepted(self._store)
        if self.job.is_unwanted and not self._is_accepted:
            log.warning(
                "a command is dropped, as nobody waits for it any more", operation=type(self.job.command).__name__
            )
            raise TrivoxError("The command was given up.")
        return next(self._steps, self) is self

    def can_go_on(self, error: Exception) -> bool:
        """Return whether to take further steps after one that failed: an accepted import goes on from what is stored.

        If the code fails on a message, then only that one goes among the rejects.
        """
        if not self._is_accepted:
            return False
        if isinstance(error, NO_MEMORY):  # less at once may do
            self._messages_at_once = max(1, self._messages_at_once // 2)
        if write_error(error) is not None:
            self._steps = self._finish()
            return True
        if not imports.last_message(self._store):
            return False
        reason = f"failed: {printable(repr(error))}" if self._messages_at_once == 1 else None
        if reason is not None:
            log.error("a message made the bridge fail: it is kept among the rejects; report this", trace=True)
        self._messages_at_once = 1
        self._steps = self._finish(reason)
        return True

    def drop(self) -> None:
        """Drop what it has staged, as it has failed."""
        if self._is_accepted:
            return
        try:
            with self._store.transaction(self._store.now_ms):
                imports.clear(self._store)
        except Exception as second:
            if write_error(second) is None:
                raise  # else the next import, or the next bridge, will drop it

    def stop(self) -> None:
        """End it, as the bridge ends."""
        self.job.error = TrivoxError(STOPPED_LATE if self._is_accepted else STOPPED)
        self.job.done.set()
