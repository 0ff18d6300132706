"""Resolve times that people typed without an offset anew, when their site's time zone is set or has other rules."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from bridge.errors import TrivoxError
from bridge.model.local_time import instant_ms, local, typed_ms
from bridge.model.periods import Shift, TypedTimes
from bridge.store import counts, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

    TypedShifts = list[tuple[Shift, TypedTimes]]

ROWS_AT_ONCE = 5_000
MAX_FAULTS = 5  # that a sentence names


def check_times(store: Store, site_id: str, timezone: str) -> Iterator[None]:
    """Check in steps that all times of a site that were typed have a meaning in a zone. Raises TrivoxError."""
    faults: list[str] = []
    for console_id, rows in places.typed_shifts(store, site_id).items():
        faults += (f"shift at {site_id}/{console_id}: {fault}" for fault in _faults_of_shifts(rows, timezone))
    yield
    last: counts.Name | None = None
    while found := counts.some_typed(store, site_id, last, ROWS_AT_ONCE):
        for count in found:
            fault = _fault_of_times(count.from_as, count.from_ms, count.to_as, count.to_ms, timezone)
            if fault is not None:
                faults.append(f"count {count.id} of {site_id}/{count.source_id}: {fault}")
        last = found[-1][:3]
        yield
    if faults:
        more = f", and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
        raise TrivoxError(
            f"The time zone of {site_id} was not changed to {timezone}, as some times would have no meaning in it: "
            f"{'; '.join(faults[:MAX_FAULTS])}{more}. Remove these first, and then import them with their "
            "offsets."
        )


def _faults_of_shifts(rows: TypedShifts, timezone: str) -> Iterator[str]:
    for shift, (start, end) in rows:
        fault = _fault_of_times(start, shift.started_at_ms, end, shift.ended_at_ms, timezone, shortest_ms=1)
        if fault is not None:
            yield fault
    resolved = _resolved(rows, timezone)
    for (earlier, _), (later, _) in pairwise(resolved):
        if earlier.started_at_ms < earlier.ended_at_ms > later.started_at_ms < later.ended_at_ms:
            at = local(later.started_at_ms, timezone).isoformat(timespec="minutes")
            yield f"that of {later.seller_id} from {at} would overlap that of {earlier.seller_id}"


def _fault_of_times(
    start: str | None, from_ms: int, end: str | None, to_ms: int, timezone: str, *, shortest_ms: int = 0
) -> str | None:
    """Return what is wrong with an interval in a zone; None if it is fine. What has no text stays an instant."""
    try:
        from_ms = from_ms if start is None else instant_ms(datetime.fromisoformat(start), timezone)
        to_ms = to_ms if end is None else instant_ms(datetime.fromisoformat(end), timezone, is_end=True)
    except ValueError as error:
        return str(error)
    return f"it would end before it starts, at {start or end}" if to_ms < from_ms + shortest_ms else None


def _resolved(rows: TypedShifts, timezone: str) -> TypedShifts:
    """Return the shifts of a console with their times resolved in a zone, in order."""
    resolved = [
        (
            Shift(
                shift.started_at_ms if typed.start is None else typed_ms(typed.start, timezone),
                shift.ended_at_ms if typed.end is None else typed_ms(typed.end, timezone),
                shift.seller_id,
            ),
            typed,
        )
        for shift, typed in rows
    ]
    return sorted(resolved, key=lambda row: row[0])


def resolve_times(store: Store, site_id: str, timezone: str) -> list[str]:
    """Resolve the shifts and placements of a site in a zone, as part of a change to all its surveys.

    Its counts follow when they are assigned again. Return the consoles whose shifts would overlap or be empty then:
    they stay as they were.
    """
    kept = []
    for console_id, rows in places.typed_shifts(store, site_id).items():
        resolved = _resolved(rows, timezone)
        if any(earlier.ended_at_ms > later.started_at_ms for (earlier, _), (later, _) in pairwise(resolved)) or any(
            shift.ended_at_ms <= shift.started_at_ms for shift, _ in resolved
        ):
            kept.append(console_id)
        elif resolved != rows:
            places.stage_all_shifts(store, site_id, console_id, resolved)
    placements = places.placements_from_days(store, site_id)
    for console_key, from_ms, _, _ in placements:
        places.remove_placement(store, console_key, from_ms)
    for console_key, _, checkout_point_id, day in placements:
        from_ms = typed_ms(day, timezone)
        places.place(store, console_key, checkout_point_id, from_ms, day)
    return kept
