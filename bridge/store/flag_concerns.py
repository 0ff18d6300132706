"""Find the surveys of a seller's month that a rule concerns: those that audits look at, and that may be set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.model.flags.fullest_second import STEP_MS, STEPS, fullest_second
from bridge.model.flags.measures import bad_hours
from bridge.store import flag_queries
from bridge.store.flag_queries import FORCE_MAJEURE_WHILE_OPEN, NO_THEN_FORCE_MAJEURE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bridge.model.flags.evidence import MonthEvidence
    from bridge.model.flags.site_feed import AskedSurvey
    from bridge.store.connection import Store
    from bridge.store.flag_queries import SiteMonth

SurveyKey = tuple[int, int]
"""(epoch_key, survey)."""


class MonthRead(NamedTuple):
    """What was read of a month, and the surveys of each seller for which no sale was left."""

    month: str
    sites: list[SiteMonth]
    evidence: MonthEvidence
    left_over: dict[str, list[SurveyKey]]


def find_concerned(store: Store, rule: str, seller_id: str, read: MonthRead) -> list[SurveyKey]:
    """Return the surveys that a rule concerns, in order of epochs and numbers.

    Of `asks_the_happy` these are all that count, as it is about whom he did not ask; of `skips_bad_hours` those in the
    bad hours, and of `strays` the survey before each stray press.
    """
    return sorted(set(_FINDERS[rule](store, seller_id, read)))


def _asked(store: Store, seller_id: str, read: MonthRead) -> Iterator[tuple[str, AskedSurvey]]:
    """Yield (site_id, survey) of all surveys of a seller that count."""
    for site, console_key in flag_queries.consoles_of_seller(store, seller_id, read.month, read.sites):
        for survey in flag_queries.asked_surveys(store, console_key, site, seller_id):
            yield site.site_id, survey


def _keys(surveys: Iterable[tuple[str, AskedSurvey]]) -> list[SurveyKey]:
    return [(survey.epoch_key, survey.survey) for _, survey in surveys]


def _all(store: Store, seller_id: str, read: MonthRead) -> list[SurveyKey]:
    return _keys(_asked(store, seller_id, read))


def _in_bad_hours(store: Store, seller_id: str, read: MonthRead) -> list[SurveyKey]:
    bad = bad_hours(read.evidence, seller_id)
    return _keys(each for each in _asked(store, seller_id, read) if (each[0], each[1].hour[:13]) in bad)


def _yes_between(store: Store, seller_id: str, read: MonthRead, from_bin: int) -> list[SurveyKey]:
    """Return the surveys answered with *yes* in the second that begins with a bin of 250 ms."""
    bins = range(from_bin, from_bin + STEPS)
    return _keys(each for each in _asked(store, seller_id, read) if each[1].yes_bin in bins)


def _fast(store: Store, seller_id: str, read: MonthRead) -> list[SurveyKey]:
    return _yes_between(store, seller_id, read, 0)


def _regular(store: Store, seller_id: str, read: MonthRead) -> list[SurveyKey]:
    bins = read.evidence[seller_id].yes_bins
    return _yes_between(store, seller_id, read, fullest_second(bins).from_ms // STEP_MS)


def _near_force_majeure(sql: str) -> Callable[[Store, str, MonthRead], list[SurveyKey]]:
    def find(store: Store, seller_id: str, read: MonthRead) -> list[SurveyKey]:
        return [
            (epoch_key, survey)
            for site, console_key in flag_queries.consoles_of_seller(store, seller_id, read.month, read.sites)
            for epoch_key, survey, found in flag_queries.near_force_majeures(store, sql, console_key, site)
            if found == seller_id
        ]

    return find


def _left_over(_store: Store, seller_id: str, read: MonthRead) -> list[SurveyKey]:
    return read.left_over.get(seller_id, [])


def _errors(store: Store, seller_id: str, read: MonthRead) -> list[SurveyKey]:
    return [
        key
        for site, console_key in flag_queries.consoles_of_seller(store, seller_id, read.month, read.sites)
        for key in flag_queries.errors(store, console_key, site, seller_id)
    ]


def _before_strays(store: Store, seller_id: str, read: MonthRead) -> list[SurveyKey]:
    return [
        key
        for site, console_key in flag_queries.consoles_of_seller(store, seller_id, read.month, read.sites)
        for key in flag_queries.before_strays(store, console_key, site, seller_id)
    ]


_FINDERS: dict[str, Callable[[Store, str, MonthRead], list[SurveyKey]]] = {
    "asks_the_happy": _all,
    "skips_bad_hours": _in_bad_hours,
    "fast_yes": _fast,
    "regular_yes": _regular,
    "force_majeure_after_no": _near_force_majeure(NO_THEN_FORCE_MAJEURE),
    "force_majeure_while_open": _near_force_majeure(FORCE_MAJEURE_WHILE_OPEN),
    "no_sale": _left_over,
    "errors": _errors,
    "strays": _before_strays,
}
