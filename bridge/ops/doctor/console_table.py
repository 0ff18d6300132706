"""Format the list of consoles for people (a table, or paragraphs on a narrow terminal) and for programs. No I/O."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from bridge.model.contact import contact_in_words
from bridge.ops.doctor.findings import (
    ConsoleHealth,
    ConsoleStatus,
    Finding,
    deciding_finding,
    fault_names,
    health_of,
)
from bridge.text import ago, escaped

EMPTY = "No console has been heard yet: check the broker's address, and that a bridge is running."
COLOURS = {
    ConsoleHealth.RED: "red",
    ConsoleHealth.AMBER: "yellow",
    ConsoleHealth.GREEN: "green",
    ConsoleHealth.GREY: "bright_black",
}
MARKS = {ConsoleHealth.RED: "!!", ConsoleHealth.AMBER: "!", ConsoleHealth.GREEN: "", ConsoleHealth.GREY: "?"}
"""Shown beside the colour's name, so that the worst stand out without colours too."""

HEADINGS = (
    *("health", "site", "console", "why", "last seen", "firmware", "outbox", "clock", "signal", "lost", "faults"),
    *("state", "board", "hardware", "settings"),
)
DROPPED_FIRST = ("settings", "hardware", "board", "state")
CUT_NEXT = {"why": 24, "faults": 10}
"""Columns that are then cut, each to at least this width; `--json` has the whole text."""
GAP = "  "


class ConsoleEntry(NamedTuple):
    """A console and its findings, the deciding one first."""

    console: ConsoleStatus
    findings: list[Finding]


def as_objects(entries: list[ConsoleEntry]) -> list[dict[str, Any]]:
    """Return an object for each console, for programs; None if a value is not known."""
    return [_object(*entry) for entry in entries]


def _object(console: ConsoleStatus, findings: list[Finding]) -> dict[str, Any]:
    decided_by, figures = deciding_finding(findings), console.figures
    return {
        "site_id": console.site_id,
        "console_id": console.console_id,
        "health": health_of(findings).word,
        "rule": decided_by and decided_by.rule,
        "reason": decided_by and decided_by.reason,
        "signs": [
            {"rule": finding.rule, "health": finding.health.word, "reason": finding.reason} for finding in findings
        ],
        "enrolled": console.enrolled,
        "retired_at_ms": console.retired_at_ms,
        "online": console.online,
        "last_seen_at_ms": console.last_seen_at_ms or None,
        "health_at_ms": console.health_at_ms,
        "firmware": figures.firmware,
        "board": figures.board,
        "hardware_id": console.hardware_id,
        "outbox_event_count": figures.outbox,
        "clock_offset_ms": console.clock_offset_ms,
        "rssi_dbm": figures.rssi_dbm,
        "heap_free_bytes": figures.heap_free,
        "loop_lag_max_ms": figures.loop_lag_max_ms,
        "settings_revision": console.settings_revision or None,
        "faults": list(figures.faults),
        "lost_event_count": console.lost,
        "lost_last_day_event_count": console.lost_last_day,
        "unproved_event_count": console.unproved_count,
        "words_proved_at_ms": console.words_proved_at_ms,
    }


def as_text(entries: list[ConsoleEntry], now_ms: int, *, width: int | None) -> Text:
    """Return the list for people, fitted to `width` columns; a table of any width if that is None."""
    if not entries:
        return Text(EMPTY)
    healths = [health_of(entry.findings) for entry in entries]
    is_enrolling = any(entry.console.enrolled for entry in entries)
    rows = [_cells(*entry, now_ms, is_enrolling=is_enrolling) for entry in entries]
    columns = _columns(rows, width)
    lines = _table(rows, columns, healths) if columns else []
    if not columns:
        for row, health in zip(rows, healths, strict=True):
            lines += _paragraph(row, health)
    counts = Counter(healths)
    total = ", ".join(f"{counts[health]} {health.word}" for health in sorted(counts, reverse=True))
    return Text("\n").join([*lines, Text(), Text(f"{total}.")])


def _cells(console: ConsoleStatus, findings: list[Finding], now_ms: int, *, is_enrolling: bool) -> dict[str, str]:
    figures, health = console.figures, health_of(findings)
    offset_ms = console.clock_offset_ms
    cells = {
        "health": f"{health.word} {MARKS[health]}".rstrip(),
        "site": console.site_id,
        "console": console.console_id + (" (not enrolled)" if is_enrolling and not console.enrolled else ""),
        "why": "; ".join(finding.reason for finding in findings if finding.health) or "-",
        "last seen": ago(now_ms - console.last_seen_at_ms) if console.last_seen_at_ms else "never",
        "firmware": figures.firmware or "-",
        "outbox": _figure(figures.outbox),
        "clock": "-" if offset_ms is None else f"{offset_ms / 1000:+.1f} s",
        "signal": _figure(figures.rssi_dbm, " dBm"),
        "lost": str(console.lost),
        "faults": fault_names(figures.faults) or "-",
        "state": contact_in_words(
            online=console.online,
            quiet_ms=now_ms - console.last_seen_at_ms,
            heartbeat_ms=console.heartbeat_ms,
        ),
        "board": figures.board or "-",
        "hardware": console.hardware_id or "-",
        "settings": str(console.settings_revision or "-"),
    }
    return {heading: escaped(text) for heading, text in cells.items()}


def _figure(value: int | None, unit: str = "") -> str:
    return "-" if value is None else f"{value}{unit}"


def _columns(rows: list[dict[str, str]], width: int | None) -> dict[str, int]:
    """Return the columns that fit, each with its width; nothing if even the necessary ones do not fit."""
    sizes = {heading: max(cell_len(heading), *(cell_len(row[heading]) for row in rows)) for heading in HEADINGS}
    if width is None:
        return sizes
    for heading in DROPPED_FIRST:
        if _excess(sizes, width) > 0:
            del sizes[heading]
    for heading, least in CUT_NEXT.items():
        sizes[heading] -= min(max(0, _excess(sizes, width)), max(0, sizes[heading] - least))
    return sizes if _excess(sizes, width) <= 0 else {}


def _excess(sizes: dict[str, int], width: int) -> int:
    return sum(sizes.values()) + len(GAP) * (len(sizes) - 1) - width


def _table(rows: list[dict[str, str]], columns: dict[str, int], healths: list[ConsoleHealth]) -> list[Text]:
    lines = [Text(GAP.join(heading.ljust(size) for heading, size in columns.items()).rstrip())]
    for row, health in zip(rows, healths, strict=True):
        cells = [_fitted(row[heading], size) for heading, size in columns.items()]
        line = Text(GAP.join(cells).rstrip())
        line.stylize(COLOURS[health], 0, len(cells[0]))
        lines.append(line)
    return lines


def _fitted(text: str, size: int) -> str:
    return set_cell_size(text if cell_len(text) <= size else f"{set_cell_size(text, size - 1)}…", size)


def _paragraph(row: dict[str, str], health: ConsoleHealth) -> list[Text]:
    why = "" if row["why"] == "-" else f": {row['why']}"
    details = [f"{heading} {row[heading]}" for heading in HEADINGS[4:] if row[heading] != "-"]
    name = f"{row['site']}/{row['console']}  "
    return [Text.assemble(name, (row["health"], COLOURS[health]), why), Text(f"  {', '.join(details)}")]
