"""The sales of a site in a month, and the surveys that they are compared with. Pure.

Sales are known of a checkout point, of a seller, or of the whole site: each of these is a unit, and a survey belongs to
the first of them that there is. Only surveys opened in time that their unit's counts are of are compared with sales.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.flags.evidence import AskedInHour, month_of
from bridge.model.flags.sales_matching import left_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bridge.model.flags.evidence import MonthEvidence, SellerMonth

SALE_MS = 60_000
"""A count of less than this is that of one sale, as tills send it."""

AROUND_A_SALE_MS = 1_800_000
"""… and stands for so long before and after it, as in reports: sales of the same hour leave no gap between them."""

HOUR_LENGTH = len("2026-11-22T13")

Unit = tuple[str, str]
"""("point", checkout_point_id), ("seller", seller_id) or ("site", "")."""

Span = tuple[int, int]


class SalesCount(NamedTuple):
    """A count of transactions; `is_of_one` tells whether the same seller was on shift in all of its interval."""

    from_ms: int
    to_ms: int
    sales: int
    checkout_point_id: str | None
    sent_seller_id: str | None
    seller_id: str | None
    from_hour: str
    last_hour: str
    is_of_one: bool


class SalesOfHour(NamedTuple):
    """Counts of less than SALE_MS, each of so many `sales`, that begin within the same local hour."""

    checkout_point_id: str | None
    sent_seller_id: str | None
    seller_id: str | None
    hour: str
    sales: int
    from_ms: list[int]
    last_to_ms: int


class AskedSurvey(NamedTuple):
    """A survey that counts, with the seller's press."""

    opened_at_ms: int
    seller_id: str
    checkout_point_id: str | None
    hour: str
    ask_every: int
    yes_bin: int | None
    epoch_key: int
    survey: int


# There are millions of surveys: what is counted of them, counters take without a function of ours.
_OPENED, _SELLER, _SELLER_HOUR_EACH = (
    itemgetter(*map(AskedSurvey._fields.index, names))
    for names in (("opened_at_ms",), ("seller_id",), ("seller_id", "hour", "ask_every"))
)


class _UnitFeed:
    """The counts of a unit."""

    def __init__(self) -> None:
        self.spans: list[Span] = []  # by the hour
        self.long_spans: list[Span] = []
        self.nobody_spans: list[Span] = []  # nobody came
        self.around_sales: list[Span] = []  # of tills that send each sale
        self.sales_ms: list[int] = []

    @staticmethod
    def within(spans: list[Span], surveys: Sequence[AskedSurvey], opened: list[int]) -> Iterator[Sequence[AskedSurvey]]:
        """Yield the surveys of each span, of surveys in order of their opening."""
        for from_ms, to_ms in united(spans):
            some = surveys[bisect_left(opened, from_ms) : bisect_left(opened, to_ms)]
            if some:
                yield some


class SiteFeed:
    """The sales of a site: add all counts, then let the surveys of each unit meet them."""

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self._units: dict[Unit, _UnitFeed] = {}
        self._by_hour: Counter[tuple[str, str]] = Counter()
        self._long: Counter[str] = Counter()

    def add(self, counts: Iterable[SalesCount]) -> None:
        """Add counts of SALE_MS or more."""
        for from_ms, to_ms, sales, point, sent_seller_id, seller_id, from_hour, last_hour, is_of_one in counts:
            feed = self._feed_of(sent_seller_id, point)
            if not sales:
                feed.nobody_spans.append((from_ms, to_ms))
            if seller_id is None or not is_of_one:
                continue
            if from_hour == last_hour:
                feed.spans.append((from_ms, to_ms))
                self._by_hour[seller_id, from_hour[:HOUR_LENGTH]] += sales
            else:
                feed.long_spans.append((from_ms, to_ms))
                self._long[seller_id] += sales

    def add_sales(self, hours: Iterable[SalesOfHour]) -> None:
        """Add shorter counts."""
        for point, sent_seller_id, seller_id, hour, sales, from_ms, last_to_ms in hours:
            feed = self._feed_of(sent_seller_id, point)
            feed.sales_ms += from_ms if sales == 1 else from_ms * sales
            feed.around_sales.append((min(from_ms) - AROUND_A_SALE_MS, last_to_ms + AROUND_A_SALE_MS))
            if seller_id is not None:
                self._by_hour[seller_id, hour[:HOUR_LENGTH]] += sales * len(from_ms)

    def _feed_of(self, sent_seller_id: str | None, checkout_point_id: str | None) -> _UnitFeed:
        unit = _unit_of(sent_seller_id, checkout_point_id)
        if unit not in self._units:
            self._units[unit] = _UnitFeed()
        return self._units[unit]

    def unit_of(self, seller_id: str, checkout_point_id: str | None) -> Unit | None:
        """Return the unit of a survey; None if no sales are known that it could be one of."""
        for unit in (("point", checkout_point_id or ""), ("seller", seller_id), ("site", "")):
            if unit in self._units:
                return unit
        return None

    def compare(self, unit: Unit, surveys: list[AskedSurvey], evidence: MonthEvidence) -> list[AskedSurvey]:
        """Let the surveys of a unit meet its sales, and put what is found into the evidence.

        Returns the surveys that are left over when as many as can be are matched with sales.
        """
        feed = self._units[unit]
        surveys.sort()
        opened = list(map(_OPENED, surveys))
        if unit[0] != "site":
            self._compare_numbers(feed, surveys, opened, evidence)
        if not feed.sales_ms:
            return []
        known = [
            survey for some in feed.within(feed.around_sales + feed.nobody_spans, surveys, opened) for survey in some
        ]
        for seller_id, number in Counter(map(_SELLER, known)).items():
            month_of(evidence, seller_id).matched += number
        rest = [known[position] for position in left_over(list(map(_OPENED, known)), sorted(feed.sales_ms))]
        for survey in rest:
            evidence[survey.seller_id].left_over += 1
        return rest

    def _compare_numbers(
        self, feed: _UnitFeed, surveys: list[AskedSurvey], opened: list[int], evidence: MonthEvidence
    ) -> None:
        asked: Counter[tuple[str, str, int]] = Counter()
        short_spans = feed.spans + feed.around_sales
        for some in feed.within(short_spans, surveys, opened):
            asked.update(map(_SELLER_HOUR_EACH, some))
        for (seller_id, hour, ask_every), number in asked.items():
            month = month_of(evidence, seller_id)
            _in_hour(month, self._site_id, hour[:HOUR_LENGTH]).asked += number * ask_every
            month.asked += number * ask_every
            month.asked_surveys += number
        for some in feed.within(without(feed.long_spans, short_spans), surveys, opened):
            for survey in some:
                month = month_of(evidence, survey.seller_id)
                month.asked += survey.ask_every
                month.asked_surveys += 1

    def finish(self, evidence: MonthEvidence) -> None:
        """Put the sales themselves into the evidence."""
        for (seller_id, hour), number in self._by_hour.items():
            month = month_of(evidence, seller_id)
            _in_hour(month, self._site_id, hour).sales += number
            month.sales += number
        for seller_id, number in self._long.items():
            month_of(evidence, seller_id).sales += number


def _unit_of(sent_seller_id: str | None, checkout_point_id: str | None) -> Unit:
    """Return whose sales these are: a checkout point's, whoever sold, as shifts may be wrong and may be rewritten."""
    if checkout_point_id:
        return "point", checkout_point_id
    return ("seller", sent_seller_id) if sent_seller_id else ("site", "")


def _in_hour(month: SellerMonth, site_id: str, hour: str) -> AskedInHour:
    found = month.hours.get((site_id, hour))
    if found is None:
        found = month.hours[site_id, hour] = AskedInHour()
    return found


def united(spans: list[Span]) -> list[Span]:
    """Return spans in order, those that touch as one."""
    found: list[Span] = []
    for from_ms, to_ms in sorted(spans):
        if found and from_ms <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], to_ms)
        else:
            found.append((from_ms, to_ms))
    return found


def without(spans: list[Span], others: list[Span]) -> list[Span]:
    """Return what of the spans lies in none of the others."""
    found = []
    cuts = united(others)
    for from_ms, to_ms in united(spans):
        start = from_ms
        for cut_from, cut_to in cuts[max(0, bisect_left(cuts, (from_ms, from_ms)) - 1) :]:
            if cut_from >= to_ms:
                break
            if cut_from > start:
                found.append((start, cut_from))
            start = max(start, cut_to)
        if start < to_ms:
            found.append((start, to_ms))
    return found
