"""`trivox watch`: consoles, surveys and indices of today, live in the terminal; it only reads."""

from __future__ import annotations

import io
import re
import signal
import sys
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Console as Terminal
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bridge.reports.rows import report_rows
from bridge.store import open_store
from bridge.store.watch_queries import figures, live_consoles, timezones
from bridge.text import printable
from bridge.wire.health import read_figures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from bridge.store import Store
    from bridge.store.watch_queries import WatchedConsole, WatchFigures

REFRESH_S = 1.0
LINE_S = 5.0  # between plain lines, where there is no terminal
RATE_SAMPLES = 10  # the rate is that of so many refreshes
CONSOLES_SHOWN = 20
WIDTH = 100  # of the picture
ENDING = (signal.SIGINT, signal.SIGTERM)

INDEX_OF = {
    "personnel": ("dissatisfaction_index", "dissatisfaction"),
    "office": ("dissatisfaction_index", "dissatisfaction"),
    "loyalty": ("emotional_loyalty_index", "loyalty"),
}


@dataclass(frozen=True)
class Look:
    """What one look at the database saw; `rows` are a report's, by site."""

    at_ms: int
    since: date
    consoles: list[WatchedConsole]
    rows: list[dict[str, Any]]
    figures: WatchFigures
    rate: float | None  # events stored a second


# Drawing, pure ----------------------------------------------------------------------------------------------------


def draw(look: Look) -> Group:
    """The whole table."""
    return Group(_consoles(look), _surveys(look), _footer(look))


def _consoles(look: Look) -> Table:
    table = _table(
        "Consoles",
        ("Console", "left"),
        ("Online", "left"),
        ("Heard", "right"),
        ("Outbox", "right"),
        ("Firmware", "left"),
        ("Faults", "left"),
    )
    for console in look.consoles[:CONSOLES_SHOWN]:
        said = read_figures(console.health)
        faults = ", ".join(said.faults) or "none"
        table.add_row(
            f"{console.site_id}/{console.console_id}",
            _online(console.online),
            _ago(look.at_ms - console.last_seen_at_ms) if console.last_seen_at_ms else "never",
            "?" if said.outbox is None else str(said.outbox),
            Text(f"{said.firmware or '?'} {said.board or ''}"),
            Text(faults, style="" if faults == "none" else "red"),
        )
    if len(look.consoles) > CONSOLES_SHOWN:
        table.caption = f"and {len(look.consoles) - CONSOLES_SHOWN} more"
    return table


def _surveys(look: Look) -> Table:
    table = _table(f"Surveys since {look.since}", ("Question", "left"))
    for name in ("Asked", "Yes", "No", "Can't say", "Silent", "Error", "Force maj."):
        table.add_column(name, justify="right", max_width=6)
    table.add_column("Index, 95 % interval", min_width=20)
    table.add_column("Silent bounds", min_width=14)
    for row in look.rows:
        value, bounds = _index(row)
        counts = [str(row[name]) for name in ("surveys", "yes", "no", "cant_say", "silent", "error", "force_majeures")]
        named = escape(printable(f"{row['site_id']}/{row['question_id']} {row['question_revision']}"))
        question = f"{named}\n[dim]{row['kind']}[/dim]"
        table.add_row(question, *counts, value, bounds)
    return table


def _table(title: str, *columns: tuple[str, Literal["left", "right"]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=True, box=SIMPLE_HEAD, padding=0)
    for name, justify in columns:
        table.add_column(name, justify=justify)
    return table


def _footer(look: Look) -> Text:
    rate = "" if look.rate is None else f" ({look.rate:.1f}/s)"
    seen = look.figures
    losses = f"{seen.losses} lost" if seen.losses else "none lost"
    return Text(f"Events stored: {seen.events}{rate}   rejects: {seen.rejects}   {losses}   {_clock(look.at_ms)}")


def line(look: Look) -> str:
    """The same in one line, for logs."""
    counts = {name: sum(row[name] for row in look.rows) for name in ("surveys", "yes", "no", "cant_say", "silent")}
    online = sum(console.online == 1 for console in look.consoles)
    waiting = sum(read_figures(console.health).outbox or 0 for console in look.consoles)
    return (
        f"{_clock(look.at_ms)} {online} of {len(look.consoles)} consoles online, {counts['surveys']} surveys "
        f"({counts['yes']} yes, {counts['no']} no, {counts['cant_say']} can't say, {counts['silent']} silent), "
        f"{look.figures.events} events stored, {look.figures.rejects} rejects, {look.figures.losses} lost, "
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


def _index(row: dict[str, Any]) -> tuple[str, str]:
    """The index with its interval, and its silent bounds; what keeps it from being shown otherwise."""
    if row["kind"] not in INDEX_OF:
        return "unknown question", ""
    name, word = INDEX_OF[row["kind"]]
    index = row[name]
    if index is None:
        return f"too few, {row['surveys']}\n[dim]{word}[/dim]", ""
    interval = escape(f"[{index['low']:.2f}, {index['high']:.2f}]")
    flag = "" if row["assessable"] else "\n[red]not assessable[/red]"
    value = f"{index['value']:.2f} {interval}\n[dim]{word}[/dim]{flag}"
    return value, f"{index['at_k0']:.2f} to {index['at_k1']:.2f}\n[dim]k = 0 to 1[/dim]"


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone().strftime("%H:%M:%S")


# Looking ----------------------------------------------------------------------------------------------------------


class Watcher:
    """Looks at the database again and again; the rate is that of the last looks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: deque[tuple[float, int]] = deque(maxlen=RATE_SAMPLES)

    def look(self) -> Look:
        """What stands there now."""
        now = datetime.now(UTC)
        days = [now.astimezone(ZoneInfo(name)).date() for name in timezones(self._store)] or [now.date()]
        since, until = min(days), max(days) + timedelta(days=1)
        seen = figures(self._store)
        self._seen.append((time.monotonic(), seen.events))
        return Look(
            at_ms=round(now.timestamp() * 1000),
            since=since,
            consoles=live_consoles(self._store),
            rows=report_rows(self._store, since, until, ("site",)),
            figures=seen,
            rate=self._rate(),
        )

    def _rate(self) -> float | None:
        (first_s, before), (last_s, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last_s - first_s) if last_s > first_s else None


def watch(database: Path, *, once: bool, svg: Path | None) -> None:
    """Show the table until Ctrl-C or SIGTERM, or `once`; with `svg` also keep the last look as a picture."""
    store = open_store(database)
    try:
        watcher = Watcher(store)
        if not once:
            _live(watcher) if sys.stdout.isatty() else _lines(watcher)
        last = watcher.look()
        if once:
            Terminal().print(draw(last))
        if svg is not None:
            _save(last, svg)
    finally:
        store.close()


def _live(watcher: Watcher) -> None:
    with _signals_held(), Live(draw(watcher.look()), auto_refresh=False) as live:
        while not _ended_within(REFRESH_S):
            live.update(draw(watcher.look()), refresh=True)


def _lines(watcher: Watcher) -> None:
    with _signals_held():
        print(line(watcher.look()), flush=True)  # noqa: T201 - what it is for
        while not _ended_within(LINE_S):
            print(line(watcher.look()), flush=True)  # noqa: T201 - what it is for


@contextmanager
def _signals_held() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until `_ended_within` asks for them, so that the terminal is always left tidy."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ended_within(seconds: float) -> bool:
    """Wait so long; True as soon as Ctrl-C or SIGTERM comes."""
    return signal.sigtimedwait(ENDING, seconds) is not None


def _save(look: Look, file: Path) -> None:
    terminal = Terminal(record=True, width=WIDTH, file=io.StringIO())
    terminal.print(draw(look))
    svg = terminal.export_svg(title="trivox watch")
    # The picture fetches nothing from elsewhere: any monospaced font will do.
    file.write_text(re.sub(r"@font-face {.*?}", "", svg, flags=re.DOTALL), encoding="utf-8")
