"""Who was on shift where: imported from a CSV file, all of it or nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from bridge.admin.csv_file import CsvLines, Line, read_lines
from bridge.admin.settings import refresh_console
from bridge.model.local_time import instant_ms
from bridge.store import places
from bridge.surveys import counts
from bridge.surveys.refold import refold_console

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import ImportShifts
    from bridge.store import Store

COLUMNS = ("site_id", "console_id", "seller_id", "seller_name", "started_at", "ended_at")
MAX_SELLER_ID = 64


class Given(NamedTuple):
    """A line of the file."""

    number: int
    site_id: str
    console_id: str
    seller_name: str
    shift: places.Shift


def import_shifts(store: Store, command: ImportShifts) -> dict[str, Any]:
    """Set the shifts of a CSV file, all or none, inside the transaction; surveys and counts follow."""
    lines = read_lines(command.name, command.text, COLUMNS)
    by_console: dict[tuple[str, str], list[Given]] = {}
    for line in lines:
        with line.judged():
            given = _given(store, line)
            by_console.setdefault((given.site_id, given.console_id), []).append(given)
    before = {console: places.shifts(store, places.ensure_console(store, *console)) for console in by_console}
    for console, given_here in by_console.items():
        _refuse_overlaps(lines, before[console], given_here)
    lines.check()
    touched: dict[str, tuple[int, int]] = {}
    for (site_id, console_id), given_here in by_console.items():
        from_ms, to_ms = _set(store, site_id, console_id, before[site_id, console_id], given_here)
        first, last = touched.get(site_id, (from_ms, to_ms))
        touched[site_id] = min(first, from_ms), max(last, to_ms)
        refresh_console(store, site_id, console_id)  # the console may be new here
    for site_id, (from_ms, to_ms) in touched.items():
        counts.assign(store, site_id, from_ms, to_ms)
    return {"shifts": len(lines)}


def _given(store: Store, line: Line) -> Given:
    site_id, console_id = line.identifier("site_id"), line.identifier("console_id")
    seller_id = line["seller_id"]
    if not 0 < len(seller_id) <= MAX_SELLER_ID or not seller_id.isprintable():
        raise ValueError(f"seller_id {seller_id!r} must be 1 to {MAX_SELLER_ID} printable characters")
    timezone = places.timezone(store, site_id) or "UTC"
    started_at_ms, ended_at_ms = (instant_ms(line[column], timezone) for column in ("started_at", "ended_at"))
    if ended_at_ms <= started_at_ms:
        raise ValueError("the shift does not end after it starts")
    return Given(
        line.number, site_id, console_id, line["seller_name"], places.Shift(started_at_ms, ended_at_ms, seller_id)
    )


def _refuse_overlaps(lines: CsvLines, before: list[places.Shift], given_here: list[Given]) -> None:
    """Judge the shifts as they would stand after the import: touching is fine, overlapping is not."""
    numbers = {given.shift.started_at_ms: given.number for given in given_here}
    after = {shift.started_at_ms: shift for shift in before} | {
        given.shift.started_at_ms: given.shift for given in given_here
    }
    ordered = [after[start] for start in sorted(after)]
    for earlier, later in pairwise(ordered):
        if earlier.ended_at_ms <= later.started_at_ms:
            continue
        number, other = numbers.get(later.started_at_ms), numbers.get(earlier.started_at_ms)
        if number is not None and other is not None:
            lines.faults.append(f"line {max(number, other)}: the shift overlaps that of line {min(number, other)}")
        elif number is not None or other is not None:
            known = (earlier if number is not None else later).seller_id
            lines.faults.append(f"line {number or other}: the shift overlaps one of {known} that is known already")


def _set(
    store: Store, site_id: str, console_id: str, before: list[places.Shift], given_here: list[Given]
) -> tuple[int, int]:
    """Set a console's shifts and have its surveys follow; from when to when something may have changed."""
    console_key = places.ensure_console(store, site_id, console_id)
    starts = {given.shift.started_at_ms for given in given_here}
    changed = [given.shift for given in given_here] + [shift for shift in before if shift.started_at_ms in starts]
    for given in given_here:
        places.name_seller(store, given.shift.seller_id, given.seller_name)
        places.set_shift(store, console_key, given.shift)
    store.forget()
    from_ms, to_ms = min(starts), max(shift.ended_at_ms for shift in changed)
    refold_console(store, site_id, console_id, from_ms, to_ms)
    return from_ms, to_ms
