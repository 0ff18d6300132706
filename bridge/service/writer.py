"""Write the database in one thread: take what is waiting, commit it, and report what may be acknowledged."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge import log, system
from bridge.admin import firmware_updates
from bridge.errors import DatabaseError
from bridge.keyring import KeyCache
from bridge.service.alarms import close_passed
from bridge.service.jobs import Job, WriterPulse, cannot_write, wait_for
from bridge.service.last_copy import keep_last_copy
from bridge.service.long_job import LongJobs
from bridge.service.notifications.notifier import Notifier
from bridge.service.operations import LONG_OPERATIONS, Execution, due, execute, ids_of
from bridge.service.outcome import Publication, TransactionOutcome
from bridge.service.retained import find_due
from bridge.service.retry import Retry, StoppedError
from bridge.service.subscribers import subscribers
from bridge.service.vitals import STEP_MS, Vitals
from bridge.store import events
from bridge.store.faults import DAMAGED, NO_MEMORY, UnreadableError, damage_or_disk, write_error
from bridge.store.open_files import FilesChangedError
from bridge.store.rejects import FAILED
from bridge.surveys import fold
from bridge.surveys.facts import SettingsRenewed
from bridge.surveys.ingest import Intake
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from bridge.admin.commands import BridgeCommand
    from bridge.service.long_job import LongJob
    from bridge.service.operations import Progress
    from bridge.store import Store
    from bridge.surveys.in_transaction import IntakeResult

    Take = Callable[[list["ReceivedMessage"]], tuple[IntakeResult, TransactionOutcome]]

MAX_GROUP = 1_000  # messages in one transaction
MEMORY_ATTEMPTS = 5  # to write one of them
MAX_BACKLOG = 20_000  # messages waiting here; more stay with the broker
MAX_BACKLOG_BYTES = 64 * 1024 * 1024
SWEEP_EVERY_S = 60.0
CHECK_EVERY_S = 2.0  # the clock, and settings that could not be marked as published
PAUSE_S = 0.1  # before a step that failed is taken again
FATAL = (DatabaseError, *DAMAGED)  # unless they may pass: see `write_error`


class ReceivedMessage(NamedTuple):
    """A message as it arrived; `mid` is its packet identifier (0: no acknowledgement wanted)."""

    topic: str
    payload: bytes
    arrived_at_ms: int
    mid: int
    connection: int
    is_retained: bool = False


class Outgoing(NamedTuple):
    """The messages to send after a commit: first publications, then acknowledgements, as (mid, connection)."""

    publications: list[Publication]
    acknowledgements: list[tuple[int, int]]


class Writer:
    """The only user of the store, from `start` until `stop`; calls `on_commit` in its thread after every commit."""

    def __init__(
        self,
        store: Store,
        on_commit: Callable[[Outgoing], None],
        *,
        enrolled_only: bool = False,
        signed_only: bool = False,
        vitals: Vitals | None = None,
        notifier: Notifier | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        elapsed_ms: Callable[[], int] = system.elapsed_ms,
    ) -> None:
        self._store = store
        self._subscribers = subscribers(store)
        self._keys = KeyCache(store.path)
        self._on_commit = on_commit
        self._enrolled_only, self._signed_only = enrolled_only, signed_only
        self._now_ms = now_ms
        self._elapsed_ms = elapsed_ms  # runs evenly, also while the machine sleeps
        self._queue: queue.SimpleQueue[list[ReceivedMessage] | Job | None] = queue.SimpleQueue()
        self._queued_count = self._written_count = 0
        self._queued_bytes = self._written_bytes = 0
        self._retained_due = False
        self._sweep_at_s = time.monotonic()
        self._long_jobs = LongJobs(store, self._subscribers, signed_only=signed_only)
        self._notifier = notifier or Notifier()
        self._pulse = WriterPulse()
        self._clock_offset_ms = 0  # of the clock from `elapsed_ms`; 0: not compared yet
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer")
        self.failure: BaseException | None = None
        self.vitals = vitals or Vitals()
        self._retry = Retry(self.vitals, self._stopping)
        self.vitals.backlog = self.backlog

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting and end; end at once if the database cannot be written."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def fail(self, error: BaseException) -> None:
        """End soon with this error, whatever is waiting; may be called from any thread."""
        self.failure = error
        self._stopping.set()

    def enqueue(self, messages: list[ReceivedMessage]) -> None:
        """Add messages to the queue."""
        self._queued_count += len(messages)
        self._queued_bytes += sum(len(message.payload) for message in messages)
        self._queue.put(messages)

    def backlog(self) -> int:
        """Count the messages that are waiting to be written."""
        return self._queued_count - self._written_count

    def is_full(self) -> bool:
        """Return whether no more messages should be enqueued for now."""
        return self.backlog() >= MAX_BACKLOG or self._queued_bytes - self._written_bytes >= MAX_BACKLOG_BYTES

    def publish_retained(self) -> None:
        """Publish every console's settings, and clear what is left of consoles now gone, on a new connection."""
        self._queue.put(Job())

    def perform(
        self, command: BridgeCommand, progress: Progress | None = None, file: IO[bytes] | None = None, who: str = "-"
    ) -> dict[str, Any]:
        """Carry out a user's command between groups of messages, and wait for its result; call it in another thread.

        `file` comes with the command. Raises what the command raises, and TrivoxError if it cannot begin.
        """
        job = Job(command, file, who)
        self._queue.put(job)
        return wait_for(job, self._pulse, lambda: self.vitals.write_error, self._ended, progress)

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop_until_stopped()
            self._attempt(lambda: self._notifier.end(self._store, self._now_ms()))
        except DAMAGED as error:
            self.failure = damage_or_disk(self._store.path, error)
            self.failure.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - the bridge ends with it
            self.failure = error
        finally:
            self._long_jobs.stop()
            self._ended.set()
            self._on_commit(Outgoing([], []))  # wakes the MQTT thread

    def _loop_until_stopped(self) -> None:
        try:
            try:
                with suppress(StoppedError):
                    self._loop()
            finally:  # however it ends
                with suppress(UnreadableError):
                    self._store.check_files()
        except FilesChangedError as change:
            raise keep_last_copy(self._store, change, self.vitals, self._stopping) from change

    def _loop(self) -> None:
        self._pulse.begin()
        self._attempt(lambda: self.vitals.load(self._store))
        for command in due(self._store):
            self._long_jobs.add(Job(command))
        while True:
            try:
                item = self._queue.get(timeout=0.0 if self._long_jobs else CHECK_EVERY_S)
            except queue.Empty:
                item = []
            if self.failure is not None:
                return
            self._retry.until_done(self._store.check_files)
            if item is None:
                return
            try:
                self._take_turn(item)
            except MemoryError as error:
                self.vitals.note_write_error("no_memory", error)

    def _take_turn(self, item: list[ReceivedMessage] | Job) -> None:
        """Write what waits, carry out a command, and do what is due."""
        self._watch_clock()
        self._attempt(lambda: self._long_jobs.add_night(self._now_ms()))
        group, job = self._drain(item)
        if group:
            self._write(group)
        if job is not None and job.claim.acquire(blocking=False):
            self._run_job(job)
        if self._long_jobs:
            self._take_step(self._long_jobs.first)
        if self._retained_due:
            self._publish_retained()
        self._attempt(lambda: self._notifier.take_turn(self._store, self._now_ms()))
        if time.monotonic() >= self._sweep_at_s or self.vitals.write_error is not None:
            self._sweep_at_s = time.monotonic() + SWEEP_EVERY_S
            self._attempt(self._sweep)

    def _watch_clock(self) -> None:
        """Report when this machine's clock was stepped: no wait here depends on it, but dates follow it."""
        now_ms = self._now_ms()
        offset_ms = now_ms - self._elapsed_ms()
        if self._clock_offset_ms and abs(offset_ms - self._clock_offset_ms) >= STEP_MS:
            self.vitals.note_step(offset_ms - self._clock_offset_ms, now_ms)
        self._clock_offset_ms = offset_ms

    def _drain(self, item: list[ReceivedMessage] | Job) -> tuple[list[ReceivedMessage], Job | None]:
        """Take what is waiting, up to the next job or a full group."""
        if isinstance(item, Job):
            return [], item
        group = item
        while len(group) < MAX_GROUP:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._queue.put(None)  # end after this group
                break
            if isinstance(more, Job):
                return group, more
            group += more
        return group, None

    def _write(self, group: list[ReceivedMessage]) -> None:
        """Write a group of messages; if the code or the memory fails on one, only that one goes among the rejects."""
        try:
            attempts = MEMORY_ATTEMPTS if len(group) == 1 else 2  # less at once may do
            self._retry.until_written(self._store, lambda: self._commit(group, self._take), memory_attempts=attempts)
        except (StoppedError, *FATAL):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a message holds must not stop the others
            if len(group) > 1:
                middle = len(group) // 2
                self._write(group[:middle])
                self._write(group[middle:])
                return
            if not isinstance(error, NO_MEMORY):
                log.error(
                    "a message made the bridge fail: it is kept among the rejects; report this",
                    trace=True,
                    topic=group[0].topic,
                )
            failure = error
            self._retry.until_written(
                self._store, lambda: self._commit(group, lambda _: self._reject(group[0], failure))
            )

    def _commit(self, group: list[ReceivedMessage], take: Take) -> None:
        """Commit a group, and hand over what it allows; done again after a failure, it acknowledges again."""
        result, outcome = take(group)
        self.vitals.counts.update(result.counts())
        self.vitals.handle_all(outcome.facts)
        self._notifier.handle_all(outcome.facts)
        publications = [Publication(*ack) for ack in result.acks] + outcome.publications
        self._retained_due |= any(isinstance(fact, SettingsRenewed) for fact in outcome.facts)
        self._on_commit(Outgoing(publications, [(message.mid, message.connection) for message in group if message.mid]))
        self._written_count += len(group)
        self._written_bytes += sum(len(message.payload) for message in group)

    def _take(self, group: list[ReceivedMessage]) -> tuple[IntakeResult, TransactionOutcome]:
        events.forget_if_many(self._store)
        outcome = TransactionOutcome(self._subscribers)
        with self._store.transaction(self._now_ms()):
            intake = Intake(
                self._store,
                outcome.emit,
                self._keys,
                enrolled_only=self._enrolled_only,
                signed_only=self._signed_only,
            )
            for topic, payload, arrived_at_ms, _, _, is_retained in group:
                intake.take(topic, payload, arrived_at_ms, is_retained=is_retained)
            return intake.finish(), outcome

    def _reject(self, message: ReceivedMessage, failure: Exception) -> tuple[IntakeResult, TransactionOutcome]:
        """Keep a message among the rejects; its console is not acknowledged, and goes on sending it."""
        if isinstance(failure, NO_MEMORY):  # perhaps not the message needs too much, but the machine has none
            with suppress(*NO_MEMORY):
                return self._take([message])
        outcome = TransactionOutcome(self._subscribers)
        with self._store.transaction(self._now_ms()):
            intake = Intake(self._store, outcome.emit)
            reason = f"{FAILED}: {printable(repr(failure))}"
            intake.reject(message.topic, message.payload, reason, message.arrived_at_ms)
            return intake.finish(), outcome

    def _run_job(self, job: Job) -> None:
        if type(job.command) in LONG_OPERATIONS:
            self._long_jobs.add(job)
            return
        try:
            if job.command is None:
                self._publish_retained(every=True)
                return
            execution = Execution(TransactionOutcome(self._subscribers), job.note_progress, can_publish=True)
            with self._store.transaction(self._now_ms(), job.origin):
                job.result = execute(self._store, job.command, execution)
                offers = firmware_updates.first_offers(self._store)
        except Exception as error:  # noqa: BLE001 - `perform` raises it
            self._fail(job, error)
        else:
            self._follow(job.command, [*(Publication(*offer) for offer in offers), *execution.outcome.publications])
        finally:
            job.done.set()

    def _fail(self, job: Job, error: Exception) -> None:
        """End a job with an error; raise it again if the bridge must end with it."""
        job.error = damage_or_disk(self._store.path, error) if isinstance(error, DAMAGED) else error
        if isinstance(error, FATAL) and write_error(error) is None:
            raise error

    def _take_step(self, long_job: LongJob) -> None:
        """Take the next step of a long job; end the job if that fails and it cannot go on."""
        is_over = True
        try:
            is_over = long_job.take_step(self._now_ms(), self.vitals)
        except Exception as error:  # noqa: BLE001 - see above
            reason = write_error(error)
            if reason is not None:
                self.vitals.note_write_error(reason, error)
            is_over = not long_job.can_go_on(error)
            if is_over:
                long_job.drop()
                self._fail(long_job.job, error if reason is None else cannot_write(reason))
            else:
                self._stopping.wait(PAUSE_S)
        else:
            if is_over:
                self._follow(long_job.job.command, [])
        finally:
            if is_over:
                self._long_jobs.remove(long_job)
                long_job.job.done.set()

    def _follow(self, command: BridgeCommand | None, publications: list[Publication]) -> None:
        """Log a command that was carried out, and send what it leads to; whatever fails here, its result stands."""
        if command is not None:
            log.info("command executed", operation=type(command).__name__, **ids_of(command))
        self._attempt(lambda: self.vitals.load(self._store))
        self._attempt(self._publish_retained)
        if publications:
            self._on_commit(Outgoing(publications, []))

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do what may fail without undoing anything; log the failure, and raise it if the bridge must end with it."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - see the docstring
            failure = damage_or_disk(self._store.path, error) if isinstance(error, DAMAGED) else error
            reason = write_error(failure)
            if reason is not None:
                self.vitals.note_write_error(reason, failure)
            elif isinstance(failure, FATAL):
                raise failure from error.__cause__ if failure is error else error
            elif self.vitals.limiter.allow("attempt") is not None:
                log.error("a part of the bridge's work failed: report this", trace=True)

    def _publish_retained(self, *, every: bool = False) -> None:
        """Publish the retained messages that are due, or all; do it again later if that could not be recorded."""
        publications: list[Publication] = []
        self._retained_due = False
        try:
            due = find_due(self._store, every=every)
            publications = due.publications()
            if publications:
                with self._store.transaction(self._now_ms()):
                    due.note_published(self._store)
        except Exception as error:
            reason = write_error(error)
            if reason is None:
                raise
            self._retained_due = True
            self.vitals.note_write_error(reason, error)
        for start in range(0, len(publications), MAX_GROUP):
            self._on_commit(Outgoing(publications[start : start + MAX_GROUP], []))

    def _sweep(self) -> None:
        """Close surveys that have been open for too long, and alarms that have passed."""
        outcome = TransactionOutcome(self._subscribers)
        with self._store.transaction(self._now_ms()):
            fold.sweep(self._store, outcome.emit)
            close_passed(self._store, outcome.emit)
        self.vitals.note_recovered()
        self.vitals.handle_all(outcome.facts)
        if outcome.publications:
            self._on_commit(Outgoing(outcome.publications, []))
