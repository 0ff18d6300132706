"""Measure reports over a year of ten million events, and whether they stay as fast as over a tenth of these."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bridge.reports.coverage.stale import refresh
from bridge.reports.days import given_days
from bridge.reports.report_query import ReportQuery
from bridge.reports.rows import report_rows
from bridge.store import open_store
from simulator.scenario import scenario
from tests.benchmarks.figure import Figure
from tests.support import facts
from tests.support.programs import TRIVOX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

CHAIN = Path(scenario.__file__).parent / "shipped" / "chain_200_sites.toml"
SITES = 20  # of either kind: 100 consoles, 200 sellers
SHARES = {"ten million": 0.5, "one million": 0.05}  # of the shipped chain's customers
JOBS = 2
YEAR, MONTH = (date(2026, 1, 1), date(2027, 1, 1)), (date(2026, 6, 3), date(2026, 7, 1))
ROUNDS = 7
FLAT = 1.3
SELLERS_YEAR_MS = 50
DOCTOR_S = 5


class AskedReport(NamedTuple):
    """A report that is measured, in words, with its limit."""

    words: str
    by: tuple[str, ...]
    days: tuple[date, date]
    limit_ms: float


REPORTS = (
    AskedReport("by seller over a year", ("seller",), YEAR, SELLERS_YEAR_MS),
    AskedReport("by site over a year", ("site",), YEAR, 100),
    AskedReport("of all over a year", (), YEAR, 100),
    AskedReport("by seller and month over a year", ("seller", "month"), YEAR, 1_000),
    AskedReport("by site and day over 28 days", ("site", "day"), MONTH, 500),
    AskedReport("by seller and day over 28 days", ("seller", "day"), MONTH, 2_000),
    AskedReport("by hour over 28 days, read row by row", ("hour",), MONTH, 5_000),
)


def figures() -> Iterator[Figure]:
    """Make both years, then measure each report in this process, and two commands as a whole."""
    with tempfile.TemporaryDirectory() as name:
        databases = {words: _make(Path(name) / words.replace(" ", "-"), share) for words, share in SHARES.items()}
        large, small = (open_store(database) for database in databases.values())
        events = [facts.stored(store) for store in (large, small)]
        for asked in REPORTS:
            yield from _compared(asked, large, small, events)
        large.close()
        small.close()
        yield _command(next(iter(databases.values())), events[0])
        yield _doctor(next(iter(databases.values())), events[0])


def _make(folder: Path, share: float) -> Path:
    """Simulate a year, take it in and sum it up, as the first report does."""
    folder.mkdir()
    (folder / "chain.toml").write_text(_fewer(CHAIN.read_text("utf-8"), share), "utf-8")
    database, out = folder / "trivox.db", folder / "out"
    simulate = (TRIVOX, "simulate", folder / "chain.toml", "--days", "365", "--out", out, "--jobs", str(JOBS))
    ingest = (TRIVOX, "ingest", out / "messages.ndjson", "--database", database)
    for words in (simulate, (out / "prepare.sh", database), ingest):
        subprocess.run([*map(str, words)], check=True, capture_output=True, env={**os.environ, "TRIVOX": TRIVOX})
    (out / "messages.ndjson").unlink()
    (out / "diary.ndjson").unlink()
    store = open_store(database, writing=True)
    with store.transaction(time.time_ns() // 1_000_000):
        for _ in refresh(store):
            pass
    store.close()
    return database


def _fewer(text: str, share: float) -> str:
    """Return a scenario with fewer sites and customers."""
    text = text.replace("count = 100", f"count = {SITES}")
    visitors = re.compile(r"^visitors = \[(.*)\]$", re.MULTILINE)
    return visitors.sub(lambda found: f"visitors = [{', '.join(_scaled(found[1], share))}]", text)


def _scaled(numbers: str, share: float) -> Iterator[str]:
    return (f"{float(number) * share:g}" for number in numbers.split(","))


def _compared(asked: AskedReport, large: Store, small: Store, events: list[int]) -> Iterator[Figure]:
    rows, large_ms = _timed(large, asked)
    _, small_ms = _timed(small, asked)
    ratio = large_ms / small_ms
    note = f"{rows:,} rows from {events[0]:,} events; from {events[1]:,} {small_ms:.0f} ms"
    yield Figure(f"report {asked.words}", large_ms, "ms", asked.limit_ms, at_most=True, note=note)
    if asked.days == YEAR:
        name = f"… and its ratio as events grow by {events[0] / events[1]:.0f}"
        yield Figure(name, ratio, "", FLAT, at_most=True)


def _timed(store: Store, asked: AskedReport) -> tuple[int, float]:
    """Return how many rows a report has, and the median of the processor time that it takes once it is warm, in ms."""
    query = ReportQuery(given_days(*asked.days), asked.by)
    found, took_ms = 0, []
    for _ in range(1 + ROUNDS):
        began_s = time.process_time()
        with store.snapshot():
            found = len(report_rows(store, query))
        took_ms.append((time.process_time() - began_s) * 1000)
    return found, statistics.median(took_ms[1:])


def _command(database: Path, events: int) -> Figure:
    """Measure a report as a whole, with the start of the program."""
    days = ("--from", str(YEAR[0]), "--to", str(YEAR[1]))
    whole_s = _took_s("report", *days, "--by", "seller", "--format", "json", "--database", str(database))
    start_s = _took_s("report", "--help")
    note = f"{events:,} events; the start of the program alone takes {start_s:.2f} s"
    return Figure("`trivox report` by seller over a year", whole_s, "s", start_s + 0.5, at_most=True, note=note)


def _doctor(database: Path, events: int) -> Figure:
    took_s = _took_s("doctor", "--database", str(database))
    size = database.stat().st_size / 1e9
    return Figure("`trivox doctor`", took_s, "s", DOCTOR_S, at_most=True, note=f"{events:,} events in {size:.1f} GB")


def _took_s(*words: str) -> float:
    """Return the median of some runs of a command, by the clock."""
    took_s = []
    for _ in range(3):
        began_s = time.monotonic()
        done = subprocess.run([TRIVOX, *words], check=False, capture_output=True, text=True)
        took_s.append(time.monotonic() - began_s)
        if done.returncode:
            raise RuntimeError(done.stderr)
    return statistics.median(took_s)
