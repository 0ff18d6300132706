"""The list of consoles for people (a table, or a paragraph each on a narrow terminal) and for programs. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size

from bridge.ops.doctor.console_rules import ConsoleHealth, ConsoleStatus, Finding, deciding, light_of
from bridge.text import ago

EMPTY = "No console was ever heard of: check the broker's address, and that a bridge runs.\n"
COLOURS = {ConsoleHealth.RED: "31", ConsoleHealth.AMBER: "33", ConsoleHealth.GREEN: "32", ConsoleHealth.GREY: "90"}
MARKS = {ConsoleHealth.RED: "!!", ConsoleHealth.AMBER: "!", ConsoleHealth.GREEN: "", ConsoleHealth.GREY: "?"}
"""Beside the colour's name, so that the worst stand out without colours too."""

HEADINGS = (
    *("health", "site", "console", "why", "last seen", "firmware", "outbox", "clock", "signal", "lost", "faults"),
    *("state", "board", "hardware", "settings"),
)
LEFT_OUT_FIRST = ("settings", "hardware", "board", "state")
CUT_NEXT = {"why": 24, "faults": 10}
"""To so many signs at least; `--json` has all of it."""
GAP = "  "


class Judged(NamedTuple):
    """A console and the signs that the rules found, the deciding one first."""

    console: ConsoleStatus
    signs: list[Finding]


def as_objects(listed: list[Judged]) -> list[dict[str, Any]]:
    """The list for programs; None is what is not known."""
    return [_object(*judged) for judged in listed]


def _object(console: ConsoleStatus, signs: list[Finding]) -> dict[str, Any]:
    sign, said = deciding(signs), console.said
    return {
        "site_id": console.site_id,
        "console_id": console.console_id,
        "health": light_of(signs).word,
        "rule": sign and sign.rule,
        "reason": sign and sign.words,
        "signs": [{"rule": one.rule, "health": one.light.word, "reason": one.words} for one in signs],
        "enrolled": console.enrolled,
        "online": console.online,
        "last_seen_at_ms": console.heard_at_ms or None,
        "health_at_ms": console.health_at_ms,
        "firmware": said.firmware,
        "board": said.board,
        "hardware_id": console.hardware_id,
        "outbox_event_count": said.outbox,
        "clock_offset_ms": console.clock_offset_ms,
        "rssi_dbm": said.rssi_dbm,
        "heap_free_bytes": said.heap_free,
        "loop_lag_max_ms": said.loop_lag_max_ms,
        "settings_revision": console.settings_revision or None,
        "faults": list(said.faults),
        "lost_event_count": console.lost,
        "lost_last_day_event_count": console.lost_lately,
        "unproved_event_count": console.unproved,
    }


def as_text(listed: list[Judged], now_ms: int, *, width: int | None, coloured: bool) -> str:
    """The list for people: a table as wide as it wants to be where `width` is None, else what fits in there."""
    if not listed:
        return EMPTY
    lights = [light_of(judged.signs) for judged in listed]
    is_enrolling = any(judged.console.enrolled for judged in listed)
    rows = [_cells(*judged, now_ms, is_enrolling=is_enrolling) for judged in listed]
    columns = _columns(rows, width)
    lines = _table(rows, columns, lights, coloured=coloured) if columns else []
    if not columns:
        for row, light in zip(rows, lights, strict=True):
            lines += _paragraph(row, light, coloured=coloured)
    counts = Counter(lights)
    total = ", ".join(f"{counts[light]} {light.word}" for light in sorted(counts, reverse=True))
    return "\n".join([*lines, "", f"{total}."]) + "\n"


def _cells(console: ConsoleStatus, signs: list[Finding], now_ms: int, *, is_enrolling: bool) -> dict[str, str]:
    said, light = console.said, light_of(signs)
    offset_ms = console.clock_offset_ms
    return {
        "health": f"{light.word} {MARKS[light]}".rstrip(),
        "site": console.site_id,
        "console": console.console_id + (" (not enrolled)" if is_enrolling and not console.enrolled else ""),
        "why": "; ".join(sign.words for sign in signs if sign.light) or "-",
        "last seen": ago(now_ms - console.heard_at_ms) if console.heard_at_ms else "never",
        "firmware": said.firmware or "-",
        "outbox": _figure(said.outbox),
        "clock": "-" if offset_ms is None else f"{offset_ms / 1000:+.1f} s",
        "signal": _figure(said.rssi_dbm, " dBm"),
        "lost": str(console.lost),
        "faults": ", ".join(said.faults) or "-",
        "state": {None: "unknown", False: "offline", True: "online"}[console.online],
        "board": said.board or "-",
        "hardware": console.hardware_id or "-",
        "settings": str(console.settings_revision or "-"),
    }


def _figure(value: int | None, unit: str = "") -> str:
    return "-" if value is None else f"{value}{unit}"


def _columns(rows: list[dict[str, str]], width: int | None) -> dict[str, int]:
    """Which columns fit, each with its width; none where even the needed ones do not."""
    sizes = {heading: max(cell_len(heading), *(cell_len(row[heading]) for row in rows)) for heading in HEADINGS}
    if width is None:
        return sizes
    for heading in LEFT_OUT_FIRST:
        if _excess(sizes, width) > 0:
            del sizes[heading]
    for heading, least in CUT_NEXT.items():
        sizes[heading] -= min(max(0, _excess(sizes, width)), max(0, sizes[heading] - least))
    return sizes if _excess(sizes, width) <= 0 else {}


def _excess(sizes: dict[str, int], width: int) -> int:
    return sum(sizes.values()) + len(GAP) * (len(sizes) - 1) - width


def _table(
    rows: list[dict[str, str]], columns: dict[str, int], lights: list[ConsoleHealth], *, coloured: bool
) -> list[str]:
    lines = [GAP.join(heading.ljust(size) for heading, size in columns.items()).rstrip()]
    for row, light in zip(rows, lights, strict=True):
        cells = [_fitted(row[heading], size) for heading, size in columns.items()]
        cells[0] = _painted(cells[0], light, coloured=coloured)
        lines.append(GAP.join(cells).rstrip())
    return lines


def _fitted(text: str, size: int) -> str:
    return set_cell_size(text if cell_len(text) <= size else f"{set_cell_size(text, size - 1)}…", size)


def _paragraph(row: dict[str, str], light: ConsoleHealth, *, coloured: bool) -> list[str]:
    health = _painted(row["health"], light, coloured=coloured)
    why = "" if row["why"] == "-" else f": {row['why']}"
    told = [f"{heading} {row[heading]}" for heading in HEADINGS[4:] if row[heading] != "-"]
    return [f"{row['site']}/{row['console']}  {health}{why}", f"  {', '.join(told)}"]


def _painted(text: str, light: ConsoleHealth, *, coloured: bool) -> str:
    return f"\x1b[{COLOURS[light]}m{text}\x1b[0m" if coloured else text
