"""Model the bridge's process: real intake and store, SQLite in memory, and the writer's order of commit and acks.

What is committed survives a crash, and nothing else. Each step is an event of its own on the timeline, so that
anything may happen between two steps.
"""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from bridge.service.outcome import TransactionOutcome
from bridge.service.subscribers import subscribers
from bridge.store import Store, consoles, events, open_store
from bridge.surveys import fold
from bridge.surveys.facts import SettingsRenewed
from bridge.surveys.ingest import Intake
from bridge.wire.contract import LEAVES_TO_BRIDGE
from tests.chaos.database import rejects
from tests.chaos.virtual.failures import Failed
from tests.chaos.virtual.network import Packet, VirtualConnection
from tests.support.intake import execute

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.admin.commands import BridgeCommand
    from bridge.surveys.in_transaction import IntakeResult
    from tests.chaos.virtual.broker import VirtualBroker
    from tests.chaos.virtual.network import Network
    from tests.chaos.virtual.timeline import VirtualTimeline

RETRY_MS = (100, 200, 500, 1000, 2000, 5000)
RECONNECT_MS = 400
SWEEP_MS = 60_000
MAX_GROUP = 1000
Row = tuple[Any, ...]


class ArrivedMessage(NamedTuple):
    """A message as it arrived."""

    topic: str
    payload: bytes
    arrived_at_ms: int
    mid: int
    connection: int
    is_retained: bool


def template() -> apsw.Connection:
    """Make a new, empty database."""
    with TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "trivox.db", writing=True)
        store.all("PRAGMA journal_mode = DELETE")  # in memory there is no log beside it
        made = copy_of(store.connection)
        store.close()
    return made


def copy_of(database: apsw.Connection) -> apsw.Connection:
    """Copy a database into another connection."""
    made = apsw.Connection(":memory:", statementcachesize=200)
    put_back(made, database)
    return made


def put_back(database: apsw.Connection, copy: apsw.Connection) -> None:
    """Replace the database's content by that of the copy."""
    with database.backup("main", copy, "main") as backup:
        backup.step(-1)


class BridgeNode:
    """The bridge on one database; `acks_before_commit` plants a bug, and `before_ack` is called with each ack."""

    def __init__(
        self,
        timeline: VirtualTimeline,
        chance: random.Random,
        database: apsw.Connection,
        network: Network,
        broker: VirtualBroker,
        wall_ms: Callable[[], int],
    ) -> None:
        self.timeline = timeline
        self.chance = chance
        self.database = database
        self.network = network
        self.broker = broker
        self.wall_ms = wall_ms
        self.is_running = False
        self.slow_ms = 0
        self.acks_before_commit = False
        self.committed: list[ArrivedMessage] = []  # in the database as it is now; a restored one has fewer
        self.before_ack: Callable[[str, bytes], None] = _ignore
        self.settings_published: list[tuple[str, bytes]] = []
        self.note: Callable[..., None] = _ignore
        self._generation = 0
        self._links = 0
        self.store: Store = Store(database, Path(":memory:"))
        self._link: VirtualConnection | None = None
        self._is_connected = False
        self._waiting: list[ArrivedMessage] = []
        self._is_writing = False
        self._attempt = 0
        self._unconfirmed: dict[int, tuple[str, bytes, bool]] = {}
        self._last_mid = 0
        self._jobs: list[BridgeCommand | None] = []  # None: publish all settings

    # The process.

    def start(self) -> None:
        """Start the process, which remembers nothing but the database."""
        if self.is_running:
            return
        self._generation += 1
        self.is_running = True
        self.store = Store(self.database, Path(":memory:"))
        self._waiting, self._is_writing, self._attempt = [], False, 0
        self._unconfirmed, self._last_mid = {}, 0
        self._jobs = []
        self.note("starts")
        self._connect()
        self._later(SWEEP_MS, self._sweep)

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self.is_running = False
        self._generation += 1
        self.note("is killed")
        if self._link is not None:
            self._link.client_ends = _nothing
            self._link.client_takes = _ignore
            self._link.close_by_client()
        self._link, self._is_connected = None, False

    def is_idle(self) -> bool:
        """Return whether nothing waits."""
        return self._is_connected and not (self._waiting or self._is_writing or self._jobs)

    def perform(self, command: BridgeCommand) -> None:
        """Queue an operation that a command hands over."""
        if self.is_running:
            self._jobs.append(command)
            self._write_soon()

    def _later(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Call `act` later, unless the process has ended by then."""
        generation = self._generation

        def due() -> None:
            if self._generation == generation:
                act()

        self.timeline.after(delay_ms, due)

    # The connection.

    def _connect(self) -> None:
        if not (self.network.is_up and self.broker.is_up):
            self._later(RECONNECT_MS, self._connect)
            return
        self._links += 1
        link = self._link = VirtualConnection(self.network)
        link.client_takes = self._takes
        link.client_ends = lambda: self._ended(link)
        self.broker.accept(link)
        link.to_broker(("connect", "trivox-bridge", False, None))
        number = self._links
        self._later(5000, lambda: self._gives_up(number))
        self._later(30_000, lambda: self._pings(number))

    def _gives_up(self, number: int) -> None:
        if number == self._links and not self._is_connected and self._link is not None:
            self._link.reset()

    def _pings(self, number: int) -> None:
        """Close a connection that hangs, as the keepalive does."""
        if number != self._links or self._link is None:
            return
        if self._link.is_hanging:
            self._link.close_by_client()
            self._ended(self._link)
        else:
            self._later(30_000, lambda: self._pings(number))

    def _ended(self, link: VirtualConnection) -> None:
        if self._link is link:
            self._link, self._is_connected = None, False
            self._later(RECONNECT_MS, self._connect)

    def _takes(self, packet: Packet) -> None:
        kind = packet[0]
        if kind == "publish":
            _, topic, payload, qos, retained, number, _ = packet
            mid = number if qos else 0
            self._waiting.append(ArrivedMessage(topic, payload, self.wall_ms(), mid, self._links, retained))
            self._write_soon()
        elif kind == "puback":
            self._unconfirmed.pop(packet[1], None)
        elif kind == "connack":
            self._is_connected = True
            self._send(("subscribe", [f"trivox/v1/+/+/{leaf}" for leaf in LEAVES_TO_BRIDGE]))
            for mid, (topic, payload, retain) in self._unconfirmed.items():
                self._send(("publish", topic, payload, 1, retain, mid, True))
            self._jobs.append(None)
            self._write_soon()

    def _send(self, packet: Packet) -> None:
        if self._link is not None:
            try:
                self._link.to_broker(packet)
            except OSError:
                return

    # The writer.

    def _write_soon(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._later(self._pause_ms(), self._write)

    def _pause_ms(self) -> int:
        return self.chance.choice((0, 1, 2, 5)) + (self.chance.randrange(self.slow_ms) if self.slow_ms else 0)

    def _write(self) -> None:
        """Do one transaction: a group of messages, or an operation."""
        if self._jobs and (not self._waiting or self.chance.random() < 0.5):
            self._do(self._jobs.pop(0))
            self._write_on()
            return
        group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
        if not group:
            self._write_on()
            return
        if self.acks_before_commit:
            self._acknowledge_early(group)
        try:
            result, outcome = self._take(group)
        except apsw.Error as error:
            self._waiting = group + self._waiting
            self.note("cannot write:", error)
            delay_ms = RETRY_MS[min(self._attempt, len(RETRY_MS) - 1)]
            self._attempt += 1
            self._later(delay_ms, self._write)
            return
        except Exception as error:
            raise Failed(f"the bridge fails: {error!r}") from error
        self._attempt = 0
        self.committed += [message for message in group if message.topic.endswith("/events")]
        self.note("commits", len(group), "messages,", result.stored, "new events,", result.duplicates, "again")
        if result.conflicts or result.rejected or result.unreadable:
            raise Failed(f"the bridge rejects messages of consoles: {rejects(self.database)}")
        settings_made = any(isinstance(fact, SettingsRenewed) for fact in outcome.facts)
        self._later(self._pause_ms(), lambda: self._publish(result.acks, group, settings_made=settings_made))

    def _take(self, group: list[ArrivedMessage]) -> tuple[IntakeResult, TransactionOutcome]:
        events.forget_if_many(self.store)
        outcome = TransactionOutcome(subscribers(self.store))
        with self.store.transaction(self.wall_ms()):
            intake = Intake(self.store, outcome.emit)
            for topic, payload, arrived_at_ms, _, _, is_retained in group:
                intake.take(topic, payload, arrived_at_ms, is_retained=is_retained)
            return intake.finish(), outcome

    def _acknowledge_early(self, group: list[ArrivedMessage]) -> None:
        """Acknowledge what is not committed and may never be: a planted bug."""
        store = Store(copy_of(self.database), Path(":memory:"))
        with store.transaction(self.wall_ms()):
            intake = Intake(store)
            for message in group:
                intake.take(message.topic, message.payload, message.arrived_at_ms)
            acks = intake.finish().acks
        self._publish_all([(topic, payload, False) for topic, payload in acks])

    def _publish(self, acks: list[tuple[str, bytes]], group: list[ArrivedMessage], *, settings_made: bool) -> None:
        self._publish_all([(topic, payload, False) for topic, payload in acks])
        if settings_made:
            self._publish_all(self._settings(every=False))
        self._later(self._pause_ms(), lambda: self._confirm(group))

    def _confirm(self, group: list[ArrivedMessage]) -> None:
        for message in group:
            if message.mid and message.connection == self._links and self._is_connected:
                self._send(("puback", message.mid))
        self._write_on()

    def _write_on(self) -> None:
        self._is_writing = False
        if self._waiting or self._jobs:
            self._write_soon()

    def _publish_all(self, publications: list[tuple[str, bytes, bool]]) -> None:
        if not self._is_connected:
            return
        for topic, payload, retain in publications:
            if topic.endswith("/ack"):
                self.before_ack(topic, payload)
            mid = self._last_mid = self._last_mid % 65535 + 1
            self._unconfirmed[mid] = topic, payload, retain
            self._send(("publish", topic, payload, 1, retain, mid, False))

    def _do(self, command: BridgeCommand | None) -> None:
        try:
            if command is not None:
                with self.store.transaction(self.wall_ms()):
                    execute(self.store, command)
                self.note("does", command)
            self._publish_all(self._settings(every=command is None))
        except apsw.Error as error:
            self.note("cannot do", command, error)

    def _settings(self, *, every: bool) -> list[tuple[str, bytes, bool]]:
        rows = (consoles.latest_settings if every else consoles.unpublished_settings)(self.store)
        try:
            if rows:
                with self.store.transaction(self.wall_ms()):
                    for site_id, console_id, revision, _ in rows:
                        consoles.note_published(self.store, site_id, console_id, revision)
        except apsw.Error as error:
            self.note("cannot note settings", error)
            return []
        messages = [(f"trivox/v1/{site}/{console}/settings", payload.encode()) for site, console, _, payload in rows]
        self.settings_published += messages
        return [(topic, payload, True) for topic, payload in messages]

    def _sweep(self) -> None:
        self._later(SWEEP_MS, self._sweep)
        try:
            with self.store.transaction(self.wall_ms()):
                fold.sweep(self.store)
        except apsw.Error as error:
            self.note("cannot sweep", error)


def _ignore(*_what: Any) -> None:
    pass


def _nothing() -> None:
    pass
