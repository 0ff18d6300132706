"""A scenario live: every console with a connection of its own to a broker, by the clock or as fast as it is taken."""

import asyncio
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from simulator.errors import SimulatorError
from simulator.oracle.kpis import Totals
from simulator.scenario.fleet_session import KEEPALIVE_S, Session
from simulator.scenario.live_console import FOREVER_MS, Clock, Common, LiveConsole
from simulator.scenario.live_counts import Teller
from simulator.scenario.people_day import QUARTER_MS
from simulator.scenario.site_day import GROUPINGS, Order, Part, part_of_day
from simulator.scenario.sites import Place, days_of

REACH_S = 10.0  # how long the broker may take to answer at first
CONNECTING = 100  # at once
TELLING = 50  # sites at once
AGAIN_S = 2.0  # after a connection broke
TICK_S = 1.0
LIMIT_S = 120.0  # without any progress
SPARE_FILES = 200
EMBEDDED = "The embedded one is for a few dozen; take mosquitto for more."

Progress = Callable[[int, int], None]


class LiveError(SimulatorError):
    """The fleet cannot go on: no broker, too few files, or nobody acknowledges."""


class Broker(NamedTuple):
    """Where it is, and as whom."""

    host: str
    port: int
    account: tuple[str | None, str | None]


def broker_at(address: str) -> Broker:
    """The broker of `mqtt://HOST:PORT`, which must be there, with the login of the environment; raises LiveError."""
    try:
        parts = urlsplit(address)
        where = parts.hostname or "", parts.port or 1883
    except ValueError:
        parts, where = urlsplit(""), ("", 0)
    if parts.scheme != "mqtt" or not where[0] or parts.username:
        raise LiveError(
            f"{address} is no broker for this; give mqtt://HOST:PORT, with TRIVOX_MQTT_USER and "
            "TRIVOX_MQTT_PASSWORD in the environment if it wants a login."
        )
    try:
        socket.create_connection(where, REACH_S).close()
    except OSError as error:
        raise LiveError(
            f"No broker listens at {address} ({error.strerror or error}): start it, or name another."
        ) from error
    return Broker(*where, (os.environ.get("TRIVOX_MQTT_USER"), os.environ.get("TRIVOX_MQTT_PASSWORD")))


class Hub:
    """Connects consoles, keeps them going, and tells what tills counted."""

    def __init__(self, common: Common, broker: Broker) -> None:
        self._common, self._broker = common, broker
        common.account = broker.account
        common.connect = self._connect_soon
        self.consoles: list[LiveConsole] = []
        self.was_stopped = False
        self._teller = Teller(*broker, common.order.world)
        self._told_ms: dict[str, int] = {}  # up to when a site's figures were told
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._why = "no console is connected"
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def run(self, progress: Progress) -> None:
        """Until every console has sent everything; tells (events acknowledged, consoles that are done)."""
        beginning = asyncio.create_task(self._begin())
        clock = self._common.clock
        telling = asyncio.create_task(self._tell_by_the_clock(clock)) if clock else None
        try:
            await self._keep_going(beginning, progress)
        finally:
            for task in (beginning, telling):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _begin(self) -> None:
        """Let one console after the other live; the first are kept going meanwhile."""
        for place in self._places:
            for post in place.posts:
                if self.was_stopped:
                    return
                console = LiveConsole(self._common, place, post)
                self.consoles.append(console)
                console.go_on()
                await asyncio.sleep(0)

    async def _keep_going(self, beginning: asyncio.Task[None], progress: Progress) -> None:
        common = self._common
        pinged_s = moved_s = time.monotonic()
        acked = -1
        while not beginning.done() or common.ended < len(self.consoles):
            await asyncio.sleep(TICK_S)
            if beginning.done():
                beginning.result()  # raises what ended it too early
            now_s = time.monotonic()
            is_hurried = common.clock is None or self.was_stopped
            if now_s - pinged_s >= KEEPALIVE_S / 2:
                pinged_s = now_s
                self._ping()
            if common.acked != acked or not is_hurried:
                acked, moved_s = common.acked, now_s
            elif now_s - moved_s > LIMIT_S:
                raise LiveError(
                    f"Nothing was acknowledged for {LIMIT_S:.0f} s ({self._why}): is a bridge running, and can the "
                    f"broker carry so many consoles ({len(self.consoles)})? {EMBEDDED}"
                )
            for console in self.consoles:
                if is_hurried:
                    console.send()  # what was not acknowledged in time goes again
                else:
                    console.go_on()
                    console.beat()
            common.diary.flush()
            progress(common.acked, common.ended)

    def stop(self) -> None:
        """Let nobody come any more; what was begun is brought to its end and sent."""
        self.was_stopped = True
        for console in self.consoles:
            console.stop()

    def close(self) -> None:
        """Everybody says goodbye."""
        self._is_over = True
        for console in self.consoles:
            if console.session is not None:
                console.session.close()

    # Connections --------------------------------------------------------------------------------------------------

    async def _connect(self, console: LiveConsole) -> None:
        async with self._connecting:
            session = Session(console.login(), console.up, console.heard, lambda why: self._lost(console, session, why))
            console.session = session
            try:
                await asyncio.get_running_loop().create_connection(
                    lambda: session, self._broker.host, self._broker.port
                )
            except OSError as error:
                self._lost(console, session, str(error))

    def _lost(self, console: LiveConsole, session: Session, why: str) -> None:
        self._why = why
        if console.session is session and not self._is_over:
            console.session = None
            asyncio.get_running_loop().call_later(AGAIN_S, self._connect_soon, console)

    def _connect_soon(self, console: LiveConsole) -> None:
        if not self._is_over:
            task = asyncio.get_running_loop().create_task(self._connect(console))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _ping(self) -> None:
        for console in self.consoles:
            if console.session is not None and console.session.is_up:
                console.session.ping()

    # Tills and people counters ------------------------------------------------------------------------------------

    async def _tell_by_the_clock(self, clock: Clock) -> None:
        """Tell the figures of each hour once it is over; a broker that is away is told later."""
        told = 0
        while True:
            now_ms = clock.now_ms()
            if now_ms // QUARTER_MS != told:  # hours begin at a quarter, whatever the time zone
                told = now_ms // QUARTER_MS
                through_ms = {(post.site_id, post.console_id): now_ms for place in self._places for post in place.posts}
                for place in self._places:
                    with suppress(OSError, TimeoutError):
                        await self._tell(place, Part(self._common.from_ms, through_ms), now_ms)
            await asyncio.sleep(TICK_S)

    @property
    def _places(self) -> list[Place]:
        return self._common.order.places

    async def _tell(self, place: Place, part: Part, until_ms: int, totals: Totals | None = None) -> None:
        """A site's figures up to an instant, those that were not told yet; with totals, all its days go into them."""
        order = self._common.order
        told_ms = self._told_ms.get(place.site_id, 0)
        told_on = datetime.fromtimestamp(told_ms // 1000, UTC).date() - timedelta(days=1)
        counts = []
        for day in days_of(order.first_day, order.days):
            if totals is not None or day >= told_on:
                lived = part_of_day(order, place, day, part)
                found = lived.counts() if totals is None else lived.sum_up(totals)
                counts += [count for count in found if told_ms < count[0] <= until_ms]
                await asyncio.sleep(0)
        await self._teller.tell(counts)
        self._told_ms[place.site_id] = max(told_ms, until_ms)

    async def sum_up(self) -> Totals:
        """Tell all figures that were not told yet; the sums of what was run."""
        consoles = [(console.sender.post, console.through_ms) for console in self.consoles]
        part = Part(self._common.from_ms, {(post.site_id, post.console_id): through for post, through in consoles})
        totals = Totals(self._common.order.world, GROUPINGS)
        telling = asyncio.Semaphore(TELLING)

        async def tell(place: Place) -> None:
            async with telling:
                await self._tell(place, part, FOREVER_MS, totals)

        await asyncio.gather(*(tell(place) for place in self._places))
        return totals


def allow_files(count: int) -> None:
    """Let this process have so many connections; raises LiveError where the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise LiveError(f"{count} consoles need {wanted} open files, but the limit is {hard}: raise it (ulimit -Hn).")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_live(order: Order, broker: Broker, diary: Path, clock: Clock | None, progress: Progress) -> tuple[Totals, int]:
    """Run all of it, by the clock or hurried, or until Ctrl-C; the diary is written as people live.

    The sums of what was run, and how many events were acknowledged. Raises LiveError.
    """
    allow_files(sum(len(place.posts) for place in order.places))
    with diary.open("wb") as lines:
        common = Common(order, clock, lines)
        return asyncio.run(_run(common, broker, progress)), common.acked


async def _run(common: Common, broker: Broker, progress: Progress) -> Totals:
    hub = Hub(common, broker)
    try:
        with _stopped_by_ctrl_c(hub):
            await hub.run(progress)
        try:
            return await hub.sum_up()
        except (TimeoutError, OSError) as error:
            raise LiveError(
                "The counts of tills and doors were not acknowledged: is a bridge running, and can the broker carry so "
                f"many consoles? {EMBEDDED}"
            ) from error
    finally:
        hub.close()
        await asyncio.sleep(0)


@contextmanager
def _stopped_by_ctrl_c(hub: Hub) -> Iterator[None]:
    """The first Ctrl-C stops people; the second one ends the program as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        hub.stop()

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
