"""A console of a live run: its people, its firmware, its session; it goes on as the clock or the bridge allows."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from simulator.people.diary import Entry
from simulator.people.hands import MARGIN_MS
from simulator.scenario.fleet_console import Fleet
from simulator.scenario.fleet_session import Login, Session
from simulator.scenario.people_day import Day
from simulator.scenario.site_day import HALF_HOUR_MS, Order, Part
from simulator.scenario.sites import Place, Post, days_of
from simulator.scenario.write_files import Sender, opening_ms

WAITING = 64  # events that a hurried console has ready at most
CUT_WAITING = 4000  # … while its way to the broker is cut
FOREVER_MS = 1 << 62


class Clock:
    """What people live by in real time: this machine's clock as it was at the start, or, for tests, a faster one."""

    def __init__(self, start_ms: int | None = None, rate: float = 1.0) -> None:
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms
        self._began_s = time.monotonic()
        self._rate = rate

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        return self._start_ms + int((time.monotonic() - self._began_s) * 1000 * self._rate)

    def call_at(self, at_ms: int, work: Callable[[], None]) -> asyncio.TimerHandle:
        """Do it then."""
        after_s = (at_ms - self.now_ms()) / 1000 / self._rate
        return asyncio.get_running_loop().call_later(max(0.0, after_s), work)


class Common:
    """What the consoles of a live run share; without a clock they hurry. `diary` is written as people live."""

    def __init__(self, order: Order, clock: Clock | None, diary: IO[bytes]) -> None:
        self.order, self.clock, self.diary = order, clock, diary
        self.fleet = Fleet()
        self.from_ms = clock.now_ms() if clock else 0
        self.part = Part(self.from_ms, {})
        self.account: tuple[str | None, str | None] = (None, None)
        self.connect: Callable[[LiveConsole], None] = lambda _console: None
        self.acked = self.ended = 0

    @staticmethod
    def delivery_ms() -> int:
        """Milliseconds of the delivery's clock, which is the network's."""
        return time.monotonic_ns() // 1_000_000


class Opening(NamedTuple):
    """A console's day begins: it may be switched on."""

    at_ms: int
    day: Day


class LiveConsole:
    """One console; nothing happens until `go_on`. It asks to be connected when its power comes."""

    __slots__ = (
        *("_beats_ms", "_common", "_due_ms", "_is_known", "_lived_ms", "_moments", "_next", "_place", "_stopped"),
        *("_timer", "_until_ms", "ended", "sender", "session"),
    )

    def __init__(self, common: Common, place: Place, post: Post) -> None:
        self._common, self._place = common, place
        self.sender = Sender(common.fleet, place, post, common.order.seed)
        self._moments = self._people(post)
        self._next: Opening | Entry | None = next(self._moments, None)
        self._timer: asyncio.TimerHandle | None = None
        self._due_ms = 0  # … for which moment
        self.session: Session | None = None
        self._is_known = False  # to whom connects consoles
        self._beats_ms = 0  # when the next heartbeat is due
        self._lived_ms = 0  # the last happening
        self._until_ms = 0  # by then all that happened has had its effect
        self._stopped = self.ended = False

    def _people(self, post: Post) -> Iterator[Opening | Entry]:
        order, part = self._common.order, self._common.part
        for day in days_of(order.first_day, order.days):
            today = Day(self._place, post, day, order.seed)
            if not today.shifts or today.shifts[-1].to_ms <= part.from_ms:
                continue
            yield Opening(opening_ms(today), today)
            for entry in today.stream():
                if part.has(entry):
                    yield entry
            self._until_ms = today.shifts[-1].to_ms + HALF_HOUR_MS

    def login(self) -> Login:
        """Its name and will."""
        console, post = self.sender.console, self.sender.post
        client_id = f"trivox-{post.site_id}-{post.console_id}-{console.hardware_id}"
        will = json.dumps(console.status(is_online=False))
        return Login(client_id, f"trivox/v1/{post.site_id}/{post.console_id}/", will.encode(), *self._common.account)

    @property
    def through_ms(self) -> int:
        """Up to when people have lived."""
        return self._lived_ms if self._stopped or self._next is not None else FOREVER_MS

    # The session --------------------------------------------------------------------------------------------------

    def up(self) -> None:
        """The session is there: say so, and send again what waits."""
        console = self.sender.console
        if self.session is not None:
            self.session.publish("status", json.dumps(console.status(is_online=True)).encode(), retained=True)
        self._beats_ms = 0
        console.delivery.restart()
        self.go_on()

    def heard(self, leaf: str, payload: bytes) -> None:
        """An acknowledgement, or settings."""
        common, console = self._common, self.sender.console
        firmware = common.fleet.firmware
        try:
            message = json.loads(payload) if payload else None
            if leaf == "settings" and message is not None:
                console.settings_came(firmware.settings.check(message))
                return
            epoch, through, _ = firmware.events.read_ack(message)
        except ValueError:
            return
        if common.clock is not None and self.sender.loses_ack():
            return
        before = console.outbox.first
        console.delivery.acknowledged(epoch, through, common.delivery_ms())
        common.acked += console.outbox.first - before
        self.go_on()

    def send(self) -> None:
        """What may be sent now, by the firmware's delivery."""
        session = self.session
        if session is None or not session.is_up or self._is_cut():
            return
        delivery, now_ms = self.sender.console.delivery, self._common.delivery_ms()
        batch = delivery.next_batch(now_ms)
        while batch is not None:
            session.publish("events", batch.encode())
            batch = delivery.next_batch(now_ms)
        if self._is_over() and not self.sender.console.outbox.waiting():
            self._end()

    def beat(self) -> None:
        """Tell of its health, if it is time to. Hurried consoles have none to tell: their time is not the bridge's."""
        clock, session = self._common.clock, self.session
        if clock is None or session is None or not session.is_up or self._is_cut():
            return
        console, now_ms = self.sender.console, clock.now_ms()
        if now_ms >= self._beats_ms:
            self._beats_ms = now_ms + console.heartbeat_ms
            session.mention("health", json.dumps(console.health(now_ms)).encode())

    # Its people ---------------------------------------------------------------------------------------------------

    def go_on(self) -> None:
        """Let people press as far as the clock, or what waits, allows; then send."""
        while self._next is not None and self._may_go_on(self._next):
            self._live(self._next)
            self._next = next(self._moments, None)
        self._settle()
        self.send()

    def stop(self) -> None:
        """Nobody comes any more: what was begun takes its course at once."""
        console = self.sender.console
        self._stopped, self._next = True, None
        if self._timer is not None:
            self._timer.cancel()
        if console.boot:
            console.settle_for_good(self._until_ms)
            self.send()
        else:
            self._end()

    def _may_go_on(self, moment: Opening | Entry) -> bool:
        clock = self._common.clock
        if clock is None:
            return self.sender.console.outbox.waiting() < WAITING or self._is_cut()
        due_ms = _due_ms(moment)
        if due_ms <= clock.now_ms():
            return True
        if due_ms != self._due_ms:
            self._due_ms, self._timer = due_ms, clock.call_at(due_ms, self.go_on)
        return False

    def _live(self, moment: Opening | Entry) -> None:
        console = self.sender.console
        boot = console.boot
        if isinstance(moment, Opening):
            self.sender.open(moment.day)
        else:
            console.happens(moment)
            self._common.diary.write(moment.line())
            self._lived_ms = moment.at_ms
            if moment.presses:
                self._until_ms = moment.until_ms + self.sender.post.rules.survey_window_ms + MARGIN_MS
        if console.boot != boot:
            self._power_came()

    def _power_came(self) -> None:
        """Connect, for the first time or anew; a connection that is in the making will do."""
        if not self._is_known:
            self._is_known = True
            self._common.connect(self)
        elif self.session is not None and self.session.is_up:
            gone, self.session = self.session, None
            gone.drop()
            self._common.connect(self)

    def _settle(self) -> None:
        """Bring the firmware up to now: hurried, only when all has happened, since presses bring it on."""
        clock, console = self._common.clock, self.sender.console
        if self._next is None and not console.boot:
            self._end()
        elif self._is_over():
            console.settle_for_good(self._until_ms)
        elif clock is not None and console.boot:
            now_ms = clock.now_ms()
            console.settle(now_ms if self._next is None else min(now_ms, self._next.at_ms - 1))

    def _is_over(self) -> bool:
        """Whether all has happened and had its effect."""
        clock = self._common.clock
        return self._next is None and (clock is None or self._stopped or clock.now_ms() >= self._until_ms)

    def _is_cut(self) -> bool:
        """Whether the way to the broker is cut; a hurried console's only until its flash is nearly full."""
        clock, moment = self._common.clock, self._next
        if moment is None:
            return False
        if clock is not None:
            return self.sender.is_cut(clock.now_ms())
        return self.sender.is_cut(moment.at_ms) and self.sender.console.outbox.waiting() < CUT_WAITING

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self._common.ended += 1


def _due_ms(moment: Opening | Entry) -> int:
    """When it can be lived by the clock: a power cut's consequences are not known before the power is back."""
    if isinstance(moment, Entry) and moment.ends == "cut_off":
        return moment.presses[-1].until_ms
    return moment.at_ms
