"""The time that a site's counts of one kind tell of, by the day of each count and by whom it is about. Pure."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING

from bridge.reports.coverage.modes import MODES
from bridge.reports.time_spans import unite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.reports.coverage.modes import Mode
    from bridge.reports.seller_shares import Share
    from bridge.reports.time_spans import Span
    from bridge.store.coverage import SurveyGroup
    from bridge.store.report_queries import FeedRun

    Key = tuple[tuple[int, str, str, str], str, str]
    """(group of a mode, checkout_point_id, seller_id): whose rows, and whom the counts are about; empty is anybody."""

_starts_at = itemgetter(0)


class CoveredTime:
    """The spans of time in which counts were made."""

    def __init__(self, bounds: Callable[[str], Span]) -> None:
        """Take a function that gives the first instant of a local day of the site, and that of the day after it."""
        self._bounds = bounds
        self._own: dict[tuple[Key, str], list[Span]] = {}  # of the counts that begin on a day
        self._united: dict[tuple[Key, str], list[Span]] = {}
        self._reaching: dict[Key, list[tuple[int, int, str]]] = {}  # those beyond their day, each with that day

    def add(self, run: FeedRun, console_id: str, day: str, shares: list[Share]) -> None:
        """Add the counts of a run, which begin on a day; `shares` are the parts that sellers have in them."""
        point, sent = run.checkout_point_id, run.sent_seller_id
        for mode in MODES:
            if mode.of_seller:
                for share in shares:
                    self._add((mode.group(console_id, point, share.seller_id or ""), point, sent), day, share.spans)
            else:
                whole = [(run.known_from_ms, run.known_to_ms)]
                self._add((mode.group(console_id, point, ""), point, "" if point else sent), day, whole)

    def _add(self, key: Key, day: str, spans: list[Span]) -> None:
        self._own.setdefault((key, day), []).extend(spans)
        begins, ends = self._bounds(day)
        reaching = [(*span, day) for span in spans if span[0] < begins or span[1] > ends]
        if reaching:
            self._reaching.setdefault(key, []).extend(reaching)

    def knows(self, mode: Mode, surveys: SurveyGroup, day: str, span: Span) -> bool | None:
        """Return whether the counts that begin on a day tell of all of a span of time in it; None if only of a part.

        It is None, too, if those of other days may tell of it.
        """
        touches = False
        for key in _keys(mode, surveys):
            spans = self._spans_of(key, day)
            index = bisect_right(spans, span[1] - 1, key=_starts_at) - 1
            if index >= 0 and spans[index][1] > span[0]:
                if spans[index][0] <= span[0] and span[1] <= spans[index][1]:
                    return True
                touches = True
            touches |= any(start < span[1] and end > span[0] for start, end, _ in self._reaching.get(key, ()))
        return None if touches else False

    def days_that_know(self, mode: Mode, surveys: SurveyGroup, day: str, at_ms: int) -> tuple[str, str] | None:
        """Return the first day that a report must hold to know of an instant of a day, or the last day that does, too.

        It is ("", last day) if only counts of the day after tell of it, and None if there are none.
        """
        span = at_ms, at_ms + 1
        days = {""}
        for key in _keys(mode, surveys):
            spans = self._spans_of(key, day)
            index = bisect_right(spans, at_ms, key=_starts_at) - 1
            if index >= 0 and spans[index][1] > at_ms:
                return day, ""
            days.update(of for start, end, of in self._reaching.get(key, ()) if start < span[1] and end > span[0])
        found = max(of for of in days if of < day), max(of if of > day else "" for of in days)
        return found if any(found) else None

    def _spans_of(self, key: Key, day: str) -> list[Span]:
        place = key, day
        spans = self._united.get(place)
        if spans is None:
            spans = self._united[place] = unite(self._own.get(place, []))
        return spans


def _keys(mode: Mode, surveys: SurveyGroup) -> Iterator[Key]:
    """Yield whom counts may be about that tell of these surveys."""
    point, seller = surveys.checkout_point_id, surveys.seller_id
    group = mode.group(surveys.console_id, point, seller)
    for pair in {("", ""), (point, ""), ("", seller), (point, seller)}:
        yield group, *pair
