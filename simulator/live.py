"""A scenario live: every console with a connection of its own to a broker, by the clock or as fast as it is taken."""

import asyncio
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from typing import Any, Literal
from urllib.parse import urlsplit

from simulator.crowd import HOUR_MS, Day, transactions, visitors
from simulator.diary import Entry
from simulator.errors import SimulatorError
from simulator.filling import Order, Sender, count_message
from simulator.fleet import Fleet
from simulator.fleet_mqtt import KEEPALIVE_S, Login, Session
from simulator.sites import OnShift, Place, Post, days_of

WAITING = 64  # events that a hurried console has ready at most
CUT_WAITING = 4000  # … while its way to the broker is cut
CONNECTING = 100  # at once
COUNTS_AT_ONCE = 500
AGAIN_S = 2.0  # after a connection broke
LIMIT_S = 120.0  # without any progress
SPARE_FILES = 200


class LiveError(SimulatorError):
    """The fleet cannot go on: no broker, too few files, or nobody acknowledges."""


class LiveConsole:
    """One console: people, firmware and session."""

    __slots__ = ("_entry", "_hub", "_place", "_stream", "_timer", "acked", "ended", "sender", "session", "until_ms")

    def __init__(self, hub: "Hub", place: Place, post: Post) -> None:
        self._hub, self._place = hub, place
        self.sender = Sender(hub.fleet, place, post, hub.order.seed)
        self._stream = self._people(post)
        self._entry: Entry | None = next(self._stream, None)
        self._timer: asyncio.TimerHandle | None = None
        self.session: Session | None = None
        self.until_ms = 0
        self.acked = 0
        self.ended = False

    def login(self) -> Login:
        """Its name and will."""
        console, post = self.sender.console, self.sender.post
        events = self._hub.fleet.firmware.events
        client_id = f"trivox-{post.site_id}-{post.console_id}-{console.hardware_id}"
        will = json.dumps(events.status(False, console.outbox.epoch, console.hardware_id))  # noqa: FBT003
        return Login(client_id, f"trivox/v1/{post.site_id}/{post.console_id}/", will.encode(), *self._hub.account)

    def _people(self, post: Post) -> Iterator[Entry]:
        order = self._hub.order
        for day in days_of(order.first_day, order.days):
            lived = Day(self._place, post, day, order.seed)
            self.sender.open(lived)
            for entry in lived.stream():
                if entry.at_ms >= self._hub.from_ms:
                    yield entry
            if lived.shifts:
                self.until_ms = lived.shifts[-1].to_ms + HOUR_MS // 2

    def up(self) -> None:
        """The session is there: say so, and send again what waits."""
        console = self.sender.console
        events = self._hub.fleet.firmware.events
        status = events.status(True, console.outbox.epoch, console.hardware_id)  # noqa: FBT003
        if self.session is not None:
            self.session.publish("status", json.dumps(status).encode(), retained=True)
        console.delivery.restart()
        self.go_on()

    def heard(self, leaf: str, payload: bytes) -> None:
        """An acknowledgement, or settings."""
        firmware, console = self._hub.fleet.firmware, self.sender.console
        try:
            message = json.loads(payload) if payload else None
            if leaf == "settings" and message is not None:
                console.settings_came(firmware.settings.check(message))
                return
            epoch, through, _ = firmware.events.read_ack(message)
        except ValueError:
            return
        before = console.outbox.first
        console.delivery.acknowledged(epoch, through, self._hub.now_ms())
        self._hub.acked += console.outbox.first - before
        self.go_on()

    def go_on(self) -> None:
        """Let people press as far as the clock, or what waits, allows; then send."""
        outbox = self.sender.console.outbox
        while self._entry is not None and (outbox.waiting() < WAITING or self._is_cut(self._entry)):
            entry = self._entry
            if self._hub.is_real and entry.at_ms > self._hub.wall_ms():
                self._wake_at(entry.at_ms)
                break
            self._live(entry)
            self._entry = next(self._stream, None)
            if self._entry is None:
                self._rest()
        self.send()

    def _live(self, entry: Entry) -> None:
        console = self.sender.console
        boot = console.boot
        console.happens(entry)
        if console.boot != boot and self.session is not None:  # the power went
            self.session.drop()

    def _is_cut(self, entry: Entry) -> bool:
        return self.sender.is_cut(entry.at_ms) and self.sender.console.outbox.waiting() < CUT_WAITING

    def _rest(self) -> None:
        if self.sender.console.boot:
            self.sender.console.settle(self.until_ms)

    def _wake_at(self, at_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._hub.call_at(at_ms, self.go_on)

    def send(self) -> None:
        """What may be sent now, by the firmware's delivery."""
        session = self.session
        if session is None or not session.is_up:
            return
        if self._entry is not None and self._is_cut(self._entry):
            return
        delivery, now_ms = self.sender.console.delivery, self._hub.now_ms()
        batch = delivery.next_batch(now_ms)
        while batch is not None:
            session.publish("events", batch.encode())
            batch = delivery.next_batch(now_ms)
        if self._entry is None and not self.sender.console.outbox.waiting() and not self.ended:
            self.ended = True
            self._hub.ended += 1


class Hub:
    """What the consoles of a live run share: firmware, loop, clock, account."""

    def __init__(self, order: Order, broker: str, *, is_real: bool) -> None:
        self.order = order
        self.is_real = is_real
        self.fleet = Fleet()
        address = urlsplit(broker)
        if address.scheme != "mqtt" or not address.hostname or address.username:
            raise LiveError(
                f"{broker} is no broker for this; give mqtt://HOST:PORT, with TRIVOX_MQTT_USER and "
                "TRIVOX_MQTT_PASSWORD in the environment if it wants a login."
            )
        self._host, self._port = address.hostname, address.port or 1883
        self.account = os.environ.get("TRIVOX_MQTT_USER"), os.environ.get("TRIVOX_MQTT_PASSWORD")
        self.from_ms = self.wall_ms() if is_real else 0
        self.acked = self.ended = 0
        self.consoles: list[LiveConsole] = []
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._why = "no console is connected"
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False

    @staticmethod
    def wall_ms() -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    @staticmethod
    def now_ms() -> int:
        """Milliseconds of the delivery's clock."""
        return time.monotonic_ns() // 1_000_000

    def call_at(self, at_ms: int, work: Callable[[], None]) -> asyncio.TimerHandle:
        """Do it when the wall clock says so."""
        return asyncio.get_running_loop().call_later(max(0.0, (at_ms - self.wall_ms()) / 1000), work)

    async def connect(self, console: LiveConsole) -> None:
        """Give a console its session."""
        async with self._connecting:
            session = Session(console.login(), console.up, console.heard, lambda why: self._lost(console, why))
            console.session = session
            try:
                await asyncio.get_running_loop().create_connection(lambda: session, self._host, self._port)
            except OSError as error:
                self._lost(console, str(error))

    def _lost(self, console: LiveConsole, why: str) -> None:
        self._why = why
        console.session = None
        if not self._is_over:
            asyncio.get_running_loop().call_later(AGAIN_S, self._connect_soon, console)

    def _connect_soon(self, console: LiveConsole) -> None:
        if not self._is_over:
            task = asyncio.get_running_loop().create_task(self.connect(console))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def run(self, progress: Callable[[int, int], None]) -> None:
        """Until every console has sent everything; tells (events acknowledged, consoles that are done)."""
        for place in self.order.places:
            for post in place.posts:
                console = LiveConsole(self, place, post)
                self.consoles.append(console)
                self._connect_soon(console)
                await asyncio.sleep(0)
        pinged_s = moved_s = time.monotonic()
        acked = -1
        while self.ended < len(self.consoles):
            await asyncio.sleep(1)
            now_s = time.monotonic()
            if now_s - pinged_s >= KEEPALIVE_S / 2:
                pinged_s = now_s
                self._ping()
            if self.acked != acked:
                acked, moved_s = self.acked, now_s
            elif now_s - moved_s > LIMIT_S and not self.is_real:
                raise LiveError(f"Nothing was acknowledged for {LIMIT_S:.0f} s ({self._why}): is a bridge running?")
            for console in self.consoles:
                console.send()  # what was not acknowledged in time goes again
            progress(self.acked, self.ended)

    def _ping(self) -> None:
        for console in self.consoles:
            if console.session is not None and console.session.is_up:
                console.session.ping()

    async def tell_counts(self) -> int:
        """What tills and doors counted, each acknowledged; how many figures."""
        figures = [figure for day in days_of(self.order.first_day, self.order.days) for figure in self._counts(day)]
        waiting: set[str] = set()
        came = asyncio.Event()

        def heard(_leaf: str, payload: bytes) -> None:
            waiting.discard(json.loads(payload).get("id", ""))
            came.set()

        by_source: dict[str, list[dict[str, Any]]] = {}
        for topic, payload in figures:
            by_source.setdefault(topic.removesuffix("counts"), []).append(payload)
        for prefix, payloads in by_source.items():
            up = asyncio.Event()
            login = Login(prefix.strip("/").replace("/", "-"), prefix, b"", *self.account)
            session = Session(login, up.set, heard, lambda _why: None)
            await asyncio.get_running_loop().create_connection(lambda session=session: session, self._host, self._port)  # type: ignore[misc]
            async with asyncio.timeout(LIMIT_S):
                await up.wait()
                rest = iter(payloads)
                while some := list(islice(rest, COUNTS_AT_ONCE)):
                    for payload in some:
                        waiting.add(payload["id"])
                        session.publish("counts", json.dumps(payload).encode())
                    while waiting:
                        came.clear()
                        await came.wait()
            session.close()
        return len(figures)

    def _counts(self, day: date) -> Iterator[tuple[str, dict[str, Any]]]:
        points = self.order.world.checkout_points
        for place in self.order.places:
            everything: list[Entry] = []
            shifts: list[OnShift] = []
            figures = []
            for post in place.posts:
                lived = Day(place, post, day, self.order.seed)
                entries = [entry for entry in lived.stream() if entry.at_ms >= self.from_ms]
                everything += entries
                shifts += lived.shifts
                if place.tills:
                    figures += transactions(place, post, entries, lived.shifts)
            if place.door:
                figures += visitors(place, everything, shifts)
            for to_ms, count in figures:
                if to_ms > self.from_ms:
                    yield count_message(count, to_ms, points)

    def close(self) -> None:
        """Everybody says goodbye."""
        self._is_over = True
        for console in self.consoles:
            if console.session is not None:
                console.session.close()


def allow_files(count: int) -> None:
    """Let this process have so many connections; raises LiveError where the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise LiveError(f"{count} consoles need {wanted} open files, but the limit is {hard}: raise it (ulimit -Hn).")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_live(
    order: Order, broker: str, speed: Literal["real", "fast"], progress: Callable[[int, int], None]
) -> tuple[int, int, float]:
    """Run all of it; (events acknowledged, consoles, seconds). Raises LiveError."""
    consoles = sum(len(place.posts) for place in order.places)
    allow_files(consoles)
    began_s = time.monotonic()
    acked = asyncio.run(_run(order, broker, progress, is_real=speed == "real"))
    return acked, consoles, time.monotonic() - began_s


async def _run(order: Order, broker: str, progress: Callable[[int, int], None], *, is_real: bool) -> int:
    hub = Hub(order, broker, is_real=is_real)
    try:
        await hub.run(progress)
        await hub.tell_counts()
    except TimeoutError as error:
        raise LiveError("The counts of tills and doors were not acknowledged: is a bridge running?") from error
    finally:
        hub.close()
        await asyncio.sleep(0)
    return hub.acked
