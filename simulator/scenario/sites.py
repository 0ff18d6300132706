"""A scenario's sites, consoles and sellers one by one, and what reports are told of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulator.oracle.facts import Question, World
from simulator.people.hands import Rules
from simulator.scenario import file as scenario_file
from simulator.scenario.file import WEEKDAYS, Customers, Faults, ScenarioError, ScenarioFile, Temperament

QUESTIONS = {"staff": Question("personnel"), "office": Question("office"), "loyalty": Question("loyalty")}
CUSTOMERS = {"usual": Customers()}
TEMPERAMENTS = {"honest": Temperament()}
FAULTS = {"none": Faults()}
ID_MAX = 32
T = TypeVar("T")


@dataclass(frozen=True)
class Seller:
    """Somebody who works at one console; shifts as (weekdays, start and end in minutes of the local day)."""

    seller_id: str
    name: str
    temperament: Temperament
    shifts: tuple[tuple[frozenset[int], int, int], ...]


@dataclass(frozen=True)
class Post:
    """A console at its checkout point."""

    site_id: str
    console_id: str
    checkout_point_id: str
    question_id: str
    rules: Rules
    stuck_ms: int
    sellers: tuple[Seller, ...]


@dataclass(frozen=True)
class Place:
    """A site; `visitors` are those served in each hour of a day of weight 1."""

    site_id: str
    zone: ZoneInfo
    visitors: tuple[float, ...]
    weekdays: tuple[float, ...]
    customers: Customers
    faults: Faults
    posts: tuple[Post, ...]
    tills: bool
    door: bool


@dataclass(frozen=True)
class OnShift:
    """A seller's shift on a day: instants in ms since 1970 UTC."""

    seller: Seller
    from_ms: int
    to_ms: int


def places(scenario: ScenarioFile, name: str) -> list[Place]:
    """All sites; raises ScenarioError, in which `name` stands for the file."""
    made: list[Place] = []
    for number, site in enumerate(scenario.site):
        try:
            suffixes = [""] if site.count == 1 else [f"-{copy}" for copy in range(1, site.count + 1)]
            made += [_place(scenario, site, suffix) for suffix in suffixes]
        except ScenarioError as error:
            raise ScenarioError(f"{name}, site[{number}] ({site.id}): {error}") from error
    ids = sorted(place.site_id for place in made)
    for one, other in pairwise(ids):
        if one == other:
            raise ScenarioError(f"{name}, site: two sites have the id {one}; give each its own.")
    return made


def world(scenario: ScenarioFile, where: Sequence[Place]) -> World:
    """What the reports are told."""
    settings = scenario.settings
    return World(
        rules=settings.rules(),
        questions={
            **QUESTIONS,
            **{name: Question(asked.kind, asked.silent_weight) for name, asked in scenario.questions.items()},
        },
        zones={place.site_id: place.zone.key for place in where},
        checkout_points={
            (post.site_id, post.console_id): post.checkout_point_id for place in where for post in place.posts
        },
        force_majeure_level_max=settings.force_majeure_level_max,
    )


def on_shift(post: Post, zone: ZoneInfo, day: date) -> list[OnShift]:
    """Who works at this console on a local day, in order; not whose whole shift summer time skips."""
    shifts: list[OnShift] = []
    for seller in post.sellers:
        for days, start, end in seller.shifts:
            if day.weekday() in days:
                from_ms, to_ms = _instant_ms(zone, day, start), _instant_ms(zone, day, end)
                if from_ms < to_ms:
                    shifts.append(OnShift(seller, from_ms, to_ms))
    shifts.sort(key=lambda shift: shift.from_ms)
    return shifts


def days_of(first: date, count: int) -> Iterator[date]:
    """One day after the other."""
    return (first + timedelta(days=number) for number in range(count))


def _place(scenario: ScenarioFile, site: scenario_file.Site, suffix: str) -> Place:
    site_id = f"{site.id}{suffix}"
    posts: list[Post] = []
    for point in site.checkout_points:
        for copy in range(1, point.count + 1):
            number = "" if point.count == 1 else f"-{copy}"
            posts.append(_post(scenario, site_id, point, number, suffix))
    named = [post.console_id for post in posts]
    if len(set(named)) < len(named):
        raise ScenarioError("two checkout points have the same id; give each its own.")
    return Place(
        site_id=site_id,
        zone=_zone(site.timezone),
        visitors=site.visitors,
        weekdays=site.weekdays,
        customers=_named("customers", site.customers, CUSTOMERS, scenario.customers),
        faults=_named("faults", site.faults, FAULTS, scenario.faults),
        posts=tuple(posts),
        tills=site.tills,
        door=site.door,
    )


def _post(scenario: ScenarioFile, site_id: str, point: scenario_file.CheckoutPoint, number: str, suffix: str) -> Post:
    point_id, console_id = f"{point.id}{number}", f"console-{point.id}{number}"
    if max(len(site_id), len(console_id)) > ID_MAX:
        raise ScenarioError(f"{site_id}/{console_id} is longer than {ID_MAX} characters; give shorter ids.")
    questions = {**QUESTIONS, **scenario.questions}
    if point.question not in questions:
        raise ScenarioError(f"question {point.question!r} is none of {', '.join(questions)}.")
    post = Post(
        site_id=site_id,
        console_id=console_id,
        checkout_point_id=point_id,
        question_id=point.question,
        rules=scenario.settings.rules(point.ask_every),
        stuck_ms=scenario.settings.stuck_ms,
        sellers=tuple(_seller(scenario, seller, f"{number}{suffix}") for seller in point.sellers),
    )
    _refuse_overlaps(post)
    return post


def _seller(scenario: ScenarioFile, seller: scenario_file.Seller, suffix: str) -> Seller:
    shifts = []
    for shift in seller.shifts:
        start, end = _minutes(shift.start), _minutes(shift.end)
        if end <= start:
            raise ScenarioError(f"a shift of {seller.id} ends at {shift.end}, not after its start; 24:00 ends a day.")
        shifts.append((frozenset(WEEKDAYS.index(day) for day in shift.days), start, end))
    temperament = _named("temperaments", seller.temperament, TEMPERAMENTS, scenario.temperaments)
    name = f"{seller.name or seller.id.title()}{suffix.replace('-', ' ')}"
    return Seller(f"{seller.id}{suffix}", name, temperament, tuple(shifts))


def _refuse_overlaps(post: Post) -> None:
    for weekday, day in enumerate(WEEKDAYS):
        today = sorted(
            (start, end, seller.seller_id)
            for seller in post.sellers
            for days, start, end in seller.shifts
            if weekday in days
        )
        for (_, end, one), (start, _, other) in pairwise(today):
            if start < end:
                raise ScenarioError(f"{one} and {other} are both on shift at {post.checkout_point_id} on {day}.")


def _named(table: str, name: str, known: Mapping[str, T], given: Mapping[str, T]) -> T:
    everything = {**known, **given}
    if name not in everything:
        raise ScenarioError(f"{table} {name!r} is none of {', '.join(everything)}.")
    return everything[name]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of the time zones
        raise ScenarioError(
            f"there is no time zone {name!r}: give `timezone` a name such as Europe/Sofia or UTC."
        ) from error


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return min(int(hours) * 60 + int(minutes), 24 * 60)


def _instant_ms(zone: ZoneInfo, day: date, minutes: int) -> int:
    """When the site's clock shows it, or first shows a later time where summer time skips it."""
    moment = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    while moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
        moment += timedelta(minutes=1)
    return int(moment.timestamp() * 1000)
