"""Expand a scenario's tables into its sites, checkout points and sellers, one by one.

`report_setup` gives the oracle what a report has to know about them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulator.oracle.facts import QuestionSpec, ReportSetup
from simulator.people.shop_plan import MARGIN_MS, Rules
from simulator.scenario.file import (
    WEEKDAYS,
    CheckoutPointTable,
    CustomerHabits,
    FaultRates,
    ScenarioError,
    ScenarioFile,
    SellerHabits,
    SellerTable,
    SiteTable,
)

QUESTIONS = {"staff": QuestionSpec("personnel"), "office": QuestionSpec("office"), "loyalty": QuestionSpec("loyalty")}
CUSTOMERS = {"usual": CustomerHabits()}
TEMPERAMENTS = {"honest": SellerHabits()}
FAULTS = {"none": FaultRates()}
ID_MAX = 32
DAY_MINUTES, SALE_MINUTES = 24 * 60, 30
T = TypeVar("T")


@dataclass(frozen=True)
class PlannedSeller:
    """A seller at one checkout point; each shift is (weekdays, start, end), in minutes of the local day."""

    seller_id: str
    name: str
    temperament: str
    habits: SellerHabits
    shifts: tuple[tuple[frozenset[int], int, int], ...]


@dataclass(frozen=True)
class PlannedPost:
    """A checkout point as planned: its console, key question, timings and sellers."""

    site_id: str
    console_id: str
    checkout_point_id: str
    question_id: str
    rules: Rules
    stuck_ms: int
    sellers: tuple[PlannedSeller, ...]


@dataclass(frozen=True)
class PlannedSite:
    """A site as planned; `visitors` are the customers served in each hour of a day whose weekday factor is 1."""

    site_id: str
    zone: ZoneInfo
    visitors: tuple[float, ...]
    weekdays: tuple[float, ...]
    customers: CustomerHabits
    faults: FaultRates
    posts: tuple[PlannedPost, ...]
    tills: bool
    each_sale: bool
    door: bool


@dataclass(frozen=True)
class PlannedShift:
    """A seller's shift on one day; instants are ms since 1970 UTC."""

    seller: PlannedSeller
    from_ms: int
    to_ms: int


def planned_sites(scenario: ScenarioFile, name: str) -> list[PlannedSite]:
    """Return every site of the scenario; raises ScenarioError, which names the file as `name`."""
    sites: list[PlannedSite] = []
    for number, table in enumerate(scenario.site):
        try:
            suffixes = [""] if table.count == 1 else [f"-{copy}" for copy in range(1, table.count + 1)]
            sites += [_site(scenario, table, suffix) for suffix in suffixes]
        except ScenarioError as error:
            raise ScenarioError(f"{name}, site[{number}] ({table.id}): {error}") from error
    for site_id, next_id in pairwise(sorted(site.site_id for site in sites)):
        if site_id == next_id:
            raise ScenarioError(f"{name}, site: two sites have the id {site_id}; give each its own.")
    return sites


def report_setup(scenario: ScenarioFile, sites: Sequence[PlannedSite]) -> ReportSetup:
    """Return what the reports know in addition to the presses: questions, time zones, checkout points, timings."""
    settings = scenario.settings
    return ReportSetup(
        rules=settings.rules(),
        questions={
            **QUESTIONS,
            **{name: QuestionSpec(table.kind, table.silent_weight) for name, table in scenario.questions.items()},
        },
        zones={site.site_id: site.zone.key for site in sites},
        checkout_points={
            (post.site_id, post.console_id): post.checkout_point_id for site in sites for post in site.posts
        },
        force_majeure_level_max=settings.force_majeure_level_max,
    )


def shifts_on(post: PlannedPost, zone: ZoneInfo, day: date) -> list[PlannedShift]:
    """Return the checkout point's shifts on a local day, in order; omit a shift that summer time skips entirely."""
    shifts: list[PlannedShift] = []
    for seller in post.sellers:
        for days, start, end in seller.shifts:
            if day.weekday() in days:
                from_ms, to_ms = _instant_ms(zone, day, start), _instant_ms(zone, day, end)
                if from_ms < to_ms:
                    shifts.append(PlannedShift(seller, from_ms, to_ms))
    shifts.sort(key=lambda shift: shift.from_ms)
    return shifts


def days_of(first: date, count: int) -> Iterator[date]:
    """Yield `count` days, starting with `first`."""
    return (first + timedelta(days=number) for number in range(count))


def _site(scenario: ScenarioFile, table: SiteTable, suffix: str) -> PlannedSite:
    site_id = f"{table.id}{suffix}"
    posts: list[PlannedPost] = []
    for point in table.checkout_points:
        for copy in range(1, point.count + 1):
            number = "" if point.count == 1 else f"-{copy}"
            posts.append(_post(scenario, site_id, point, number, suffix))
    console_ids = [post.console_id for post in posts]
    if len(set(console_ids)) < len(console_ids):
        raise ScenarioError("two checkout points have the same id; give each its own.")
    site = PlannedSite(
        site_id=site_id,
        zone=_zone(table.timezone),
        visitors=table.visitors,
        weekdays=table.weekdays,
        customers=_named("customers", table.customers, CUSTOMERS, scenario.customers),
        faults=_named("faults", table.faults, FAULTS, scenario.faults),
        posts=tuple(posts),
        tills=table.tills,
        each_sale=table.each_sale,
        door=table.door,
    )
    _refuse_lonely_rewriters(site)
    if site.tills and site.each_sale:
        _refuse_sales_near_midnight(site)
    return site


def _post(scenario: ScenarioFile, site_id: str, table: CheckoutPointTable, number: str, suffix: str) -> PlannedPost:
    point_id, console_id = f"{table.id}{number}", f"console-{table.id}{number}"
    if max(len(site_id), len(console_id)) > ID_MAX:
        raise ScenarioError(f"{site_id}/{console_id} is longer than {ID_MAX} characters; use shorter ids.")
    questions = {**QUESTIONS, **scenario.questions}
    if table.question not in questions:
        raise ScenarioError(f"there is no question {table.question!r}; use one of {', '.join(questions)}.")
    post = PlannedPost(
        site_id=site_id,
        console_id=console_id,
        checkout_point_id=point_id,
        question_id=table.question,
        rules=scenario.settings.rules(table.ask_every),
        stuck_ms=scenario.settings.stuck_ms,
        sellers=tuple(_seller(scenario, seller, f"{number}{suffix}") for seller in table.sellers),
    )
    _refuse_overlaps(post)
    return post


def _seller(scenario: ScenarioFile, table: SellerTable, suffix: str) -> PlannedSeller:
    shifts = []
    for shift in table.shifts:
        start, end = _minutes(shift.start), _minutes(shift.end)
        if end <= start:
            raise ScenarioError(
                f"a shift of {table.id} ends at {shift.end}, which is not after its start; a shift may end at 24:00 "
                "at the latest."
            )
        shifts.append((frozenset(WEEKDAYS.index(day) for day in shift.days), start, end))
    habits = _named("temperaments", table.temperament, TEMPERAMENTS, scenario.temperaments)
    latest_s = (scenario.settings.survey_window_ms - 2 * MARGIN_MS) / 1000
    if habits.presses_yes_after_s[1] > latest_s:
        raise ScenarioError(
            f"presses_yes_after_s of {table.temperament} goes up to {habits.presses_yes_after_s[1]:g} s, too near the "
            f"end of the survey window: write at most {latest_s:g}."
        )
    name = f"{table.name or table.id.title()}{suffix.replace('-', ' ')}"
    return PlannedSeller(f"{table.id}{suffix}", name, table.temperament, habits, tuple(shifts))


def _refuse_overlaps(post: PlannedPost) -> None:
    for weekday, day in enumerate(WEEKDAYS):
        shifts = sorted(
            (start, end, seller.seller_id)
            for seller in post.sellers
            for days, start, end in seller.shifts
            if weekday in days
        )
        for (_, end, seller_id), (next_start, _, next_seller_id) in pairwise(shifts):
            if next_start < end:
                raise ScenarioError(
                    f"{seller_id} and {next_seller_id} are on shift at {post.checkout_point_id} at the same time on "
                    f"{day}; change one of the shifts."
                )


def colleague_of(posts: Sequence[PlannedPost], seller: PlannedSeller) -> PlannedSeller | None:
    """Return the site's next seller after this one, or None if he is the only one."""
    sellers = list({other.seller_id: other for post in posts for other in post.sellers}.values())
    place = [other.seller_id for other in sellers].index(seller.seller_id)
    return sellers[(place + 1) % len(sellers)] if len(sellers) > 1 else None


def _refuse_lonely_rewriters(site: PlannedSite) -> None:
    for seller in (seller for post in site.posts for seller in post.sellers):
        if seller.habits.rewrites_shifts and colleague_of(site.posts, seller) is None:
            raise ScenarioError(f"{seller.seller_id} has rewrites_shifts, but no colleague at this site: add a seller.")


def _refuse_sales_near_midnight(site: PlannedSite) -> None:
    """A sale tells of half an hour around it; the oracle sums up each day for itself."""
    for seller in (seller for post in site.posts for seller in post.sellers):
        for _, start, end in seller.shifts:
            if start < SALE_MINUTES or end > DAY_MINUTES - SALE_MINUTES:
                raise ScenarioError(
                    f"a shift of {seller.seller_id} is within half an hour of midnight, which each_sale does not "
                    "allow: change the shift, or leave each_sale out."
                )


def _named(table: str, name: str, built_in: Mapping[str, T], given: Mapping[str, T]) -> T:
    known = {**built_in, **given}
    if name not in known:
        raise ScenarioError(f"there is no [{table}.{name}]; use one of {', '.join(known)}, or add that table.")
    return known[name]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder of time zones
        raise ScenarioError(
            f"there is no time zone {name!r}: give `timezone` a name such as Europe/Sofia or UTC."
        ) from error


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return min(int(hours) * 60 + int(minutes), 24 * 60)


def _instant_ms(zone: ZoneInfo, day: date, minutes: int) -> int:
    """Return the instant at which the local clock shows this time, or the first later time that it does show.

    Summer time may skip the time itself.
    """
    moment = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    while moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
        moment += timedelta(minutes=1)
    return int(moment.timestamp() * 1000)
