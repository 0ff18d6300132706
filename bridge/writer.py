"""The thread that writes the database: it drains whatever waits, commits, and says what may be acknowledged."""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from bridge import fold
from bridge.ingest import Intake, Tally
from bridge.store import consoles, events
from bridge.upkeep import execute

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store import Store

    Progress = Callable[[int, int], None]

MAX_GROUP = 1_000  # messages a transaction
SWEEP_EVERY_S = 60.0
RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

log = logging.getLogger("trivox.bridge")


class Arrived(NamedTuple):
    """A message as it came; `mid` is the broker's number for it (0: no acknowledgement wanted)."""

    topic: str
    payload: bytes
    arrived_at_ms: int
    mid: int
    connection: int
    is_retained: bool = False


class Publication(NamedTuple):
    """A message to publish."""

    topic: str
    payload: bytes
    retain: bool


class Done(NamedTuple):
    """What a commit allows: first these publications, then these acknowledgements as (mid, connection)."""

    publications: list[Publication]
    acknowledgements: list[tuple[int, int]]


@dataclass
class Job:
    """An operation handed over by a command, or (without a name) the wish for all settings."""

    operation: str
    args: dict[str, Any] = field(default_factory=dict)
    progress: Progress | None = None
    result: dict[str, Any] | None = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Writer:
    """Owns the store from `start` until `stop`; `done` is called in its thread after every commit."""

    def __init__(self, store: Store, done: Callable[[Done], None], *, enrolled_only: bool = False) -> None:
        self._store = store
        self._done = done
        self._enrolled_only = enrolled_only
        self._queue: queue.SimpleQueue[list[Arrived] | Job | None] = queue.SimpleQueue()
        self._taken = 0
        self._put = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer")
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what waits is written."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def put(self, messages: list[Arrived]) -> None:
        """Hand over messages."""
        self._put += len(messages)
        self._queue.put(messages)

    def backlog(self) -> int:
        """How many messages wait."""
        return self._put - self._taken

    def want_settings(self) -> None:
        """Have all consoles' settings published: there is a new connection."""
        self._queue.put(Job(""))

    def perform(self, operation: str, args: dict[str, Any], progress: Progress | None = None) -> dict[str, Any]:
        """Have an operation done between groups of messages, and wait for its result; from any other thread."""
        job = Job(operation, args, progress)
        self._queue.put(job)
        job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result or {}

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # noqa: BLE001 - the bridge ends with it
            self.failure = error
            self._done(Done([], []))

    def _loop(self) -> None:
        sweep_at_s = time.monotonic()
        while True:
            try:
                item = self._queue.get(timeout=SWEEP_EVERY_S)
            except queue.Empty:
                item = []
            if item is None:
                return
            group, job = self._drain(item)
            if group:
                self._write(group)
            if job is not None:
                self._do(job)
            if time.monotonic() >= sweep_at_s:
                sweep_at_s = time.monotonic() + SWEEP_EVERY_S
                self._sweep()

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

    def _write(self, group: list[Arrived]) -> None:
        """Take in a group; the database being full or locked only delays it, and nothing is acknowledged meanwhile."""
        attempt = 0
        while True:
            try:
                tally = self._take(group)
                break
            except apsw.Error as error:
                if isinstance(error, apsw.CorruptError | apsw.NotADBError):
                    raise
                delay_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                attempt += 1
                log.warning("cannot write the database (%s): %d messages wait; trying again", error, self.backlog())
                if self._stopping.wait(delay_s):
                    return
            except Exception as error:
                if len(group) > 1:
                    for message in group:
                        self._write([message])
                    return
                log.exception("a message on %s failed: it is kept among the rejects", group[0].topic)
                tally = self._reject(group[0], f"failed: {error!r}")
                break
        self._taken += len(group)
        if attempt:
            log.warning("the database is written again")
        self._report(tally, group)

    def _take(self, group: list[Arrived]) -> Tally:
        events.forget_if_many(self._store)
        with self._store.transaction(_now_ms()):
            intake = Intake(self._store, enrolled_only=self._enrolled_only)
            for topic, payload, arrived_at_ms, _, _, is_retained in group:
                intake.take(topic, payload, arrived_at_ms, is_retained=is_retained)
            return intake.finish()

    def _reject(self, message: Arrived, reason: str) -> Tally:
        with self._store.transaction(_now_ms()):
            intake = Intake(self._store)
            intake.reject(message.topic, message.payload, reason, message.arrived_at_ms)
            return intake.finish()

    def _report(self, tally: Tally, group: list[Arrived]) -> None:
        publications = [Publication(topic, payload, retain=False) for topic, payload in tally.acks]
        if tally.settings_made:
            publications += self._settings()
        self._done(Done(publications, [(message.mid, message.connection) for message in group if message.mid]))

    def _do(self, job: Job) -> None:
        try:
            if not job.operation:
                self._done(Done(self._settings(every=True), []))
                return
            now_ms = _now_ms()
            with self._store.transaction(now_ms):
                job.result = execute(self._store, job.operation, job.args, now_ms, job.progress)
            self._done(Done(self._settings(), []))
        except Exception as error:  # noqa: BLE001 - the command that asked is told
            job.error = error
        finally:
            job.done.set()

    def _settings(self, *, every: bool = False) -> list[Publication]:
        """Settings to publish: those never published, or every console's newest."""
        find = consoles.latest_settings if every else consoles.unpublished_settings
        try:
            rows = find(self._store)
            if rows:
                with self._store.transaction(_now_ms()):
                    for site_id, console_id, revision, _ in rows:
                        consoles.note_published(self._store, site_id, console_id, revision)
        except apsw.Error as error:
            log.warning("cannot write the database (%s): settings are published at the next connection", error)
            return []
        return [
            Publication(f"trivox/v1/{site_id}/{console_id}/settings", payload.encode(), retain=True)
            for site_id, console_id, _, payload in rows
        ]

    def _sweep(self) -> None:
        try:
            with self._store.transaction(_now_ms()):
                fold.sweep(self._store)
        except apsw.Error as error:
            log.warning("cannot write the database (%s)", error)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
