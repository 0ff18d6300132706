"""Import who was on shift where from a CSV file, all of it or nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from bridge.admin.csv_file import CsvLines, Line, read_lines
from bridge.admin.settings import refresh_console
from bridge.model.local_time import instant_ms
from bridge.model.periods import Shift
from bridge.store import places
from bridge.surveys import counts
from bridge.surveys.refold import refold_console

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import ImportShifts
    from bridge.store import Store

COLUMNS = ("site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at")
MAX_SELLER_ID = 64


class ShiftLine(NamedTuple):
    """A valid line of the file: a shift at a console."""

    number: int
    site_id: str
    console_id: str
    seller_name: str
    shift: Shift


def import_shifts(store: Store, command: ImportShifts) -> dict[str, Any]:
    """Set the shifts of a CSV file, all or none, in the transaction; update surveys and counts. Raises TrivoxError."""
    lines = read_lines(command.name, command.text, COLUMNS)
    by_console: dict[tuple[str, str], list[ShiftLine]] = {}
    for line in lines:
        with line.reporting():
            shift_line = _read_line(store, line)
            by_console.setdefault((shift_line.site_id, shift_line.console_id), []).append(shift_line)
    before = {console: places.shifts(store, places.ensure_console(store, *console)) for console in by_console}
    for console, shift_lines in by_console.items():
        _refuse_overlaps(lines, before[console], shift_lines)
    lines.check()
    changed: dict[str, tuple[int, int]] = {}
    for (site_id, console_id), shift_lines in by_console.items():
        from_ms, to_ms = _set_shifts(store, site_id, console_id, before[site_id, console_id], shift_lines)
        first, last = changed.get(site_id, (from_ms, to_ms))
        changed[site_id] = min(first, from_ms), max(last, to_ms)
        refresh_console(store, site_id, console_id)  # the console may be new here
    for site_id, (from_ms, to_ms) in changed.items():
        counts.assign(store, site_id, from_ms, to_ms)
    return {"shifts": len(lines)}


def _read_line(store: Store, line: Line) -> ShiftLine:
    site_id, console_id = line.identifier("site_id"), line.identifier("console_id")
    seller_id = line["seller_id"]
    if not 0 < len(seller_id) <= MAX_SELLER_ID or not seller_id.isprintable():
        raise ValueError(f"seller_id {seller_id!r} must be 1 to {MAX_SELLER_ID} printable characters")
    timezone = places.timezone(store, site_id) or "UTC"
    started_at_ms, ended_at_ms = (instant_ms(line[column], timezone) for column in ("started_at", "ended_at"))
    if ended_at_ms <= started_at_ms:
        raise ValueError("the shift must end after it starts")
    return ShiftLine(
        line.number, site_id, console_id, line["seller_name"], Shift(started_at_ms, ended_at_ms, seller_id)
    )


def _refuse_overlaps(lines: CsvLines, before: list[Shift], shift_lines: list[ShiftLine]) -> None:
    """Add an error for each overlap that the import would leave; shifts that only touch are fine."""
    numbers = {line.shift.started_at_ms: line.number for line in shift_lines}
    after = {shift.started_at_ms: shift for shift in before} | {
        line.shift.started_at_ms: line.shift for line in shift_lines
    }
    ordered = [after[start] for start in sorted(after)]
    for earlier, later in pairwise(ordered):
        if earlier.ended_at_ms <= later.started_at_ms:
            continue
        number, other = numbers.get(later.started_at_ms), numbers.get(earlier.started_at_ms)
        if number is not None and other is not None:
            lines.errors.append(f"line {max(number, other)}: the shift overlaps the one in line {min(number, other)}")
        elif number is not None or other is not None:
            seller_id = (earlier if number is not None else later).seller_id
            lines.errors.append(
                f"line {number or other}: the shift overlaps one of {seller_id} that was imported before"
            )


def _set_shifts(
    store: Store, site_id: str, console_id: str, before: list[Shift], shift_lines: list[ShiftLine]
) -> tuple[int, int]:
    """Set a console's shifts and update its surveys; return the interval (from_ms, to_ms) that may have changed."""
    console_key = places.ensure_console(store, site_id, console_id)
    starts = {line.shift.started_at_ms for line in shift_lines}
    changed = [line.shift for line in shift_lines] + [shift for shift in before if shift.started_at_ms in starts]
    for line in shift_lines:
        places.name_seller(store, line.shift.seller_id, line.seller_name)
        places.set_shift(store, console_key, line.shift)
    store.forget()
    from_ms, to_ms = min(starts), max(shift.ended_at_ms for shift in changed)
    refold_console(store, site_id, console_id, from_ms, to_ms)
    return from_ms, to_ms
