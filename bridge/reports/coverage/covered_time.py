"""The time that a site's counts of one kind tell of, by the day of each count and by whom it is about. Pure."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from bridge.reports.coverage.modes import MODES, SITE
from bridge.reports.time_spans import unite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.reports.coverage.modes import Mode
    from bridge.reports.seller_shares import Share
    from bridge.reports.time_spans import Span
    from bridge.store.coverage import SurveyGroup
    from bridge.store.report_queries import FeedRun

    Group = tuple[int, str, str, str]
    """Of a mode."""
    About = tuple[str, str]
    """(checkout_point_id, seller_id) that counts are about; empty is anybody."""

_starts_at = itemgetter(0)
_NOTHING: dict[str, Any] = {}


class CoveredTime:
    """The spans of time in which counts were made."""

    def __init__(self, bounds: Callable[[str], Span]) -> None:
        """Take a function that gives the first instant of a local day of the site, and that of the day after it."""
        self._bounds = bounds
        self._own: dict[Group, dict[str, dict[About, list[Span]]]] = {}  # of the counts that begin on a day
        self._reaching: dict[Group, list[tuple[int, int, str, About]]] = {}  # those beyond their day, with that day

    def add(self, run: FeedRun, console_id: str, day: str, shares: list[Share]) -> None:
        """Add the counts of a run, which begin on a day; `shares` are the parts that sellers have in them."""
        point, sent = run.checkout_point_id, run.sent_seller_id
        whole = [(run.known_from_ms, run.known_to_ms)]
        for mode in MODES:
            if mode.of_seller:
                for share in shares:
                    self._add(mode.group(console_id, point, share.seller_id or ""), day, (point, sent), share.spans)
            else:
                self._add(mode.group(console_id, point, ""), day, (point, "" if point else sent), whole)

    def _add(self, group: Group, day: str, about: About, spans: list[Span]) -> None:
        of_day = self._own.setdefault(group, {}).setdefault(day, {})
        of_day[about] = unite([*of_day[about], *spans]) if about in of_day else spans
        begins, ends = self._bounds(day)
        for from_ms, to_ms in spans:
            if from_ms < begins or to_ms > ends:
                self._reaching.setdefault(group, []).append((from_ms, to_ms, day, about))

    def may_know(self, surveys: SurveyGroup, day: str, span: Span) -> bool:
        """Return whether any counts may tell of a span of time: what any mode knows is known in a site's row."""
        return self.knows(SITE, surveys, day, span) is not False

    def knows(self, mode: Mode, surveys: SurveyGroup, day: str, span: Span) -> bool | None:
        """Return whether the counts that begin on a day tell of all of a span of time in it; None if only of a part.

        It is None, too, if those of other days may tell of it.
        """
        touches = False
        for spans in self._own_spans(mode, surveys, day):
            index = bisect_right(spans, span[1] - 1, key=_starts_at) - 1
            if index >= 0 and spans[index][1] > span[0]:
                if spans[index][0] <= span[0] and span[1] <= spans[index][1]:
                    return True
                touches = True
        return None if touches or any(self._days_reaching(mode, surveys, span)) else False

    def days_that_know(self, mode: Mode, surveys: SurveyGroup, day: str, at_ms: int) -> tuple[str, str] | None:
        """Return the first day that a report must hold to know of an instant of a day, or the last day that does, too.

        It is ("", last day) if only counts of the day after tell of it, and None if there are none.
        """
        for spans in self._own_spans(mode, surveys, day):
            index = bisect_right(spans, at_ms, key=_starts_at) - 1
            if index >= 0 and spans[index][1] > at_ms:
                return day, ""
        days = [*self._days_reaching(mode, surveys, (at_ms, at_ms + 1))]
        before, after = [of for of in days if of < day], [of for of in days if of > day]
        return (max(before, default=""), min(after, default="")) if before or after else None

    def _own_spans(self, mode: Mode, surveys: SurveyGroup, day: str) -> Iterator[list[Span]]:
        group = mode.group(surveys.console_id, surveys.checkout_point_id, surveys.seller_id)
        for about, spans in self._own.get(group, _NOTHING).get(day, _NOTHING).items():
            if _concerns(about, surveys):
                yield spans

    def _days_reaching(self, mode: Mode, surveys: SurveyGroup, span: Span) -> Iterator[str]:
        """Yield the days whose counts reach into a span of time, beyond their day."""
        group = mode.group(surveys.console_id, surveys.checkout_point_id, surveys.seller_id)
        for from_ms, to_ms, day, about in self._reaching.get(group, ()):
            if from_ms < span[1] and to_ms > span[0] and _concerns(about, surveys):
                yield day


def _concerns(about: About, surveys: SurveyGroup) -> bool:
    return about[0] in {"", surveys.checkout_point_id} and about[1] in {"", surveys.seller_id}
