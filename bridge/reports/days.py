"""Say which local days a report is about, at each site: given ones, or a period such as last week. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from bridge.model.local_time import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Days = tuple[date, date]
"""(from, to): the first day, and the first day that no longer counts."""

DAY = timedelta(days=1)
FOUR_WEEKS = timedelta(days=28)


def given_days(from_day: date, to_day: date) -> Callable[[str], Days]:
    """Return a function that gives the same days for all time zones."""
    return lambda _timezone: (from_day, to_day)


def days_of_period(period: str, now_ms: int) -> Callable[[str], Days]:
    """Return a function that gives the days of a period, one of PERIODS, as it is now in a time zone."""
    return lambda timezone: PERIODS[period](local(now_ms, timezone).date())


def ranges(days: Iterable[str]) -> list[str]:
    """Return days, in order, as dates and ranges of dates: `2026-11-02`, `2026-11-05 to 2026-11-09`."""
    found: list[list[date]] = []
    for day in map(date.fromisoformat, days):
        if found and day - found[-1][-1] == DAY:
            found[-1][1:] = [day]
        else:
            found.append([day])
    return [" to ".join(map(str, first_and_last)) for first_and_last in found]


def _week(today: date) -> Days:
    monday = today - today.weekday() * DAY
    return monday, monday + 7 * DAY


def _month(today: date) -> Days:
    first = today.replace(day=1)
    return first, (first + 31 * DAY).replace(day=1)


PERIODS: dict[str, Callable[[date], Days]] = {
    "today": lambda today: (today, today + DAY),
    "yesterday": lambda today: (today - DAY, today),
    "this-week": _week,
    "last-week": lambda today: _week(today - 7 * DAY),
    "this-month": _month,
    "last-month": lambda today: _month(today.replace(day=1) - DAY),
    "last-28-days": lambda today: (today - FOUR_WEEKS, today),
}
"""Weeks begin on Monday. The last 28 days end with yesterday, so that they hold four of each day of the week."""
