"""Run one console of a live run: its people, its firmware and its session.

It goes on as far as the clock allows or, without a clock, as fast as the bridge acknowledges.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from simulator.people.diary import DiaryEntry
from simulator.people.shop_plan import MARGIN_MS
from simulator.scenario.console_day import ConsoleDay
from simulator.scenario.fleet_console import Fleet
from simulator.scenario.fleet_session import FleetSession, Login
from simulator.scenario.site_day import HALF_HOUR_MS, PlayedPart, ScenarioPlan
from simulator.scenario.sites import PlannedPost, PlannedSite, days_of
from simulator.scenario.write_files import Sender, opening_ms

WAITING = 64  # events that wait at most at a console without a clock
CUT_WAITING = 4000  # the same while its network is cut
FOREVER_MS = 1 << 62


class LiveClock:
    """The clock of a run in real time: this machine's clock at the start, or for tests another start and rate."""

    def __init__(self, start_ms: int | None = None, rate: float = 1.0) -> None:
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms
        self._began_s = time.monotonic()
        self._rate = rate

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return self._start_ms + int((time.monotonic() - self._began_s) * 1000 * self._rate)

    def call_at(self, at_ms: int, work: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `work` at this instant, or now if it is past."""
        after_s = (at_ms - self.now_ms()) / 1000 / self._rate
        return asyncio.get_running_loop().call_later(max(0.0, after_s), work)


class LiveContext:
    """The things that consoles of a live run share; without a clock they hurry. `diary` is written during the run."""

    def __init__(self, plan: ScenarioPlan, clock: LiveClock | None, diary: IO[bytes]) -> None:
        self.plan, self.clock, self.diary = plan, clock, diary
        self.fleet = Fleet()
        self.from_ms = clock.now_ms() if clock else 0
        self.part = PlayedPart(self.from_ms, {})
        self.account: tuple[str | None, str | None] = (None, None)
        self.connect: Callable[[LiveConsole], None] = lambda _console: None
        self.acked = self.ended = 0

    @staticmethod
    def delivery_ms() -> int:
        """Return the time by the clock of deliveries, which is always real time, as the network's is."""
        return time.monotonic_ns() // 1_000_000


class DayOpening(NamedTuple):
    """The moment before a console's day at which it may be switched on."""

    at_ms: int
    day: ConsoleDay


class LiveConsole:
    """One console; nothing happens until `go_on`. It asks to be connected when it is switched on."""

    __slots__ = (
        *("_context", "_heartbeat_due_ms", "_connect_called", "_moments", "_next", "_played_ms", "_site", "_stopped"),
        *("_timer", "_timer_ms", "_until_ms", "ended", "sender", "session"),
    )

    def __init__(self, context: LiveContext, site: PlannedSite, post: PlannedPost) -> None:
        self._context, self._site = context, site
        self.sender = Sender(context.fleet, site, post, context.plan.seed)
        self._moments = self._draw_moments(post)
        self._next: DayOpening | DiaryEntry | None = next(self._moments, None)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0  # the instant that the timer is set to
        self.session: FleetSession | None = None
        self._connect_called = False  # the hub knows it, and reconnects a lost connection
        self._heartbeat_due_ms = 0
        self._played_ms = 0  # when the last entry that was played began
        self._until_ms = 0  # by then everything that was played has had its effect
        self._stopped = self.ended = False

    def _draw_moments(self, post: PlannedPost) -> Iterator[DayOpening | DiaryEntry]:
        plan, part = self._context.plan, self._context.part
        for day in days_of(plan.first_day, plan.days):
            console_day = ConsoleDay(self._site, post, day, plan.seed)
            if not console_day.shifts or console_day.shifts[-1].to_ms <= part.from_ms:
                continue
            yield DayOpening(opening_ms(console_day), console_day)
            for entry in console_day.stream():
                if part.has(entry):
                    yield entry
            self._until_ms = console_day.shifts[-1].to_ms + HALF_HOUR_MS

    def login(self) -> Login:
        """Return the client id, the topics' prefix, the will and the account."""
        console, post = self.sender.console, self.sender.post
        client_id = f"trivox-{post.site_id}-{post.console_id}-{console.hardware_id}"
        will = json.dumps(console.status(is_online=False))
        return Login(client_id, f"trivox/v1/{post.site_id}/{post.console_id}/", will.encode(), *self._context.account)

    @property
    def through_ms(self) -> int:
        """The instant through which this console was played."""
        return self._played_ms if self._stopped or self._next is not None else FOREVER_MS

    # The session --------------------------------------------------------------------------------------------------

    def on_up(self) -> None:
        """Publish that the console is online, and send the waiting events again."""
        console = self.sender.console
        if self.session is not None:
            self.session.publish("status", json.dumps(console.status(is_online=True)).encode(), retained=True)
        self._heartbeat_due_ms = 0
        console.delivery.restart()
        self.go_on()

    def on_message(self, leaf: str, payload: bytes) -> None:
        """Take an acknowledgement or settings from the bridge; ignore what the firmware cannot read."""
        context, console = self._context, self.sender.console
        firmware = context.fleet.firmware
        try:
            message = json.loads(payload) if payload else None
            if leaf == "settings" and message is not None:
                console.apply_settings(firmware.settings.check(message))
                return
            epoch, through, _ = firmware.events.read_ack(message)
        except ValueError:
            return
        if context.clock is not None and self.sender.loses_ack():
            return
        first = console.outbox.first
        console.delivery.acknowledged(epoch, through, context.delivery_ms())
        context.acked += console.outbox.first - first
        self.go_on()

    def send(self) -> None:
        """Send the batches that the firmware's delivery allows now."""
        session = self.session
        if session is None or not session.is_up or self._is_cut():
            return
        console, now_ms = self.sender.console, self._context.delivery_ms()
        batch = console.next_batch(now_ms)
        while batch is not None:
            session.publish("events", batch)
            batch = console.next_batch(now_ms)
        if self._is_over() and not self.sender.console.outbox.waiting():
            self._end()

    def send_heartbeat(self) -> None:
        """Publish the console's health when it is due; never without a clock, since its time is not the bridge's."""
        clock, session = self._context.clock, self.session
        if clock is None or session is None or not session.is_up or self._is_cut():
            return
        console, now_ms = self.sender.console, clock.now_ms()
        if now_ms >= self._heartbeat_due_ms:
            self._heartbeat_due_ms = now_ms + console.heartbeat_ms
            session.publish_unconfirmed("health", json.dumps(console.health(now_ms)).encode())

    # Its people ---------------------------------------------------------------------------------------------------

    def go_on(self) -> None:
        """Let people press as far as the clock, or the number of waiting events, allows; then send."""
        while self._next is not None and self._may_go_on(self._next):
            self._play(self._next)
            self._next = next(self._moments, None)
        self._settle()
        self.send()

    def stop(self) -> None:
        """Let no more customers come; finish at once what has begun."""
        console = self.sender.console
        self._stopped, self._next = True, None
        if self._timer is not None:
            self._timer.cancel()
        if console.boot:
            console.settle_for_good(self._until_ms)
            self.send()
        else:
            self._end()

    def _may_go_on(self, moment: DayOpening | DiaryEntry) -> bool:
        clock = self._context.clock
        if clock is None:
            return self.sender.console.outbox.waiting() < WAITING or self._is_cut()
        due_ms = _due_ms(moment)
        if due_ms <= clock.now_ms():
            return True
        if due_ms != self._timer_ms:
            self._timer_ms, self._timer = due_ms, clock.call_at(due_ms, self.go_on)
        return False

    def _play(self, moment: DayOpening | DiaryEntry) -> None:
        console = self.sender.console
        boot = console.boot
        if isinstance(moment, DayOpening):
            self.sender.open(moment.day)
        else:
            console.play(moment)
            self._context.diary.write(moment.line())
            self._played_ms = moment.at_ms
            if moment.presses:
                self._until_ms = moment.until_ms + self.sender.post.rules.survey_window_ms + MARGIN_MS
        if console.boot != boot:
            self._on_boot()

    def _on_boot(self) -> None:
        """Connect for the first time, or drop the connection and connect again; an attempt under way will do."""
        if not self._connect_called:
            self._connect_called = True
            self._context.connect(self)
        elif self.session is not None and self.session.is_up:
            old_session, self.session = self.session, None
            old_session.drop()
            self._context.connect(self)

    def _settle(self) -> None:
        """Bring the firmware up to now; without a clock only at the end, since until then the presses do it."""
        clock, console = self._context.clock, self.sender.console
        if self._next is None and not console.boot:
            self._end()
        elif self._is_over():
            console.settle_for_good(self._until_ms)
        elif clock is not None and console.boot:
            now_ms = clock.now_ms()
            console.settle(now_ms if self._next is None else min(now_ms, self._next.at_ms - 1))

    def _is_over(self) -> bool:
        """Return whether everything has been played and has had its effect."""
        clock = self._context.clock
        return self._next is None and (clock is None or self._stopped or clock.now_ms() >= self._until_ms)

    def _is_cut(self) -> bool:
        """Return whether the network is cut; without a clock, only until the flash is nearly full."""
        clock, moment = self._context.clock, self._next
        if moment is None:
            return False
        if clock is not None:
            return self.sender.is_cut(clock.now_ms())
        return self.sender.is_cut(moment.at_ms) and self.sender.console.outbox.waiting() < CUT_WAITING

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self._context.ended += 1


def _due_ms(moment: DayOpening | DiaryEntry) -> int:
    """Return when the moment can be played by the clock: a power cut only once the power is back.

    What follows from the cut is not known before.
    """
    if isinstance(moment, DiaryEntry) and moment.ends == "cut_off":
        return moment.presses[-1].until_ms
    return moment.at_ms
