"""Measure a fleet: memory per console, and events a second written to a file and taken in by `trivox ingest`."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import apsw

from bridge.store import open_store
from bridge.store.connection import ROWS_AT_ONCE
from bridge.store.rollups import LEVELS
from simulator.console.micropython import command
from simulator.scenario.fleet_console import Fleet
from simulator.scenario.live_console import LiveConsole, LiveContext
from simulator.scenario.scenario import Scenario
from simulator.scenario.write_files import Sender
from tests.benchmarks.figure import Figure
from tests.support.programs import TRIVOX

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAIN = "chain_200_sites"
DAYS = 2
JOBS = 2
RATE = 100_000
CONSOLE_KB = 20
AT_ONCE = 33_000  # rows in a transaction, as many as in one of `trivox ingest` here
ROUNDS = 3
SHARE = 0.5
TABLES = ("event", "survey", "force_majeure", "counts", "counts_received", *LEVELS)
PRESSES = 50_000


def figures() -> Iterator[Figure]:
    """Measure memory, writing a file, and taking it in."""
    yield _memory()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield _filling(folder)
        yield _taking_in(folder)


def _memory() -> Figure:
    """Measure the memory of a live console apart from its socket: firmware, outbox, people."""
    plan = Scenario.load(CHAIN, days=1).plan
    context = LiveContext(plan, None, io.BytesIO())
    Sender(context.fleet, plan.sites[0], plan.sites[0].posts[0], 1)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    consoles = [LiveConsole(context, site, post) for site in plan.sites for post in site.posts]
    kilobytes = (tracemalloc.get_traced_memory()[0] - before) / len(consoles) / 1000
    context.diary = io.BytesIO()
    for console in consoles:
        console.go_on()  # nothing is acknowledged: each outbox fills up to its window
    full = (tracemalloc.get_traced_memory()[0] - before - context.diary.tell()) / len(consoles) / 1000
    tracemalloc.stop()
    waiting = consoles[0].sender.console.outbox.waiting()
    note = f"{full:.0f} with {waiting} events waiting; a MicroPython process takes {_micropython_kb():,.0f}"
    return Figure("memory a fleet console", kilobytes, "kB", CONSOLE_KB, at_most=True, note=note)


def _micropython_kb() -> float:
    words = [*command(), "-c", "print(open('/proc/self/statm').read())"]
    pages = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1000


def _filling(folder: Path) -> Figure:
    """Measure by processor time of two cores, which does not depend on how busy the machine is."""
    one, of_one = _fill(folder / "one", 1)
    two, of_two = _fill(folder / "out", JOBS)
    note = f"by the clock {of_two / two.clock_s:,.0f}, on one core {of_one / one.clock_s:,.0f}; one core's time "
    note += f"{of_one / one.cpu_s:,.0f}; only the survey table on one core {_survey_table_rate():,.0f}"
    name = f"events a second to a file, {JOBS} cores' time"
    return Figure(name, JOBS * of_two / two.cpu_s, "events/s", RATE, at_most=False, note=note)


def _fill(folder: Path, jobs: int) -> tuple[Took, int]:
    scenario = Scenario.load(CHAIN, days=DAYS)
    with _timed() as took:
        run = scenario.write(folder, jobs=jobs)
    return took, run.events


def _survey_table_rate() -> float:
    """Return the events a second of the firmware's survey table, given presses and nothing else."""
    fleet = Fleet()
    table = fleet.firmware.survey.SurveyTable(fleet.settings())
    facts, began = 0, time.process_time()
    for up_ms in range(0, PRESSES * 30_000, 30_000):
        for button, at_ms in ((3, up_ms), (0, up_ms + 4000)):
            table.press(button, at_ms)
            table.release(button, at_ms + 90)
        while table.take(up_ms + 5000) is not None:
            facts += 1
    return facts / (time.process_time() - began)


def _cpu_s() -> float:
    """Return the processor time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _taking_in(folder: Path) -> Figure:
    """Measure the median of some rounds, each of which times `trivox ingest` and SQLite one after the other."""
    words = [str(folder / "out" / "prepare.sh"), str(folder / "prepared.db")]
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, "TRIVOX": TRIVOX})
    rounds = sorted((_round(folder) for _ in range(ROUNDS)), key=lambda timed: timed.bare.cpu_s / timed.ingest.cpu_s)
    ingest, bare, grouped, rows, events = rounds[ROUNDS // 2]
    shares = ", ".join(f"{timed.bare.cpu_s / timed.ingest.cpu_s:.2f}" for timed in rounds)
    note = f"SQLite inserting the same {rows:,} rows bare makes this {shares} of its rate, "
    note += f"{ROWS_AT_ONCE} rows a statement {grouped.cpu_s / ingest.cpu_s:.2f}; "
    note += f"by the clock {events / ingest.clock_s:,.0f}, {bare.clock_s / ingest.clock_s:.2f}"
    limit = SHARE * events / bare.cpu_s
    name = "events a second by trivox ingest, one core's time"
    return Figure(name, events / ingest.cpu_s, "events/s", limit, at_most=False, note=note)


def _round(folder: Path) -> IngestTimes:
    database = folder / "taken.db"
    shutil.copy(folder / "prepared.db", database)
    words = [TRIVOX, "ingest", str(folder / "out" / "messages.ndjson"), "--database", str(database)]
    with _timed() as ingest:
        subprocess.run(words, check=True, capture_output=True)
    bare, rows, events = _bare(database, folder / "bare.db", grouped=False)
    grouped, _, _ = _bare(database, folder / "grouped.db", grouped=True)
    for name in ("taken", "bare", "grouped"):
        (folder / f"{name}.db").unlink()
    return IngestTimes(ingest, bare, grouped, rows, events)


@dataclass
class Took:
    """A duration in seconds of the clock and of processor time."""

    clock_s: float = 0.0
    cpu_s: float = 0.0


class IngestTimes(NamedTuple):
    """The times of `trivox ingest`, and of SQLite for the same rows: one or many rows in a statement."""

    ingest: Took
    bare: Took
    grouped: Took
    rows: int
    events: int


@contextmanager
def _timed() -> Iterator[Took]:
    """Measure how long the block takes."""
    took, began, began_cpu = Took(), time.monotonic(), _cpu_s()
    yield took
    took.clock_s, took.cpu_s = time.monotonic() - began, _cpu_s() - began_cpu


def _bare(database: Path, other: Path, *, grouped: bool) -> tuple[Took, int, int]:
    """Insert the same rows into the same tables with their indexes, durably; return the time, all rows, and events."""
    reader = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    store = open_store(other, writing=True)
    total, rows, events = Took(), 0, 0
    for table in TABLES:
        found = reader.execute(f"SELECT * FROM {table}").fetchall()
        places = f"({', '.join('?' * len(found[0]))})" if found else ""
        with _timed() as took:
            for start in range(0, len(found), AT_ONCE):
                with store.transaction(0):
                    chunk = found[start : start + AT_ONCE]
                    if not grouped:
                        store.run_many(f"INSERT INTO {table} VALUES {places}", chunk)
                    else:
                        store.insert(f"INSERT INTO {table}", chunk)
        total.clock_s, total.cpu_s = total.clock_s + took.clock_s, total.cpu_s + took.cpu_s
        rows += len(found)
        events = len(found) if table == "event" else events
    store.close()
    reader.close()
    return total, rows, events
