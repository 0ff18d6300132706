"""Carry out a long command in the writer, a step at a time, so that messages are taken in between."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from bridge import log
from bridge.admin.commands import RunNightlyJob
from bridge.admin.imports import MESSAGES_AT_ONCE, finish
from bridge.errors import TrivoxError
from bridge.service.answers import STOPPED
from bridge.service.jobs import STOPPED_LATE, Job
from bridge.service.nightly import NightSchedule
from bridge.service.operations import LONG_OPERATIONS, Execution
from bridge.service.outcome import TransactionOutcome
from bridge.store import events, imports
from bridge.store.faults import NO_MEMORY, write_error
from bridge.surveys.facts import ConsoleHeard
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.admin.commands import BridgeCommand
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


class LongJobs:
    """The long jobs that are to be done, one after the other: those of the night after those that people wait for."""

    def __init__(self, store: Store, subscribers: Sequence[Subscriber], *, signed_only: bool) -> None:
        self._store, self._subscribers, self._signed_only = store, subscribers, signed_only
        self._schedule = NightSchedule(store)
        self._jobs: deque[LongJob] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def first(self) -> LongJob:
        """The job that is under way."""
        return self._jobs[0]

    def add(self, job: Job) -> None:
        """Add a job: after all others, but before those of the night, which go on when it is done."""
        after = [index for index, queued in enumerate(self._jobs) if _is_nightly(queued.job.command)]
        long_job = LongJob(self._store, job, self._subscribers, signed_only=self._signed_only)
        self._jobs.insert(after[0] if after else len(self._jobs), long_job)

    def add_night(self, now_ms: int) -> None:
        """Add what is due this night and does not wait already."""
        waiting = [queued.job.command for queued in self._jobs]
        for command in self._schedule.due(now_ms):
            if command not in waiting:
                self._jobs.append(LongJob(self._store, Job(command), self._subscribers))

    def remove(self, long_job: LongJob) -> None:
        """Remove a job that is over; log the failure of one of the night, as nobody waits for it."""
        self._jobs.remove(long_job)
        error = long_job.job.error
        if error is not None and isinstance(long_job.job.command, RunNightlyJob):
            log.error("a nightly job failed", job=long_job.job.command.name, error=printable(repr(error)))

    def stop(self) -> None:
        """End all of them, as the bridge ends."""
        for long_job in self._jobs:
            long_job.stop()


def _is_nightly(command: BridgeCommand | None) -> bool:
    return isinstance(command, RunNightlyJob)
