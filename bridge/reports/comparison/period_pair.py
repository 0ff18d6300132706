"""The days of two periods that are compared, at each site by its own calendar. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import UsageError
from bridge.model.local_time import local
from bridge.reports.comparison.aligned_days import align, in_words, overlap, previous, so_far

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.reports.comparison.aligned_days import AlignedDays
    from bridge.reports.days import Days


@dataclass(frozen=True)
class PeriodPair:
    """A period and the one that it is compared with, each as asked for in a time zone; `other` None: the one before.

    Only what is over of the period counts, unless `last_day`, the last one that has surveys, shows that the clock is
    wrong; None: the period is named by the clock itself.
    """

    this: Callable[[str], Days]
    other: Callable[[str], Days] | None
    now_ms: int
    last_day: str | None = None

    def check(self, timezones: Iterable[str]) -> None:
        """Raise UsageError if the periods overlap, or have no weekday in common."""
        for timezone in dict.fromkeys([*timezones, "UTC"]):
            this, other = self._over(timezone), self._other(timezone)
            if overlap(this, other):
                raise UsageError(
                    f"The two periods overlap ({in_words(this)}, and {in_words(other)}): give --with previous, or days "
                    "that lie apart."
                )
            if align(this, other) is None:
                raise UsageError(
                    f"{in_words(this)} and {in_words(other)} have no weekday in common, so nothing is comparable: give "
                    "--with previous for the same weekdays before."
                )

    def days(self, timezone: str) -> AlignedDays:
        """Return the days that are compared in a time zone."""
        aligned = align(self._over(timezone), self._other(timezone))
        if aligned is None:
            raise UsageError("The two periods have no weekday in common.")
        return aligned

    def these_days(self, timezone: str) -> Days:
        """Return the days of the period that count."""
        return self.days(timezone).this

    def other_days(self, timezone: str) -> Days:
        """Return the days of the other period that count."""
        return self.days(timezone).other

    def in_words(self, timezone: str) -> str:
        """Say which days are compared, and which of those asked for are not."""
        this, other = self.days(timezone)
        asked, over = self.this(timezone), self._over(timezone)
        is_under_way = over != asked or asked[0] <= local(self.now_ms, timezone).date() < asked[1]
        not_over = ", so far" if is_under_way else ""
        left_out = [
            *_beyond(over, this),
            *_beyond(self.other(timezone) if self.other else other, other),
        ]
        without = f"; left out, to have the same weekdays: {' and '.join(map(in_words, left_out))}" if left_out else ""
        return f"{in_words(this)}{not_over}, compared with {in_words(other)}, each weekday equally often{without}"

    def _over(self, timezone: str) -> Days:
        today = local(self.now_ms, timezone).date()
        asked = self.this(timezone)
        if self.last_day is not None and self.last_day > today.isoformat():
            return asked
        return so_far(asked, today)

    def _other(self, timezone: str) -> Days:
        return self.other(timezone) if self.other else previous(self._over(timezone))


def _beyond(asked: Days, chosen: Days) -> list[Days]:
    """Return what of the days asked for lies before and after the chosen ones."""
    return [days for days in ((asked[0], chosen[0]), (chosen[1], asked[1])) if days[0] < days[1]]
