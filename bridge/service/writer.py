"""The thread that writes the database: it drains whatever waits, commits, and says what may be acknowledged."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from bridge import log
from bridge.admin import firmware_updates
from bridge.errors import TrivoxError
from bridge.keyring import Keys
from bridge.service.operations import Execution, execute
from bridge.service.outcome import Outcome, Publication
from bridge.service.subscribers import subscribers
from bridge.service.vitals import STEP_MS, Vitals
from bridge.store import console_status, consoles, events
from bridge.store.connection import DAMAGED, damaged, write_error
from bridge.surveys import fold
from bridge.surveys.facts import ConsoleHeard, SettingsRenewed
from bridge.surveys.ingest import Intake
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.admin.commands import Command
    from bridge.service.operations import Progress
    from bridge.store import Store
    from bridge.surveys.facts import Fact
    from bridge.surveys.ingest import IntakeResult

T = TypeVar("T")

MAX_GROUP = 1_000  # messages a transaction
MAX_BACKLOG = 20_000  # messages that wait; more stay with the broker
MAX_BACKLOG_BYTES = 64 * 1024 * 1024
SWEEP_EVERY_S = 60.0
LOOK_EVERY_S = 2.0  # at the clock, and for settings that could not be noted
RETRY_S = (0.1, 0.2, 0.5, 1.0)
PATIENCE_S = 5.0  # how long a command waits for a database that cannot be written
POLL_S = 0.2


class _EndError(Exception):
    """The end was asked for while the database could not be written: what waits stays with the broker."""


class Arrived(NamedTuple):
    """A message as it came; `mid` is the broker's number for it (0: no acknowledgement wanted)."""

    topic: str
    payload: bytes
    arrived_at_ms: int
    mid: int
    connection: int
    is_retained: bool = False


class Done(NamedTuple):
    """What a commit allows: first these publications, then these acknowledgements as (mid, connection)."""

    publications: list[Publication]
    acknowledgements: list[tuple[int, int]]


@dataclass
class Job:
    """A command handed over from elsewhere, or (None) the wish to have all settings published."""

    command: Command | None = None
    progress: Progress | None = None
    result: dict[str, Any] | None = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)
    claim: threading.Lock = field(default_factory=threading.Lock)  # taken by who does it, or by who gives it up


class Writer:
    """Owns the store from `start` until `stop`; `done` is called in its thread after every commit."""

    def __init__(
        self,
        store: Store,
        done: Callable[[Done], None],
        *,
        enrolled_only: bool = False,
        signed_only: bool = False,
        vitals: Vitals | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        elapsed_ms: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
    ) -> None:
        self._store = store
        self._subscribers = subscribers(store)
        self._keys = Keys(store.path)
        self._done = done
        self._enrolled_only, self._signed_only = enrolled_only, signed_only
        self._now_ms = now_ms
        self._elapsed_ms = elapsed_ms  # goes on evenly, while the machine sleeps too
        self._queue: queue.SimpleQueue[list[Arrived] | Job | None] = queue.SimpleQueue()
        self._put = self._taken = 0
        self._put_bytes = self._taken_bytes = 0
        self._settings_due = False
        self._clock_ms = 0
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer")
        self.failure: BaseException | None = None
        self.vitals = vitals or Vitals()
        self.vitals.backlog = self.backlog

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what waits is written, or at once where it cannot be."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def fail(self, error: BaseException) -> None:
        """End soon with this error, whatever waits; from any thread."""
        self.failure = error
        self._stopping.set()

    def put(self, messages: list[Arrived]) -> None:
        """Hand over messages."""
        self._put += len(messages)
        self._put_bytes += sum(len(message.payload) for message in messages)
        self._queue.put(messages)

    def backlog(self) -> int:
        """How many messages wait."""
        return self._put - self._taken

    def is_full(self) -> bool:
        """Whether no more messages should be handed over for now."""
        return self.backlog() >= MAX_BACKLOG or self._put_bytes - self._taken_bytes >= MAX_BACKLOG_BYTES

    def want_settings(self) -> None:
        """Have all consoles' settings published: there is a new connection."""
        self._queue.put(Job())

    def perform(self, command: Command, progress: Progress | None = None) -> dict[str, Any]:
        """Have a command done between groups of messages, and wait for its result; from any other thread.

        Raises what the command raises, and TrivoxError when it cannot be begun.
        """
        job = Job(command, progress)
        self._queue.put(job)
        end_s = time.monotonic() + PATIENCE_S
        while not job.done.wait(POLL_S):
            is_stuck = self.vitals.write_error is not None and time.monotonic() > end_s
            if (is_stuck or self._ended.is_set()) and job.claim.acquire(blocking=False):
                if is_stuck:
                    raise TrivoxError(
                        f"The bridge cannot write its database now ({self.vitals.write_error}): see `trivox doctor`, "
                        "then try again."
                    )
                raise TrivoxError("The bridge ended before the work was done: start it and try again.")
        if job.error is not None:
            raise job.error
        return job.result or {}

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop()
        except _EndError:
            pass
        except DAMAGED as error:
            self.failure = damaged(str(self._store.path), error)
            self.failure.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - the bridge ends with it
            self.failure = error
        finally:
            self._ended.set()
            self._done(Done([], []))

    def _loop(self) -> None:
        self._load_vitals()
        sweep_at_s = time.monotonic()
        while True:
            try:
                item = self._queue.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                item = []
            self._watch_clock()
            if item is None or self.failure is not None:
                return
            group, job = self._drain(item)
            if group:
                self._write(group)
            if job is not None and job.claim.acquire(blocking=False):
                self._do(job)
            if self._settings_due:
                self._publish_settings()
            if time.monotonic() >= sweep_at_s or self.vitals.write_error is not None:
                sweep_at_s = time.monotonic() + SWEEP_EVERY_S
                self._sweep()

    def _load_vitals(self) -> None:
        """Take what the database knows of consoles."""
        for console in console_status.consoles(self._store):
            if not console.was_heard:
                continue  # it was only named by somebody
            vitals = self.vitals.console((console.site_id, console.console_id))
            vitals.last_seen_at_ms = console.last_seen_at_ms
            vitals.online = None if console.online is None else bool(console.online)
        for site_id, console_id, lost in console_status.losses(self._store):
            if (site_id, console_id) in self.vitals.consoles:
                self.vitals.console((site_id, console_id)).lost = lost

    def _watch_clock(self) -> None:
        """Tell when the clock of this machine was stepped: nothing here waits by it, but dates follow it."""
        now_ms = self._now_ms()
        astray_ms = now_ms - self._elapsed_ms()
        if self._clock_ms and abs(astray_ms - self._clock_ms) >= STEP_MS:
            self.vitals.note_step(astray_ms - self._clock_ms, now_ms)
        self._clock_ms = astray_ms

    def _drain(self, item: list[Arrived] | Job) -> tuple[list[Arrived], Job | None]:
        """What waits, up to a job or a full group."""
        if isinstance(item, Job):
            return [], item
        group = item
        while len(group) < MAX_GROUP:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._queue.put(None)  # the end comes after this group
                break
            if isinstance(more, Job):
                return group, more
            group += more
        return group, None

    def _until_written(self, work: Callable[[], T]) -> T:
        """Do a transaction's work, however long the database cannot be written; raises _EndError when stopped."""
        attempt = 0
        while True:
            started_s = time.monotonic()
            try:
                result = work()
            except Exception as error:
                word = write_error(error)
                if word is None:
                    raise
                self.vitals.note_write_error(word, error)
                if self._stopping.wait(RETRY_S[min(attempt, len(RETRY_S) - 1)]):
                    raise _EndError from error
                attempt += 1
            else:
                self.vitals.note_recovered()
                self.vitals.note_commit(time.monotonic() - started_s)
                return result

    def _write(self, group: list[Arrived]) -> None:
        """Take in a group; a message that the code fails on goes among the rejects alone."""
        try:
            result, outcome = self._until_written(lambda: self._take(group))
        except (_EndError, *DAMAGED):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a message holds must not stop the others
            if len(group) > 1:
                for message in group:
                    self._write([message])
                return
            log.error("a message made the bridge fail: it is kept", trace=True, topic=group[0].topic)
            reason = f"failed: {printable(repr(error))}"
            result, outcome = self._until_written(lambda: self._reject(group[0], reason))
        self._taken += len(group)
        self._taken_bytes += sum(len(message.payload) for message in group)
        self.vitals.counts.update(result.counts())
        self._tell(outcome.facts)
        publications = [Publication(*ack) for ack in result.acks] + outcome.publications
        self._done(Done(publications, [(message.mid, message.connection) for message in group if message.mid]))
        if any(isinstance(fact, SettingsRenewed) for fact in outcome.facts):
            self._publish_settings()

    def _take(self, group: list[Arrived]) -> tuple[IntakeResult, Outcome]:
        events.forget_if_many(self._store)
        outcome = Outcome(self._subscribers)
        with self._store.transaction(self._now_ms()):
            intake = Intake(
                self._store,
                outcome.tell,
                self._keys,
                enrolled_only=self._enrolled_only,
                signed_only=self._signed_only,
            )
            for topic, payload, arrived_at_ms, _, _, is_retained in group:
                intake.take(topic, payload, arrived_at_ms, is_retained=is_retained)
            return intake.finish(), outcome

    def _reject(self, message: Arrived, reason: str) -> tuple[IntakeResult, Outcome]:
        outcome = Outcome(self._subscribers)
        with self._store.transaction(self._now_ms()):
            intake = Intake(self._store, outcome.tell)
            intake.reject(message.topic, message.payload, reason, message.arrived_at_ms)
            return intake.finish(), outcome

    def _tell(self, facts: Iterable[Fact]) -> None:
        """Have what was committed heard by those that only count and tell."""
        for fact in facts:
            self.vitals.hear(fact)

    def _do(self, job: Job) -> None:
        try:
            if job.command is None:
                self._publish_settings(every=True)
                return
            execution = Execution(Outcome(self._subscribers), job.progress)
            with self._store.transaction(self._now_ms()):
                job.result = execute(self._store, job.command, execution)
                offers = firmware_updates.first_offers(self._store)
            log.info("done for a command", operation=type(job.command).__name__, **_ids(job.command))
            self.vitals.counts.update(execution.counts)
            # Recorded long ago, maybe: that a console was heard is neither a flood nor the last of it.
            self._tell(fact for fact in execution.outcome.facts if not isinstance(fact, ConsoleHeard))
            self._load_vitals()
            self._publish_settings()
            if offers:
                self._done(Done([Publication(*offer) for offer in offers], []))
        except DAMAGED as error:
            job.error = damaged(str(self._store.path), error)
            raise
        except Exception as error:  # noqa: BLE001 - the command that asked is told
            job.error = error
        finally:
            job.done.set()

    def _publish_settings(self, *, every: bool = False) -> None:
        """Publish settings that never were, or every console's newest; again later if that could not be noted."""
        find = consoles.latest_settings if every else consoles.unpublished_settings
        rows = []
        self._settings_due = False
        try:
            rows = find(self._store)
            if rows:
                with self._store.transaction(self._now_ms()):
                    for site_id, console_id, revision, _ in rows:
                        consoles.note_published(self._store, site_id, console_id, revision)
        except Exception as error:
            word = write_error(error)
            if word is None:
                raise
            self._settings_due = True
            self.vitals.note_write_error(word, error)
        found = [
            Publication(f"trivox/v1/{site_id}/{console_id}/settings", payload.encode(), retain=True)
            for site_id, console_id, _, payload in rows
        ]
        for start in range(0, len(found), MAX_GROUP):
            self._done(Done(found[start : start + MAX_GROUP], []))

    def _sweep(self) -> None:
        try:
            with self._store.transaction(self._now_ms()):
                fold.sweep(self._store)
            self.vitals.note_recovered()
        except DAMAGED:
            raise
        except Exception as error:  # noqa: BLE001 - the next sweep will do it
            word = write_error(error)
            if word is not None:
                self.vitals.note_write_error(word, error)
            elif self.vitals.limiter.allow("sweep") is not None:
                log.error("open surveys could not be looked through", trace=True)


def _ids(command: Command) -> dict[str, str]:
    """Name whom a command is about, for the log."""
    fields = msgspec.structs.asdict(command)
    scope = fields.get("scope")
    fields |= {} if scope is None else msgspec.structs.asdict(scope)
    return {name: value for name, value in fields.items() if name.endswith("_id") and isinstance(value, str) and value}
