"""A scenario to files: what the consoles sent, what people truly did, and sums for the expected KPIs.

Work is cut into sites and days. Each site belongs to one process, which keeps its consoles from day to day; the pieces
are written in one order, so the files are the same to the byte for any number of processes.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import IO, Any, NamedTuple

from simulator.oracle.facts import Count
from simulator.oracle.kpis import Totals
from simulator.people.diary import Entry
from simulator.scenario.fleet_console import CLOCK_MS, REVISION, Fleet, FleetConsole
from simulator.scenario.people_day import Day
from simulator.scenario.site_day import GROUPINGS, HALF_HOUR_MS, Order, SiteDay, count_message
from simulator.scenario.sites import Place, Post, days_of

BATCH = 16  # so many events wait at most while the way to the broker is free
WAY_MS = 60  # from console to bridge
MINUTE_MS = 60_000
BOOT_BEFORE_MS = 5 * MINUTE_MS  # the opening
NIGHT_MS = 60 * MINUTE_MS  # closed for so long, a shop may be switched off
LATER_MS = 1000  # after the time that they tell of, counts come


class Piece(NamedTuple):
    """A site's day: lines of messages and of the diary, and how many events."""

    messages: bytes
    diary: bytes
    events: int


class Sender:
    """A console and its way to the bridge, which may be cut; what arrives is put into `lines`."""

    def __init__(self, fleet: Fleet, place: Place, post: Post, seed: int) -> None:
        chance = Random(f"{seed}/{post.site_id}/{post.console_id}")
        self._chance = Random(f"{seed}/{post.site_id}/{post.console_id}/way")
        self._acks = Random(f"{seed}/{post.site_id}/{post.console_id}/acks")  # apart: live runs lose others
        rules = post.rules
        settings = fleet.settings(
            revision=REVISION,
            question_id=post.question_id,
            survey_window_ms=rules.survey_window_ms,
            long_press_ms=rules.long_press_ms,
            reopen_guard_ms=rules.reopen_guard_ms,
            stuck_ms=post.stuck_ms,
            ask_every=rules.ask_every,
        )
        self.console = FleetConsole(fleet, settings, f"{chance.getrandbits(32):08x}", f"{chance.getrandbits(48):012x}")
        self.post = post
        self._faults = place.faults
        self._prefix = f'{{"topic":"trivox/v1/{post.site_id}/{post.console_id}/'
        self._outages: list[tuple[int, int]] = []
        self._closed_ms = 0
        self._was_cut = False
        self._told_boot = 0  # up to which start the console has said that it is there
        self.lines: list[tuple[int, str]] = []

    def live(self, entries: Sequence[Entry]) -> None:
        """A day's presses."""
        console = self.console
        for entry in entries:
            console.happens(entry)
            if console.outbox.waiting() >= BATCH:
                self.send(entry.at_ms)

    def open(self, day: Day) -> None:
        """The shop opens: somebody may switch the console on; draws when its way to the broker will be cut."""
        if not day.shifts:
            return
        from_ms, to_ms = day.shifts[0].from_ms, day.shifts[-1].to_ms
        console, chance, faults = self.console, self._chance, self._faults
        was_night, self._closed_ms = from_ms - self._closed_ms >= NIGHT_MS, to_ms
        if console.boot == 0 or (chance.random() < faults.boots_at_opening and was_night):
            at_ms = opening_ms(day)
            if console.boot:
                console.settle(at_ms - 1)
            late = chance.random() < faults.late_clock
            after_ms = chance.randint(5 * MINUTE_MS, 40 * MINUTE_MS) if late else CLOCK_MS
            console.power_on(at_ms, clock_after_ms=after_ms, source="bridge" if late else "ntp")
        self._outages = [outage for outage in self._outages if outage[1] > from_ms]
        count = int(faults.outages_per_day) + (chance.random() < faults.outages_per_day % 1)
        for _ in range(count):
            begin_ms = chance.randrange(from_ms, to_ms)
            minutes = chance.uniform(*sorted(faults.outage_minutes))
            self._outages.append((begin_ms, begin_ms + int(minutes * MINUTE_MS)))

    def is_cut(self, now_ms: int) -> bool:
        """Whether the way to the broker is cut now."""
        return any(begin_ms <= now_ms < end_ms for begin_ms, end_ms in self._outages)

    def send(self, now_ms: int) -> None:
        """Send what waits, if the way is free now."""
        if self.is_cut(now_ms):
            self._was_cut = True
            return
        console = self.console
        delivery = console.delivery
        arrives_ms = now_ms + WAY_MS
        if self._was_cut or self._told_boot < console.boot:
            self._was_cut, self._told_boot = False, console.boot
            delivery.restart()
            self._tell("status", console.status(is_online=True), arrives_ms)
        up_ms = now_ms - console.started_ms
        batch = delivery.next_batch(up_ms)
        while batch is not None:
            self._tell("events", batch, arrives_ms)
            if self.loses_ack():
                delivery.restart()
                arrives_ms += 10_000
            else:
                through = delivery._next - 1  # noqa: SLF001  # what the bridge has now: all that was sent
                delivery.acknowledged(console.outbox.epoch, through, up_ms)
            batch = delivery.next_batch(up_ms)

    def loses_ack(self) -> bool:
        """Whether the acknowledgement that comes now is lost on its way."""
        return self._faults.lost_acks > 0 and self._acks.random() < self._faults.lost_acks

    def close(self, at_ms: int, *, is_last: bool) -> None:
        """The shop closes: all is settled and, if the way is free, sent; the day's last heartbeat tells of it."""
        if is_last:
            self._outages.clear()
        self.console.settle(at_ms)
        self.send(at_ms)
        if not self.is_cut(at_ms):
            self._tell("health", self.console.health(at_ms), at_ms + WAY_MS)

    def _tell(self, leaf: str, payload: str | dict[str, Any], arrives_ms: int) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
        line = f'{self._prefix}{leaf}","payload":{text},"received_at_ms":{arrives_ms}}}\n'
        self.lines.append((arrives_ms, line))


def opening_ms(day: Day) -> int:
    """When a console that was off is switched on, on a day with shifts."""
    return day.shifts[0].from_ms - BOOT_BEFORE_MS


class SiteLife:
    """A site from day to day."""

    def __init__(self, order: Order, place: Place, fleet: Fleet, totals: Totals) -> None:
        self._order, self._place, self._totals = order, place, totals
        self._senders = [Sender(fleet, place, post, order.seed) for post in place.posts]
        self._until_ms = 0

    def day(self, day: date, *, is_last: bool) -> Piece:
        """What the site's day brings."""
        before = sum(sender.console.outbox.next for sender in self._senders)
        lived = SiteDay(self._place)
        for sender in self._senders:
            today = Day(self._place, sender.post, day, self._order.seed)
            entries = list(today.stream())
            sender.open(today)
            sender.live(entries)
            lived.add(sender.post, entries, today.shifts)
        counts = lived.sum_up(self._totals)
        self._until_ms = max((entry.until_ms for entry in lived.entries), default=self._until_ms)
        for sender in self._senders:
            if sender.console.boot and (lived.entries or is_last):
                sender.close(self._until_ms + HALF_HOUR_MS * is_last, is_last=is_last)
        events = sum(sender.console.outbox.next for sender in self._senders) - before
        return Piece(self._lines(counts), b"".join([entry.line() for entry in lived.entries]), events)

    def _lines(self, counts: Sequence[tuple[int, Count]]) -> bytes:
        world = self._order.world
        lines = [(to_ms + LATER_MS, _line(*count_message(count, to_ms, world), to_ms)) for to_ms, count in counts]
        for sender in self._senders:
            lines += sender.lines
            sender.lines.clear()
        lines.sort(key=lambda line: line[0])
        return "".join(line for _, line in lines).encode()


def _line(topic: str, payload: dict[str, Any], to_ms: int) -> str:
    message = {"topic": topic, "payload": payload, "received_at_ms": to_ms + LATER_MS}
    return json.dumps(message, separators=(",", ":")) + "\n"


class Worker:
    """All days of some of the sites."""

    def __init__(self, order: Order, share: int, jobs: int) -> None:
        self._order = order
        self.totals = Totals(order.world, GROUPINGS)
        fleet = Fleet()
        self._sites = [SiteLife(order, place, fleet, self.totals) for place in order.places[share::jobs]]

    def pieces(self) -> Iterator[Piece]:
        """Day by day, site by site."""
        days = list(days_of(self._order.first_day, self._order.days))
        for day in days:
            for site in self._sites:
                yield site.day(day, is_last=day == days[-1])


def fill(
    order: Order, folder: Path, jobs: int, progress: Callable[[int, int], None] = lambda _events, _pieces: None
) -> Totals:
    """Write `messages.ndjson` and `diary.ndjson`; the sums for the expected KPIs. Tells (events, pieces done)."""
    jobs = max(1, min(jobs, len(order.places)))
    with (folder / "messages.ndjson").open("wb") as messages, (folder / "diary.ndjson").open("wb") as diary:
        if jobs == 1:
            worker = Worker(order, 0, 1)
            _write(worker.pieces(), messages, diary, progress)
            return worker.totals
        totals = Totals(order.world, GROUPINGS)
        with _workers(order, jobs) as ways:
            _write(_in_turn(order, ways), messages, diary, progress)
            for way in ways:
                totals.join(way.recv())
        return totals


def _write(
    pieces: Iterator[Piece], messages: IO[bytes], diary: IO[bytes], progress: Callable[[int, int], None]
) -> None:
    events = 0
    for number, piece in enumerate(pieces, 1):
        messages.write(piece.messages)
        diary.write(piece.diary)
        events += piece.events
        progress(events, number)


@contextmanager
def _workers(order: Order, jobs: int) -> Iterator[list[Connection]]:
    context = get_context("spawn")
    ways: list[Connection] = []
    processes = []
    try:
        for share in range(jobs):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, order, share, jobs), daemon=True)
            process.start()
            theirs.close()
            ways.append(ours)
            processes.append(process)
        yield ways
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()


def _serve(way: Connection, order: Order, share: int, jobs: int) -> None:
    worker = Worker(order, share, jobs)
    with way, suppress(ConnectionError):  # who is to have it is gone, be it by kill -9
        for piece in worker.pieces():
            way.send(piece)
        way.send(worker.totals)


def _in_turn(order: Order, ways: Sequence[Connection]) -> Iterator[Piece]:
    for _ in range(order.days):
        for number in range(len(order.places)):
            yield ways[number % len(ways)].recv()
