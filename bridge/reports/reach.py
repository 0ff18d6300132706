"""Find what a correction can have touched in reports: in which time, at which places, and in whose rows."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.model.periods import EVER
from bridge.store import places, report_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.model.history import RecordedChange
    from bridge.model.periods import Placement, Shift
    from bridge.store import Store

    Row = dict[str, Any]
    Span = tuple[int, int]
    Values = dict[str, set[str | None]]

GROUPED = {"console_id", "checkout_point_id", "seller_id"}
SELLERS, SELLERS_AND_CONSOLES = frozenset({"seller_id"}), frozenset({"seller_id", "console_id"})


class CorrectionReach(NamedTuple):
    """A time in which a correction touches rows, and with which values, by column; other columns may have any.

    With `among`, it only moves figures from one to another, and touches the rows that have one of these columns.
    """

    recorded: RecordedChange
    from_ms: int
    to_ms: int
    values: Values
    among: frozenset[str] = frozenset()

    def concerns(self, row: Row) -> bool:
        """Return whether a row of this site and time has such values; a total has those of all places and people."""
        columns = row.keys() - GROUPED if row.get("total") else row.keys()
        if self.among and not self.among & columns:
            return False
        return all(row[column] in allowed for column, allowed in self.values.items() if column in columns)


class Reaches:
    """Knows who was where and when, and so what each correction touches."""

    def __init__(self, store: Store, rows: list[Row]) -> None:
        self._store = store
        self._placements: dict[str, list[Placement]] = {}
        self._are_shared = any(row.keys() & SELLERS_AND_CONSOLES for row in rows)
        self.longest_ms = report_queries.longest_shared_count_ms(store) if self._are_shared else 0

    def of(self, recorded: RecordedChange) -> Iterator[CorrectionReach]:
        """Yield what a correction touches."""
        change, span = recorded.change, past_span(recorded)
        if change.kind == "silent_weight":
            yield CorrectionReach(recorded, *span, {"question_id": {change.name}})
        elif change.kind == "shift":
            yield from self._of_shift(recorded, span)
        elif change.kind == "placement":
            yield from self._of_placement(recorded, span)
        elif change.kind == "count":
            yield from self._of_count(recorded, span)
        elif change.kind != "question":  # of older versions: surveys keep the kind that they were asked with
            yield CorrectionReach(recorded, *span, {})

    def _of_shift(self, recorded: RecordedChange, span: Span) -> Iterator[CorrectionReach]:
        """Yield the reach to whose shift it was and is, and to all who share its checkout points' counts."""
        site_id, console_id = recorded.change.site_id, recorded.change.name
        states = [recorded.change.before or {}, recorded.change.after or {}]
        sellers = {state.get("seller_id") for state in states}
        if len({(state.get("started_at"), state.get("ended_at")) for state in states}) > 1:
            sellers.add(None)  # who was on shift for longer, or shorter, leaves or gets nobody's surveys
        standing = self._standing(site_id, span)
        points = {placed.checkout_point_id for placed in standing if placed.console_id == console_id}
        own: Values = {"console_id": {console_id}, "checkout_point_id": {*points} or {None}, "seller_id": sellers}
        yield CorrectionReach(recorded, *span, own)
        for point in points:
            if counted := self._counted(site_id, point, span):
                yield CorrectionReach(recorded, *counted, self._values_at(site_id, point, counted), SELLERS)

    def _of_placement(self, recorded: RecordedChange, span: Span) -> Iterator[CorrectionReach]:
        """Yield the reach to the console and its sellers, and to all who have a part in its checkout points' counts."""
        site_id, console_id = recorded.change.site_id, recorded.change.name
        states = recorded.change.before or {}, recorded.change.after or {}
        points: set[str | None] = {state.get("checkout_point_id") for state in states}
        sellers = {*self._sellers(site_id, console_id, span), None}
        own: Values = {"console_id": {console_id}, "checkout_point_id": points, "seller_id": sellers}
        yield CorrectionReach(recorded, *span, own)
        for point in filter(None, points):
            if counted := self._counted(site_id, point, span):
                values = self._values_at(site_id, point, counted)
                values["seller_id"].add(None)  # where the console leaves, or was not yet, there may be nobody
                yield CorrectionReach(recorded, *counted, values, SELLERS_AND_CONSOLES)

    def _of_count(self, recorded: RecordedChange, span: Span) -> Iterator[CorrectionReach]:
        """Yield the reach to whoever had a part in a count and has one, as far as that is known."""
        change = recorded.change
        known = [state for state in (change.before or {}, change.after or {}) if state.keys() >= GROUPED]
        for state in known:
            values: Values = {column: {state[column]} for column in GROUPED}
            if point := state["checkout_point_id"]:
                interval = _ms(state["from"]), max(_ms(state["to"]), _ms(state["from"]) + 1)
                sharing = self._values_at(change.site_id, point, interval)["seller_id"]
                values["seller_id"] |= sharing
            yield CorrectionReach(recorded, *span, values)
        if not known:
            yield CorrectionReach(recorded, *span, {})

    def _values_at(self, site_id: str, point: str, span: Span) -> Values:
        """Return which consoles and sellers were at a checkout point; None is for nobody in particular."""
        standing = [placed for placed in self._standing(site_id, span) if placed.checkout_point_id == point]
        consoles: set[str | None] = {placed.console_id for placed in standing}
        sellers: set[str | None] = set()
        is_manned = True  # time with nobody on shift may have a part, too
        for placed in standing:
            to_ms = span[1] if placed.to_ms is None else min(span[1], placed.to_ms)
            own = max(span[0], placed.from_ms), to_ms
            sellers |= self._sellers(site_id, placed.console_id, own)
            is_manned &= self._is_manned(site_id, placed.console_id, own)
        if not is_manned or not sellers or len(consoles) > 1:
            sellers.add(None)
        return {"console_id": consoles, "checkout_point_id": {point}, "seller_id": sellers}

    def _standing(self, site_id: str, span: Span) -> list[Placement]:
        if site_id not in self._placements:
            self._placements[site_id] = places.placements(self._store, site_id)
        from_ms, to_ms = span
        return [
            placed
            for placed in self._placements[site_id]
            if placed.from_ms < to_ms and (placed.to_ms is None or placed.to_ms > from_ms)
        ]

    def _sellers(self, site_id: str, console_id: str, span: Span) -> set[str]:
        shifts = self._shifts.get((site_id, console_id))
        return shifts.sellers(*span) if shifts else set()

    def _is_manned(self, site_id: str, console_id: str, span: Span) -> bool:
        shifts = self._shifts.get((site_id, console_id))
        return shifts is not None and shifts.cover(*span)

    def _counted(self, site_id: str, point: str, span: Span) -> Span | None:
        """Return the time of all counts of a checkout point, which sellers share, that reach into a span of time."""
        if not self._are_shared:
            return None
        return report_queries.span_of_shared_counts(self._store, site_id, point, span, self.longest_ms)

    @cached_property
    def _shifts(self) -> dict[tuple[str, str], _ConsoleShifts]:
        found: dict[tuple[str, str], list[Shift]] = {}
        for site_id, console_id, shift in places.shifts_at_consoles(self._store):
            found.setdefault((site_id, console_id), []).append(shift)
        return {console: _ConsoleShifts(periods) for console, periods in found.items()}


class _ConsoleShifts:
    """The shifts of a console, to look up whose overlap a span of time."""

    def __init__(self, shifts: list[Shift]) -> None:
        self._shifts = sorted(shifts)
        self._longest_ms = max(shift.ended_at_ms - shift.started_at_ms for shift in shifts)

    def sellers(self, from_ms: int, to_ms: int) -> set[str]:
        """Return who was on shift at any time of a span."""
        return {shift.seller_id for shift in self._within(from_ms, to_ms)}

    def cover(self, from_ms: int, to_ms: int) -> bool:
        """Return whether somebody was on shift at each time of a span."""
        for shift in self._within(from_ms, to_ms):
            if shift.started_at_ms > from_ms:
                return False
            from_ms = max(from_ms, shift.ended_at_ms)
        return from_ms >= to_ms

    def _within(self, from_ms: int, to_ms: int) -> list[Shift]:
        first = bisect_left(self._shifts, from_ms - self._longest_ms, key=_started_at_ms)
        last = bisect_left(self._shifts, to_ms, key=_started_at_ms)
        return [shift for shift in self._shifts[first:last] if shift.ended_at_ms > from_ms]


_started_at_ms = attrgetter("started_at_ms")


def past_span(recorded: RecordedChange) -> Span:
    """Return the time that a correction concerns, as far as it was past when it was made."""
    from_ms = recorded.change.from_ms
    return -EVER if from_ms is None else from_ms, min(recorded.change.to_ms, recorded.changed_at_ms)


def _ms(local_time: str) -> int:
    return round(datetime.fromisoformat(local_time).timestamp() * 1000)
