"""Choose which days of two periods to compare, so that each weekday counts as often in one as in the other. Pure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from bridge.reports.days import DAY

if TYPE_CHECKING:
    from bridge.reports.days import Days

WEEK = 7
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


class AlignedDays(NamedTuple):
    """Days of two periods, equally many, with each weekday as often in one as in the other."""

    this: Days
    other: Days


def align(this: Days, other: Days) -> AlignedDays | None:
    """Return as many successive days of each period as have the same weekdays; None if they have none in common.

    They are whole weeks, or begin on the same weekday. Of several such choices of one length, those that begin on the
    same weekday come first, then those that begin earliest.
    """
    chosen: tuple[tuple[int, bool, int, int], AlignedDays] | None = None
    for skipped in range(min(WEEK, _length(this))):
        for skipped_of_other in range(min(WEEK, _length(other))):
            first, first_of_other = this[0] + skipped * DAY, other[0] + skipped_of_other * DAY
            length = min(_length(this) - skipped, _length(other) - skipped_of_other)
            is_same = first.weekday() == first_of_other.weekday()
            if not is_same:
                length -= length % WEEK
            rank = (length, is_same, -skipped, -skipped_of_other)
            if length and (chosen is None or rank > chosen[0]):
                days = (first, first + length * DAY), (first_of_other, first_of_other + length * DAY)
                chosen = rank, AlignedDays(*days)
    return chosen[1] if chosen else None


def previous(this: Days) -> Days:
    """Return the same weekdays before a period: it is moved back by as many whole weeks as it takes."""
    back = -(-_length(this) // WEEK) * WEEK * DAY
    return this[0] - back, this[1] - back


def so_far(days: Days, today: date) -> Days:
    """Return what of a period is over: up to yesterday, unless it began only today."""
    first, end = days
    if not first <= today < end:
        return days
    return first, max(today, first + DAY)


def overlap(this: Days, other: Days) -> bool:
    """Return whether two periods have days in common."""
    return this[0] < other[1] and other[0] < this[1]


def in_words(days: Days) -> str:
    """Return days as `1 to 17 November 2026`."""
    first, last = days[0], days[1] - DAY
    end = f"{last.day} {MONTHS[last.month - 1]} {last.year}"
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {end}"
    year = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {MONTHS[first.month - 1]}{year} to {end}"


def _length(days: Days) -> int:
    return (days[1] - days[0]).days
