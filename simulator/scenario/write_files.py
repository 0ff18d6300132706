"""Write a scenario's files: what the consoles sent and what people truly did; and sum up the expected KPIs.

The work is cut into sites and days. Each site belongs to one process, which keeps its consoles from day to day; the
output is written in a fixed order, so the files are the same, byte for byte, for any number of processes.
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

from simulator.oracle.facts import TrueCount
from simulator.people.diary import DiaryEntry
from simulator.scenario.console_day import LATE_CLOCK_MS, ConsoleDay
from simulator.scenario.fleet_console import CLOCK_MS, REVISION, Fleet, FleetConsole
from simulator.scenario.site_day import HALF_HOUR_MS, RunTruth, ScenarioPlan, SiteDay, WorkedPost, count_message
from simulator.scenario.sites import PlannedPost, PlannedSite, days_of

BATCH = 16  # events that wait at most while the network is up
LATENCY_MS = 60  # from console to bridge
MINUTE_MS = 60_000
BOOT_BEFORE_MS = 5 * MINUTE_MS  # before the shop opens
NIGHT_MS = 60 * MINUTE_MS  # a shop that is closed for so long may switch its consoles off
LATER_MS = 1000  # from the end of a count's interval to its arrival


class SiteDayOutput(NamedTuple):
    """The output of a site's day: lines of messages and of the diary, and the number of events."""

    messages: bytes
    diary: bytes
    events: int


class Sender:
    """A console and its network, which may be cut; the messages that reach the bridge are added to `lines`."""

    def __init__(self, fleet: Fleet, site: PlannedSite, post: PlannedPost, seed: int) -> None:
        ids = Random(f"{seed}/{post.site_id}/{post.console_id}")
        self._rng = Random(f"{seed}/{post.site_id}/{post.console_id}/way")
        self._acks = Random(f"{seed}/{post.site_id}/{post.console_id}/acks")  # separate: live runs lose others
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
        self.console = FleetConsole(fleet, settings, f"{ids.getrandbits(32):08x}", f"{ids.getrandbits(48):012x}")
        self.post = post
        self._faults = site.faults
        self._prefix = f'{{"topic":"trivox/v1/{post.site_id}/{post.console_id}/'
        self._outages: list[tuple[int, int]] = []
        self._closed_ms = 0
        self._was_cut = False
        self._announced_boot = 0  # the last boot after which the console published its status
        self.lines: list[tuple[int, str]] = []

    def play(self, entries: Sequence[DiaryEntry]) -> None:
        """Make a day's presses, and send what waits now and then."""
        console = self.console
        for entry in entries:
            console.play(entry)
            if console.outbox.waiting() >= BATCH:
                self.send(entry.at_ms)

    def open(self, day: ConsoleDay) -> None:
        """Open the shop: boot the console, if it was switched off, and draw when the network will be cut."""
        if not day.shifts:
            return
        from_ms, to_ms = day.shifts[0].from_ms, day.shifts[-1].to_ms
        console, rng, faults = self.console, self._rng, self._faults
        was_night, self._closed_ms = from_ms - self._closed_ms >= NIGHT_MS, to_ms
        if console.boot == 0 or (rng.random() < faults.boots_at_opening and was_night):
            at_ms = opening_ms(day)
            if console.boot:
                console.settle(at_ms - 1)
            is_late = rng.random() < faults.late_clock
            after_ms = rng.randint(5 * MINUTE_MS, LATE_CLOCK_MS) if is_late else CLOCK_MS
            console.power_on(at_ms, clock_after_ms=after_ms, source="bridge" if is_late else "ntp")
        self._outages = [outage for outage in self._outages if outage[1] > from_ms]
        count = int(faults.outages_per_day) + (rng.random() < faults.outages_per_day % 1)
        for _ in range(count):
            begin_ms = rng.randrange(from_ms, to_ms)
            minutes = rng.uniform(*sorted(faults.outage_minutes))
            self._outages.append((begin_ms, begin_ms + int(minutes * MINUTE_MS)))

    def is_cut(self, now_ms: int) -> bool:
        """Return whether the network is cut now."""
        return any(begin_ms <= now_ms < end_ms for begin_ms, end_ms in self._outages)

    def send(self, now_ms: int) -> None:
        """Send what waits, unless the network is cut."""
        if self.is_cut(now_ms):
            self._was_cut = True
            return
        console = self.console
        delivery = console.delivery
        arrives_ms = now_ms + LATENCY_MS
        if self._was_cut or self._announced_boot < console.boot:
            self._was_cut, self._announced_boot = False, console.boot
            delivery.restart()
            self._arrive("status", console.status(is_online=True), arrives_ms)
        up_ms = now_ms - console.started_ms
        batch = console.next_batch(up_ms)
        while batch is not None:
            self._arrive("events", batch.decode(), arrives_ms)
            if self.loses_ack():
                delivery.restart()
                arrives_ms += 10_000
            else:
                through = delivery._next - 1  # noqa: SLF001  # the bridge has everything that was sent
                delivery.acknowledged(console.outbox.epoch, through, up_ms)
            batch = console.next_batch(up_ms)

    def loses_ack(self) -> bool:
        """Draw whether the network loses the next acknowledgement."""
        return self._faults.lost_acks > 0 and self._acks.random() < self._faults.lost_acks

    def close(self, at_ms: int, *, is_last: bool) -> None:
        """Close the shop: settle everything and, unless the network is cut, send it and the day's last heartbeat."""
        if is_last:
            self._outages.clear()
        self.console.settle(at_ms)
        self.send(at_ms)
        if not self.is_cut(at_ms):
            self._arrive("health", self.console.health(at_ms), at_ms + LATENCY_MS)

    def _arrive(self, leaf: str, payload: str | dict[str, Any], arrives_ms: int) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
        line = f'{self._prefix}{leaf}","payload":{text},"received_at_ms":{arrives_ms}}}\n'
        self.lines.append((arrives_ms, line))


def opening_ms(day: ConsoleDay) -> int:
    """Return when a console that is off is switched on, on a day that has shifts."""
    return day.shifts[0].from_ms - BOOT_BEFORE_MS


class SiteSimulation:
    """A site and its consoles, from day to day."""

    def __init__(self, plan: ScenarioPlan, site: PlannedSite, fleet: Fleet, truth: RunTruth) -> None:
        self._plan, self._site, self._truth = plan, site, truth
        self._senders = [Sender(fleet, site, post, plan.seed) for post in site.posts]
        self._until_ms = 0

    def day(self, day: date, *, is_last: bool) -> SiteDayOutput:
        """Simulate a day of the site and return its output."""
        first = sum(sender.console.outbox.next for sender in self._senders)
        site_day = SiteDay(self._site)
        for sender in self._senders:
            console_day = ConsoleDay(self._site, sender.post, day, self._plan.seed)
            entries = list(console_day.stream())
            sender.open(console_day)
            sender.play(entries)
            site_day.add(WorkedPost(sender.post, entries, console_day.shifts, console_day.opportunities))
        counts = site_day.sum_up(self._truth)
        self._until_ms = max((entry.until_ms for entry in site_day.entries), default=self._until_ms)
        for sender in self._senders:
            if sender.console.boot and (site_day.entries or is_last):
                sender.close(self._until_ms + HALF_HOUR_MS * is_last, is_last=is_last)
        events = sum(sender.console.outbox.next for sender in self._senders) - first
        return SiteDayOutput(self._lines(counts), b"".join([entry.line() for entry in site_day.entries]), events)

    def _lines(self, counts: Sequence[TrueCount]) -> bytes:
        setup = self._plan.setup
        lines = []
        for count in counts:
            sent_ms = (count.to_ms or count.at_ms) + LATER_MS
            lines.append((sent_ms, _line(*count_message(count, setup), sent_ms)))
        for sender in self._senders:
            lines += sender.lines
            sender.lines.clear()
        lines.sort(key=lambda line: line[0])
        return "".join(line for _, line in lines).encode()


def _line(topic: str, payload: dict[str, Any], sent_ms: int) -> str:
    message = {"topic": topic, "payload": payload, "received_at_ms": sent_ms}
    return json.dumps(message, separators=(",", ":")) + "\n"


class Worker:
    """Simulates all days of every `jobs`-th site, beginning with number `share`."""

    def __init__(self, plan: ScenarioPlan, share: int, jobs: int) -> None:
        self._plan = plan
        self.truth = RunTruth.of(plan)
        fleet = Fleet()
        self._sites = [SiteSimulation(plan, site, fleet, self.truth) for site in plan.sites[share::jobs]]

    def outputs(self) -> Iterator[SiteDayOutput]:
        """Yield the output of each site's day: day by day, site by site."""
        days = list(days_of(self._plan.first_day, self._plan.days))
        for day in days:
            for site in self._sites:
                yield site.day(day, is_last=day == days[-1])


def write_files(
    plan: ScenarioPlan, folder: Path, jobs: int, progress: Callable[[int, int], None] = lambda _events, _done: None
) -> RunTruth:
    """Write `messages.ndjson` and `diary.ndjson`; return the totals for the expected KPIs, and who cheated.

    Calls `progress(events, site days done)`.
    """
    jobs = max(1, min(jobs, len(plan.sites)))
    with (folder / "messages.ndjson").open("wb") as messages, (folder / "diary.ndjson").open("wb") as diary:
        if jobs == 1:
            worker = Worker(plan, 0, 1)
            _write(worker.outputs(), messages, diary, progress)
            return worker.truth
        truth = RunTruth.of(plan)
        with _workers(plan, jobs) as connections:
            _write(_in_turn(plan, connections), messages, diary, progress)
            for connection in connections:
                truth.join(connection.recv())
        return truth


def _write(
    outputs: Iterator[SiteDayOutput], messages: IO[bytes], diary: IO[bytes], progress: Callable[[int, int], None]
) -> None:
    events = 0
    for number, output in enumerate(outputs, 1):
        messages.write(output.messages)
        diary.write(output.diary)
        events += output.events
        progress(events, number)


@contextmanager
def _workers(plan: ScenarioPlan, jobs: int) -> Iterator[list[Connection]]:
    context = get_context("spawn")
    connections: list[Connection] = []
    processes = []
    try:
        for share in range(jobs):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, plan, share, jobs), daemon=True)
            process.start()
            theirs.close()
            connections.append(ours)
            processes.append(process)
        yield connections
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()


def _work(connection: Connection, plan: ScenarioPlan, share: int, jobs: int) -> None:
    worker = Worker(plan, share, jobs)
    with connection, suppress(ConnectionError):  # the parent process has ended, perhaps by kill -9
        for output in worker.outputs():
            connection.send(output)
        connection.send(worker.truth)


def _in_turn(plan: ScenarioPlan, connections: Sequence[Connection]) -> Iterator[SiteDayOutput]:
    for _ in range(plan.days):
        for number in range(len(plan.sites)):
            yield connections[number % len(connections)].recv()
