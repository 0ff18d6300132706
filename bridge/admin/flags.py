"""Compute the flags: month by month, those months only that have changed since, and in steps between messages."""

from __future__ import annotations

import gc
from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from bridge.model.flags.assess import assess
from bridge.model.flags.evidence import month_of
from bridge.model.flags.rules import RULE_OF, RULES
from bridge.model.flags.site_feed import AskedSurvey, SiteFeed
from bridge.model.local_time import local
from bridge.reports import flag_indices
from bridge.store import flag_concerns, flag_queries, flags
from bridge.store.flag_concerns import MonthRead
from bridge.store.flag_queries import FORCE_MAJEURE_WHILE_OPEN, NO_THEN_FORCE_MAJEURE
from bridge.store.flags import FlagResult

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from bridge.model.flags.assess import Assessment
    from bridge.model.flags.site_feed import Unit
    from bridge.store import Store
    from bridge.store.flag_queries import SiteMonth

ROWS_AT_ONCE = 20_000  # surveys read in a step
ATTEMPTS = 3  # at a month that changes while it is computed
_SELLER_POINT, _SELLER_YES_BIN = (
    itemgetter(*map(AskedSurvey._fields.index, names))
    for names in (("seller_id", "checkout_point_id"), ("seller_id", "yes_bin"))
)


def compute_due(store: Store, progress: Callable[[int, int], None] | None = None) -> Iterator[None]:
    """Compute all months that are due, the earliest first; yield between steps. `progress` counts months."""
    months = flags.due_months(store, _current_month(store))
    for done, month in enumerate(months):
        if progress is not None:
            progress(done, len(months))
        for _ in range(ATTEMPTS):
            yield from _without_collector(compute_month(store, month))
            if not flags.is_due(store, month):
                break


def _without_collector(steps: Iterator[None]) -> Iterator[None]:
    """Take each step without the garbage collector, which finds nothing: rows by the million, and no cycles in them."""
    is_on = gc.isenabled()
    while True:
        gc.disable()
        try:
            next(steps)
        except StopIteration:
            return
        finally:
            if is_on:
                gc.enable()
        yield


def compute_month(store: Store, month: str) -> Iterator[None]:
    """Compute a month; yield between steps."""
    flags.begin_month(store, month)
    computed_at_ms = flags.computed_at(store, month)
    read = yield from _read(store, month)
    assessed: dict[str, dict[str, Any]] = {}
    found: list[Assessment] = []
    for rule in RULES:
        of_rule = list(assess(read.evidence, (rule,)))
        assessed[rule.id] = {"version": rule.version, "sellers": sorted(each.seller_id for each in of_rule)}
        found += [each for each in of_rule if each.level != "clean"]
        yield
    results = []
    for each in found:
        results.append(_result(store, each, read))
        yield
    if flags.computed_at(store, month) != computed_at_ms:
        return  # a command that went before has computed it meanwhile, and knows more
    flags.save_month(store, month, results, assessed, is_over=month != _current_month(store))
    yield


def _current_month(store: Store) -> str:
    """Return the month under way: the earliest one, where sites differ."""
    zones = {site.timezone for site in flag_queries.sites_in_month(store, "2000-01")} or {"UTC"}
    return min(local(store.now_ms, zone).date().isoformat()[:7] for zone in zones)


def _result(store: Store, assessment: Assessment, read: MonthRead) -> FlagResult:
    surveys = flag_concerns.find_concerned(store, assessment.rule, assessment.seller_id, read)
    evidence = {
        "statistic": float(f"{assessment.statistic:.4g}"),
        "x": _number(assessment.x),
        "n": _number(assessment.n),
        "share": round(assessment.share, 6),
        "peers": assessment.peers,
        "peers_share": round(assessment.peers_share, 6),
        "indices": flag_indices.with_and_without(store, assessment.seller_id, read.month, surveys),
    }
    version = RULE_OF[assessment.rule].version
    return FlagResult(
        *(assessment.seller_id, read.month, assessment.rule, version, assessment.level, evidence, surveys),
        computed_at_ms=store.now_ms,
    )


def _number(value: float) -> float:
    """Return a count, which sampling may have made a fraction, as a whole number where it is one."""
    return int(value) if value == int(value) else round(value, 3)


# Reading a month ------------------------------------------------------------------------------------------------------


def _read(store: Store, month: str) -> Generator[None, None, MonthRead]:
    sites = flag_queries.sites_in_month(store, month)
    read = MonthRead(month, sites, {}, {})
    for number in range(1, 32):
        _take_answers(store, f"{month}-{number:02d}", read)
        yield
    for site in sites:
        yield from _take_site(store, site, read)
    yield from _take_strays(store, read)
    return read


def _take_answers(store: Store, day: str, read: MonthRead) -> None:
    """Take a day's answers, surveys and errors from the rollups."""
    for site_id, seller_id, question_id, hour, no, yes, surveys, errors in flag_queries.answers_by_hour(store, day):
        month = month_of(read.evidence, seller_id)
        month.surveys += surveys
        month.errors += errors
        month.no += no
        if no or yes:
            month.answers[site_id, question_id, hour] = [no, yes]


def _take_site(store: Store, site: SiteMonth, read: MonthRead) -> Iterator[None]:
    """Take the surveys of a site's consoles, and compare them with the site's sales."""
    feed = SiteFeed(site.site_id)
    for from_ms, to_ms in flag_queries.days_of(site.from_ms, site.to_ms):
        hours, counts = flag_queries.sales(store, site, from_ms, to_ms)
        feed.add_sales(hours)
        feed.add(counts)
        if hours or counts:
            yield
    by_unit: dict[Unit, list[AskedSurvey]] = {}
    rows = 0
    for console_key, _ in site.consoles:
        surveys = flag_queries.asked_surveys(store, console_key, site)
        _take_surveys(surveys, feed, by_unit, read)
        if surveys:
            _take_force_majeures(store, console_key, site, read)
        rows += len(surveys)
        if rows >= ROWS_AT_ONCE:
            rows = 0
            yield
    for unit in list(by_unit):
        for survey in feed.compare(unit, by_unit.pop(unit), read.evidence):
            read.left_over.setdefault(survey.seller_id, []).append((survey.epoch_key, survey.survey))
        yield
    feed.finish(read.evidence)
    yield


def _take_surveys(
    surveys: list[AskedSurvey], feed: SiteFeed, by_unit: dict[Unit, list[AskedSurvey]], read: MonthRead
) -> None:
    for (seller_id, yes_bin), number in Counter(map(_SELLER_YES_BIN, surveys)).items():
        if yes_bin is not None:
            month_of(read.evidence, seller_id).yes_bins[yes_bin] += number
    for place, some in groupby(surveys, _SELLER_POINT):
        unit = feed.unit_of(*place)
        if unit is not None:
            by_unit.setdefault(unit, []).extend(some)


def _take_force_majeures(store: Store, console_key: int, site: SiteMonth, read: MonthRead) -> None:
    for _, _, seller_id in flag_queries.near_force_majeures(store, NO_THEN_FORCE_MAJEURE, console_key, site):
        month_of(read.evidence, seller_id).no_then_force_majeure += 1
    for _, _, seller_id in flag_queries.near_force_majeures(store, FORCE_MAJEURE_WHILE_OPEN, console_key, site):
        month_of(read.evidence, seller_id).force_majeure_open += 1


def _take_strays(store: Store, read: MonthRead) -> Iterator[None]:
    """Take the stray presses of answers: each in the month of its own site."""
    months = {key: (site.from_ms, site.to_ms) for site in read.sites for key, _ in site.consoles}
    if not months:
        return
    first_ms, last_ms = min(start for start, _ in months.values()), max(end for _, end in months.values())
    for from_ms, to_ms in flag_queries.days_of(first_ms, last_ms):
        for console_key, at_ms, seller_id, _, _ in flag_queries.strays(store, from_ms, to_ms):
            start, end = months[console_key]
            if start <= at_ms < end:
                month_of(read.evidence, seller_id).strays += 1
        yield
