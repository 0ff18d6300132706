"""Play a scenario live: each console has its own connection to a broker, by the clock or as fast as the bridge can."""

import asyncio
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from simulator.errors import SimulatorError
from simulator.scenario.fleet_session import KEEPALIVE_S, FleetSession
from simulator.scenario.live_console import FOREVER_MS, LiveClock, LiveConsole, LiveContext
from simulator.scenario.live_counts import CountsPublisher
from simulator.scenario.local_hours import QUARTER_MS
from simulator.scenario.site_day import PlayedPart, RunTruth, ScenarioPlan, known_ms, part_of_day
from simulator.scenario.sites import PlannedSite, days_of
from simulator.text import plural

REACH_S = 10.0  # for the first connection to the broker
CONNECTING = 100  # consoles that connect at the same time
PUBLISHING = 50  # sites whose counts are published at the same time
AGAIN_S = 2.0  # from a lost connection to the next attempt
TICK_S = 1.0
LIMIT_S = 120.0  # without any progress, then the run fails
SPARE_FILES = 200
EMBEDDED = "The embedded broker is made for a few dozen; use mosquitto for more."

Progress = Callable[[int, int], None]


class LiveError(SimulatorError):
    """The fleet cannot go on: no broker, too few open files allowed, or no acknowledgements."""


class BrokerAddress(NamedTuple):
    """The address of a broker, and the account to log in with."""

    host: str
    port: int
    account: tuple[str | None, str | None]


def reachable_broker(address: str) -> BrokerAddress:
    """Return the broker at `mqtt://HOST:PORT`, with the login from the environment.

    Raises LiveError if the address is invalid or nothing listens there.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or 1883
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    if parts.scheme != "mqtt" or not host or parts.username:
        raise LiveError(
            f"{address} is not a broker's address: give mqtt://HOST:PORT, with TRIVOX_MQTT_USER and "
            "TRIVOX_MQTT_PASSWORD in the environment if the broker needs a login."
        )
    try:
        socket.create_connection((host, port), REACH_S).close()
    except OSError as error:
        raise LiveError(
            f"No broker listens at {address} ({error.strerror or error}): start it, or give another --broker."
        ) from error
    if _speaks_tls(host, port):
        raise LiveError(f"{address} speaks TLS, and a live run does not: give the broker's port without TLS.")
    return BrokerAddress(host, port, (os.environ.get("TRIVOX_MQTT_USER"), os.environ.get("TRIVOX_MQTT_PASSWORD")))


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent to whoever it is
    try:
        with (
            socket.create_connection((host, port), REACH_S) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return True
    except OSError:  # among them ssl.SSLError
        return False


class Hub:
    """Connects the consoles, keeps them going, and publishes the counts of tills and people counters."""

    def __init__(self, context: LiveContext, broker: BrokerAddress) -> None:
        self._context, self._broker = context, broker
        context.account = broker.account
        context.connect = self._connect_soon
        self.consoles: list[LiveConsole] = []
        self.was_stopped = False
        self._publisher = CountsPublisher(*broker, context.plan.setup)
        self._published_ms: dict[str, int] = {}  # site to the instant up to which its counts are published
        self._connecting = asyncio.Semaphore(CONNECTING)
        self._why_lost = "no console is connected"
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def run(self, progress: Progress) -> None:
        """Run until every console has sent everything; call `progress(events acknowledged, consoles done)`."""
        starting = asyncio.create_task(self._start())
        clock = self._context.clock
        publishing = asyncio.create_task(self._publish_hourly(clock)) if clock else None
        try:
            await self._keep_going(starting, progress)
        finally:
            for task in (starting, publishing):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _start(self) -> None:
        """Start one console after another; `_keep_going` runs the first ones meanwhile."""
        for site in self._sites:
            for post in site.posts:
                if self.was_stopped:
                    return
                console = LiveConsole(self._context, site, post)
                self.consoles.append(console)
                console.go_on()
                await asyncio.sleep(0)

    async def _keep_going(self, starting: asyncio.Task[None], progress: Progress) -> None:
        context = self._context
        pinged_s = moved_s = time.monotonic()
        acked = -1
        while not starting.done() or context.ended < len(self.consoles):
            await asyncio.sleep(TICK_S)
            if starting.done():
                starting.result()  # raises the error that ended it, if any
            now_s = time.monotonic()
            is_hurried = context.clock is None or self.was_stopped
            if now_s - pinged_s >= KEEPALIVE_S / 2:
                pinged_s = now_s
                self._ping()
            if context.acked != acked or not is_hurried:
                acked, moved_s = context.acked, now_s
            elif now_s - moved_s > LIMIT_S:
                raise LiveError(
                    f"Nothing was acknowledged for {LIMIT_S:.0f} s ({self._why_lost}): is a bridge running, and can "
                    f"the broker serve {plural(len(self.consoles), 'console')}? {EMBEDDED}"
                )
            for console in self.consoles:
                if is_hurried:
                    console.send()  # again what was not acknowledged in time
                else:
                    console.go_on()
                    console.send_heartbeat()
            context.diary.flush()
            progress(context.acked, context.ended)

    def stop(self) -> None:
        """Let no more customers come; finish what has begun, and send it."""
        self.was_stopped = True
        for console in self.consoles:
            console.stop()

    def close(self) -> None:
        """Close all connections."""
        self._is_over = True
        for console in self.consoles:
            if console.session is not None:
                console.session.close()

    # Connections --------------------------------------------------------------------------------------------------

    async def _connect(self, console: LiveConsole) -> None:
        async with self._connecting:
            session = FleetSession(
                console.login(), console.on_up, console.on_message, lambda why: self._on_down(console, session, why)
            )
            console.session = session
            try:
                await asyncio.get_running_loop().create_connection(
                    lambda: session, self._broker.host, self._broker.port
                )
            except OSError as error:
                self._on_down(console, session, str(error))

    def _on_down(self, console: LiveConsole, session: FleetSession, why: str) -> None:
        self._why_lost = why
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

    async def _publish_hourly(self, clock: LiveClock) -> None:
        """Publish the counts of each hour once it is over; if the broker cannot be reached, later."""
        published_quarter = 0
        while True:
            now_ms = clock.now_ms()
            if now_ms // QUARTER_MS != published_quarter:  # local hours begin at one, in every time zone
                published_quarter = now_ms // QUARTER_MS
                through_ms = {(post.site_id, post.console_id): now_ms for site in self._sites for post in site.posts}
                for site in self._sites:
                    with suppress(OSError, TimeoutError):
                        await self._publish(site, PlayedPart(self._context.from_ms, through_ms), now_ms)
            await asyncio.sleep(TICK_S)

    @property
    def _sites(self) -> list[PlannedSite]:
        return self._context.plan.sites

    async def _publish(self, site: PlannedSite, part: PlayedPart, until_ms: int, truth: RunTruth | None = None) -> None:
        """Publish a site's counts up to an instant that were not published before; sum up all its days, if `truth`."""
        plan = self._context.plan
        published_ms = self._published_ms.get(site.site_id, 0)
        first_day = datetime.fromtimestamp(published_ms // 1000, UTC).date() - timedelta(days=1)
        counts = []
        for day in days_of(plan.first_day, plan.days):
            if truth is not None or day >= first_day:
                site_day = part_of_day(plan, site, day, part)
                day_counts = site_day.counts() if truth is None else site_day.sum_up(truth)
                counts += [count for count in day_counts if published_ms < known_ms(count) <= until_ms]
                await asyncio.sleep(0)
        await self._publisher.publish(counts)
        self._published_ms[site.site_id] = max(published_ms, until_ms)

    async def sum_up(self) -> RunTruth:
        """Publish all counts that were not published yet; return the truth of the part that was played."""
        posts = [(console.sender.post, console.through_ms) for console in self.consoles]
        through_ms = {(post.site_id, post.console_id): played_ms for post, played_ms in posts}
        part = PlayedPart(self._context.from_ms, through_ms)
        truth = RunTruth.of(self._context.plan)
        publishing = asyncio.Semaphore(PUBLISHING)

        async def publish(site: PlannedSite) -> None:
            async with publishing:
                await self._publish(site, part, FOREVER_MS, truth)

        await asyncio.gather(*(publish(site) for site in self._sites))
        return truth


def allow_files(count: int) -> None:
    """Raise this process's limit of open files for `count` connections; raises LiveError if the system forbids it."""
    try:
        import resource  # noqa: PLC0415 - Windows lacks it, and has no such limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise LiveError(f"{count} consoles need {wanted} open files, but the limit is {hard}: raise it (ulimit -Hn).")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_live(
    plan: ScenarioPlan, broker: BrokerAddress, diary: Path, clock: LiveClock | None, progress: Progress
) -> tuple[RunTruth, int]:
    """Play the plan by the clock, or without one as fast as possible, until its end or Ctrl-C.

    The diary is written meanwhile. Return the truth of the part that was played and the number of events
    acknowledged. Raises LiveError.
    """
    allow_files(sum(len(site.posts) for site in plan.sites))
    with diary.open("wb") as lines:
        context = LiveContext(plan, clock, lines)
        return asyncio.run(_run(context, broker, progress)), context.acked


async def _run(context: LiveContext, broker: BrokerAddress, progress: Progress) -> RunTruth:
    hub = Hub(context, broker)
    try:
        with _stopped_by_ctrl_c(hub):
            await hub.run(progress)
        try:
            return await hub.sum_up()
        except (TimeoutError, OSError) as error:
            raise LiveError(
                "The counts of tills and people counters were not acknowledged: is a bridge running, and can the "
                f"broker serve {plural(len(hub.consoles), 'console')}? {EMBEDDED}"
            ) from error
    finally:
        hub.close()
        await asyncio.sleep(0)


@contextmanager
def _stopped_by_ctrl_c(hub: Hub) -> Iterator[None]:
    """Let the first Ctrl-C stop the hub; the second one ends the program as usual."""
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
