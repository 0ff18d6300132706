"""Show the consoles, surveys and indices of today live in the terminal (`trivox watch`); only reads the database."""

from __future__ import annotations

import io
import re
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Self

from rich.text import Text

from bridge import private_files
from bridge.model.contact import contact_in_words
from bridge.reports.corrections import on_time_zones
from bridge.reports.days import days_of_period
from bridge.reports.full_screen import FullScreen, size_of, write_lines
from bridge.reports.grid import Column, lay_out
from bridge.reports.report_query import ReportQuery
from bridge.reports.rows import report_rows
from bridge.reports.table import survey_grid
from bridge.rich_terminal import RichTerminal
from bridge.store import open_store, places
from bridge.store.watch_queries import figures, live_consoles
from bridge.text import plural
from bridge.wire.health import read_figures

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.store import Store
    from bridge.store.watch_queries import WatchedConsole, WatchFigures

REFRESH_S = 1.0
LINE_S = 5.0  # between status lines, where the output is not a terminal
RATE_SAMPLES = 10  # number of refreshes that the rate is computed over
CONSOLES_SHOWN = 20
LEAST_CONSOLES_SHOWN = 3  # where the terminal is too low for more
PICTURE_WIDTH = 100
END_SIGNALS = (signal.SIGINT, signal.SIGTERM)
RESIZED = tuple(filter(None, [getattr(signal, "SIGWINCH", None)]))  # Windows tells nobody
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True)
class Snapshot:
    """The state of the database at one instant; `rows` are those of a report by site."""

    at_ms: int
    consoles: list[WatchedConsole]
    rows: list[dict[str, Any]]
    figures: WatchFigures
    rate: float | None  # events stored per second; None: not known yet
    sites_without_timezone: tuple[str, ...] = ()


# Drawing, pure ----------------------------------------------------------------------------------------------------


def draw(snapshot: Snapshot, width: int | None, height: int | None = None) -> list[str]:
    """Return the lines of the whole picture: consoles, surveys, and a line of totals.

    It keeps within `width`. Where `height` is too small, it shows fewer consoles, then fewer surveys; None is no limit.
    """
    footers = [""]
    for text in (_footer(snapshot), *on_time_zones(list(snapshot.sites_without_timezone))):
        footers += wrap(text, width) if width else [text]
    surveys, shown = _surveys(snapshot, width), CONSOLES_SHOWN
    if height is not None:
        headings = 4  # title, headings, how many more, and an empty line
        shown = max(LEAST_CONSOLES_SHOWN, min(shown, height - len(surveys) - len(footers) - headings))
    consoles = [*_consoles(snapshot, width, shown), ""]
    if height is not None:
        surveys = _surveys(snapshot, width, height - len(consoles) - len(footers))
    return [*consoles, *surveys, *footers]


def _consoles(snapshot: Snapshot, width: int | None, shown: int) -> list[str]:
    consoles = snapshot.consoles[:shown]
    health = [read_figures(console.health) for console in consoles]
    columns = [
        Column("console", [f"{console.site_id}/{console.console_id}" for console in consoles], figures=False),
        Column("state", [_state(console, snapshot.at_ms) for console in consoles], figures=False),
        Column("heard", [_heard(console, snapshot.at_ms) for console in consoles]),
        Column("outbox", ["?" if figures.outbox is None else str(figures.outbox) for figures in health], 1),
        Column("faults", [", ".join(figures.faults) or "none" for figures in health], 2, figures=False),
        Column("firmware", [figures.firmware or "?" for figures in health], 3, figures=False),
        Column("board", [figures.board or "?" for figures in health], 4, figures=False),
    ]
    more = len(snapshot.consoles) - len(consoles)
    return _titled("Consoles", columns, width) + ([f"and {more} more"] if more else [])


def _surveys(snapshot: Snapshot, width: int | None, height: int | None = None) -> list[str]:
    """Return the lines on surveys; where there is no room for all rows, whole ones are left out."""
    if not snapshot.rows:
        return [f"{BOLD}No surveys yet today{PLAIN}"]
    grid = survey_grid(snapshot.rows, ("site_id",), width, {})
    heading = [f"{BOLD}{line}{PLAIN}" for line in ("Surveys today", *grid.heading)]
    if height is None or len(heading) + len(grid.lines) <= height:
        return [*heading, *grid.lines]
    ends = [end for end in accumulate(grid.heights) if len(heading) + end < height]
    shown = grid.lines[: ends[-1] if ends else 0]
    return [*heading, *shown, f"and {len(snapshot.rows) - len(ends)} more: make the window higher"]


def _titled(title: str, columns: list[Column], width: int | None) -> list[str]:
    grid = lay_out(columns, width)
    return [*(f"{BOLD}{line}{PLAIN}" for line in (title, *grid.heading)), *grid.lines]


def _footer(snapshot: Snapshot) -> str:
    rate = "" if snapshot.rate is None else f" ({snapshot.rate:.1f}/s)"
    totals = snapshot.figures
    losses = f"{totals.losses} lost" if totals.losses else "none lost"
    return f"Events stored: {totals.events}{rate}   rejects: {totals.rejects}   {losses}   {_clock(snapshot.at_ms)}"


def status_line(snapshot: Snapshot) -> str:
    """Return the totals in one line, for logs."""
    counts = {name: sum(row[name] for row in snapshot.rows) for name in ("surveys", "yes", "no", "cant_say", "silent")}
    online = sum(_state(console, snapshot.at_ms) == "online" for console in snapshot.consoles)
    waiting = sum(read_figures(console.health).outbox or 0 for console in snapshot.consoles)
    return (
        f"{_clock(snapshot.at_ms)} {online} of {plural(len(snapshot.consoles), 'console')} online, "
        f"{plural(counts['surveys'], 'survey')} "
        f"({counts['yes']} yes, {counts['no']} no, {counts['cant_say']} can't say, {counts['silent']} silent), "
        f"{plural(snapshot.figures.events, 'event')} stored, {plural(snapshot.figures.rejects, 'reject')}, "
        f"{snapshot.figures.losses} lost, {waiting} waiting"
    )


def _state(console: WatchedConsole, now_ms: int) -> str:
    return contact_in_words(
        online=None if console.online is None else bool(console.online),
        quiet_ms=now_ms - console.last_seen_at_ms,
        heartbeat_ms=console.heartbeat_ms,
    )


def _heard(console: WatchedConsole, now_ms: int) -> str:
    return _ago(now_ms - console.last_seen_at_ms) if console.last_seen_at_ms else "never"


def _ago(ms: int) -> str:
    seconds = max(0, ms) // 1000
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone().strftime("%H:%M:%S")


# Reading ----------------------------------------------------------------------------------------------------------


class Watcher:
    """Reads the database again and again, and computes the rate over its last readings."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._readings: deque[tuple[float, int]] = deque(maxlen=RATE_SAMPLES)  # (seconds, events stored)

    def read(self) -> Snapshot:
        """Read a snapshot of today."""
        if self._store.is_outdated():
            self.close()
            self._store = open_store(self._store.path)
        with self._store.snapshot():
            return self._read()

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def _read(self) -> Snapshot:
        now_ms = time.time_ns() // 1_000_000
        totals = figures(self._store)
        self._readings.append((time.monotonic(), totals.events))
        return Snapshot(
            at_ms=now_ms,
            consoles=live_consoles(self._store),
            rows=report_rows(self._store, ReportQuery(days_of_period("today", now_ms), ("site",))),
            figures=totals,
            rate=self._rate(),
            sites_without_timezone=tuple(places.sites_without_timezone(self._store)),
        )

    def _rate(self) -> float | None:
        (first_s, before), (last_s, after) = self._readings[0], self._readings[-1]
        return (after - before) / (last_s - first_s) if last_s > first_s else None


def watch(database: Path, *, once: bool, svg: Path | None) -> None:
    """Show the table until Ctrl-C or SIGTERM, or only `once`; with `svg`, also save the last snapshot as a picture."""
    watcher = Watcher(open_store(database))
    try:
        is_terminal = sys.stdout.isatty()
        if not once:
            _live(watcher) if is_terminal else _lines(watcher)
        last = watcher.read()
        if once or is_terminal:
            _print(last, width=size_of(sys.stdout).columns if is_terminal else None)
        if svg is not None:
            _save(last, svg)
    finally:
        watcher.close()


def _live(watcher: Watcher) -> None:
    with EndSignals() as end, FullScreen(sys.stdout) as screen:
        while True:
            snapshot = watcher.read()
            screen.draw(draw(snapshot, *screen.size))
            if end.comes_within(REFRESH_S):
                return


def _lines(watcher: Watcher) -> None:
    with EndSignals() as end:
        terminal = RichTerminal()
        terminal.print(status_line(watcher.read()), soft_wrap=True)
        while not end.comes_within(LINE_S):
            terminal.print(status_line(watcher.read()), soft_wrap=True)


def _print(snapshot: Snapshot, width: int | None) -> None:
    lines = draw(snapshot, width)
    write_lines(sys.stdout, lines if width else [re.sub(r"\x1b\[\d+m", "", line) for line in lines])


class EndSignals:
    """Holds back Ctrl-C and SIGTERM until `comes_within` asks for them, so that the terminal is always left tidy."""

    def __enter__(self) -> Self:
        self._told, self._tell = socket.socketpair()
        self._tell.settimeout(0)
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in (*END_SIGNALS, *RESIZED)}
        self._wakeup = signal.set_wakeup_fd(self._tell.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._told.close()
        self._tell.close()

    def comes_within(self, seconds: float) -> bool:
        """Wait `seconds`, or until the terminal is resized; return True as soon as Ctrl-C or SIGTERM comes."""
        end_s = time.monotonic() + seconds
        while select.select([self._told], [], [], max(0.0, end_s - time.monotonic()))[0]:
            signals = set(self._told.recv(4096))  # a byte for each signal
            if signals & set(END_SIGNALS):
                return True
            if signals & set(RESIZED):
                return False
        return False


def _save(snapshot: Snapshot, file: Path) -> None:
    terminal = RichTerminal(io.StringIO(), record=True, width=PICTURE_WIDTH)
    terminal.print(Text.from_ansi("\n".join(draw(snapshot, PICTURE_WIDTH))))
    svg = terminal.export_svg(title="trivox watch")
    # The picture must fetch nothing from elsewhere: any monospaced font will do.
    private_files.write(file, re.sub(r"@font-face {.*?}", "", svg, flags=re.DOTALL).encode())
