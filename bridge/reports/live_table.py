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
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bridge import private_files
from bridge.reports.rows import report_rows
from bridge.rich_terminal import RichTerminal
from bridge.store import open_store
from bridge.store.watch_queries import figures, live_consoles, timezones
from bridge.text import escaped, printable
from bridge.wire.health import read_figures

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from bridge.store import Store
    from bridge.store.watch_queries import WatchedConsole, WatchFigures

REFRESH_S = 1.0
LINE_S = 5.0  # between status lines, where the output is not a terminal
RATE_SAMPLES = 10  # number of refreshes that the rate is computed over
CONSOLES_SHOWN = 20
WIDTH = 100  # of the picture
END_SIGNALS = (signal.SIGINT, signal.SIGTERM)

INDEX_OF = {
    "personnel": ("dissatisfaction_index", "dissatisfaction"),
    "office": ("dissatisfaction_index", "dissatisfaction"),
    "loyalty": ("emotional_loyalty_index", "loyalty"),
}


@dataclass(frozen=True)
class Snapshot:
    """The state of the database at one instant; `rows` are those of a report by site."""

    at_ms: int
    since: date
    consoles: list[WatchedConsole]
    rows: list[dict[str, Any]]
    figures: WatchFigures
    rate: float | None  # events stored per second; None: not known yet


# Drawing, pure ----------------------------------------------------------------------------------------------------


def draw(snapshot: Snapshot) -> Group:
    """Return the whole picture: consoles, surveys, and a line of totals."""
    return Group(_consoles(snapshot), _surveys(snapshot), _footer(snapshot))


def _consoles(snapshot: Snapshot) -> Table:
    table = _table(
        "Consoles",
        ("Console", "left"),
        ("Online", "left"),
        ("Heard", "right"),
        ("Outbox", "right"),
        ("Firmware", "left"),
        ("Faults", "left"),
    )
    for console in snapshot.consoles[:CONSOLES_SHOWN]:
        health = read_figures(console.health)
        faults = ", ".join(health.faults) or "none"
        table.add_row(
            f"{console.site_id}/{console.console_id}",
            _online(console.online),
            _ago(snapshot.at_ms - console.last_seen_at_ms) if console.last_seen_at_ms else "never",
            "?" if health.outbox is None else str(health.outbox),
            f"{health.firmware or '?'} {health.board or ''}",
            Text(escaped(faults), style="" if faults == "none" else "red"),
        )
    if len(snapshot.consoles) > CONSOLES_SHOWN:
        table.caption = f"and {len(snapshot.consoles) - CONSOLES_SHOWN} more"
    return table


def _surveys(snapshot: Snapshot) -> Table:
    table = _table(f"Surveys since {snapshot.since}", ("Question", "left"))
    for name in ("Asked", "Yes", "No", "Can't say", "Silent", "Error", "Force maj."):
        table.add_column(name, justify="right", max_width=6)
    table.add_column("Index, 95 % interval", min_width=20)
    table.add_column("Silent bounds", min_width=14)
    for row in snapshot.rows:
        value, bounds = _index(row)
        counts = [str(row[name]) for name in ("surveys", "yes", "no", "cant_say", "silent", "error", "force_majeures")]
        question = printable(f"{row['site_id']}/{row['question_id']} {row['question_revision']}")
        table.add_row(Text.assemble(question, "\n", (row["kind"], "dim")), *counts, value, bounds)
    return table


def _table(title: str, *columns: tuple[str, Literal["left", "right"]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=True, box=SIMPLE_HEAD, padding=0)
    for name, justify in columns:
        table.add_column(name, justify=justify)
    return table


def _footer(snapshot: Snapshot) -> Text:
    rate = "" if snapshot.rate is None else f" ({snapshot.rate:.1f}/s)"
    totals = snapshot.figures
    losses = f"{totals.losses} lost" if totals.losses else "none lost"
    return Text(
        f"Events stored: {totals.events}{rate}   rejects: {totals.rejects}   {losses}   {_clock(snapshot.at_ms)}"
    )


def status_line(snapshot: Snapshot) -> str:
    """Return the totals in one line, for logs."""
    counts = {name: sum(row[name] for row in snapshot.rows) for name in ("surveys", "yes", "no", "cant_say", "silent")}
    online = sum(console.online == 1 for console in snapshot.consoles)
    waiting = sum(read_figures(console.health).outbox or 0 for console in snapshot.consoles)
    return (
        f"{_clock(snapshot.at_ms)} {online} of {len(snapshot.consoles)} consoles online, {counts['surveys']} surveys "
        f"({counts['yes']} yes, {counts['no']} no, {counts['cant_say']} can't say, {counts['silent']} silent), "
        f"{snapshot.figures.events} events stored, {snapshot.figures.rejects} rejects, {snapshot.figures.losses} lost, "
        f"{waiting} waiting"
    )


def _online(online: int | None) -> Text:
    words = {None: Text("never", style="dim"), 1: Text("yes", style="green"), 0: Text("no", style="red")}
    return words[online]


def _ago(ms: int) -> str:
    seconds = max(0, ms) // 1000
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _index(row: dict[str, Any]) -> tuple[Text, Text]:
    """Return the index with its interval, and its silent bounds; without an index, why there is none, and nothing."""
    if row["kind"] not in INDEX_OF:
        return Text("unknown question"), Text()
    name, word = INDEX_OF[row["kind"]]
    index = row[name]
    if index is None:
        return Text.assemble(f"too few, {row['surveys']}\n", (word, "dim")), Text()
    value = f"{index['value']:.2f} [{index['low']:.2f}, {index['high']:.2f}]\n"
    flag = "" if row["assessable"] else "\nnot assessable"
    bounds = f"{index['at_k0']:.2f} to {index['at_k1']:.2f}\n"
    return Text.assemble(value, (word, "dim"), (flag, "red")), Text.assemble(bounds, ("k = 0 to 1", "dim"))


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
        now = datetime.now(UTC)
        days = [now.astimezone(ZoneInfo(name)).date() for name in timezones(self._store)] or [now.date()]
        since, until = min(days), max(days) + timedelta(days=1)
        totals = figures(self._store)
        self._readings.append((time.monotonic(), totals.events))
        return Snapshot(
            at_ms=round(now.timestamp() * 1000),
            since=since,
            consoles=live_consoles(self._store),
            rows=report_rows(self._store, since, until, ("site",)),
            figures=totals,
            rate=self._rate(),
        )

    def _rate(self) -> float | None:
        (first_s, before), (last_s, after) = self._readings[0], self._readings[-1]
        return (after - before) / (last_s - first_s) if last_s > first_s else None


def watch(database: Path, *, once: bool, svg: Path | None) -> None:
    """Show the table until Ctrl-C or SIGTERM, or only `once`; with `svg`, also save the last snapshot as a picture."""
    watcher = Watcher(open_store(database))
    try:
        if not once:
            _live(watcher) if sys.stdout.isatty() else _lines(watcher)
        last = watcher.read()
        if once:
            RichTerminal().print(draw(last))
        if svg is not None:
            _save(last, svg)
    finally:
        watcher.close()


def _live(watcher: Watcher) -> None:
    with EndSignals() as end, Live(draw(watcher.read()), console=RichTerminal(), auto_refresh=False) as live:
        while not end.comes_within(REFRESH_S):
            live.update(draw(watcher.read()), refresh=True)


def _lines(watcher: Watcher) -> None:
    with EndSignals() as end:
        terminal = RichTerminal()
        terminal.print(status_line(watcher.read()), soft_wrap=True)
        while not end.comes_within(LINE_S):
            terminal.print(status_line(watcher.read()), soft_wrap=True)


class EndSignals:
    """Holds back Ctrl-C and SIGTERM until `comes_within` asks for them, so that the terminal is always left tidy."""

    def __enter__(self) -> Self:
        self._told, self._tell = socket.socketpair()
        self._tell.settimeout(0)
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in END_SIGNALS}
        self._wakeup = signal.set_wakeup_fd(self._tell.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._told.close()
        self._tell.close()

    def comes_within(self, seconds: float) -> bool:
        """Wait `seconds`; return True as soon as Ctrl-C or SIGTERM comes, else False."""
        end_s = time.monotonic() + seconds
        while select.select([self._told], [], [], max(0.0, end_s - time.monotonic()))[0]:
            if set(self._told.recv(4096)) & set(END_SIGNALS):  # a byte for each signal
                return True
        return False


def _save(snapshot: Snapshot, file: Path) -> None:
    terminal = RichTerminal(io.StringIO(), record=True, width=WIDTH)
    terminal.print(draw(snapshot))
    svg = terminal.export_svg(title="trivox watch")
    # The picture must fetch nothing from elsewhere: any monospaced font will do.
    private_files.write(file, re.sub(r"@font-face {.*?}", "", svg, flags=re.DOTALL).encode())
