"""Plan what sellers and customers of a demo shop do, from a seed.

People keep well away from every boundary (the window's end, the guard, the length of a long press, the scope of a force
majeure, the quarter of an hour), so that what truly happened is certain, however it is measured.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from simulator.people.diary import Ends, Wanted

MARGIN_MS = 500  # the least distance that people keep from a boundary
HELD_MS = 90  # a short press
CUT_MS = 1000  # from the seller's press to the pulled plug; by then the survey's opening is in flash
START_MS = 3000  # that people give a console to start
CHANGE_MS = 4000  # without presses while sellers change, and around a quarter of an hour
QUARTER_MS = 15 * 60_000  # local hours and days begin at a quarter of an hour in every time zone


@dataclass(frozen=True)
class Rules:
    """The console's timings, which people know and keep to; `force_majeure_scope_s` is a setting of the reports."""

    survey_window_ms: int = 20_000
    long_press_ms: int = 1500
    reopen_guard_ms: int = 1000
    force_majeure_scope_s: int = 600
    ask_every: int = 1

    def __post_init__(self) -> None:
        room = self.survey_window_ms - self.long_press_ms - 3 * MARGIN_MS
        if room < 0 or self.reopen_guard_ms <= MARGIN_MS or self.long_press_ms < HELD_MS + MARGIN_MS:
            raise ValueError("these timings leave people no room between the boundaries; make them longer")


@dataclass(frozen=True)
class ShopTraffic:
    """The wishes of customers who are asked (shares), and the chance of odd things with each (0 to 1)."""

    yes: float = 0.35
    no: float = 0.15
    cant_say: float = 0.10
    silent: float = 0.40
    superseding: float = 0.5  # of the silents: the seller asks the next customer before the window ends
    guard: float = 0.05  # the seller presses twice
    late_answer: float = 0.05  # a second answer after the first
    stray: float = 0.05  # an answer button, though nobody was asked
    force_majeure: float = 0.05  # between customers
    force_majeure_during: float = 0.03  # while a customer decides
    power_cut: float = 0.0  # while a customer decides: somebody pulls the console's plug and puts it back
    bought: float = 0.9


@dataclass(frozen=True)
class PlannedPress:
    """A press to be made, `after_ms` after the happening's first contact."""

    after_ms: int
    button: str
    why: str
    held_ms: int = HELD_MS


@dataclass(frozen=True)
class Happening:
    """Something planned for one console: it begins `planned_ms` after the plan's start and takes `lasts_ms`."""

    kind: Literal["customer", "force_majeure", "stray", "change"]
    planned_ms: int
    lasts_ms: int
    wanted: Wanted = "silent"
    ends: Ends = "not_asked"
    presses: tuple[PlannedPress, ...] = field(default=())
    bought: bool = False
    visitors: int = 0


def plan(
    seed: object, rules: Rules, surveys: int, traffic: ShopTraffic | None = None, changes: int = 0
) -> list[Happening]:
    """Return what will happen at one console until `surveys` customers have been asked.

    The same arguments give the same plan.

    Args:
        seed: a number or a string.
        rules: the timings that people keep away from.
        surveys: how many customers are asked; with `ask_every` above 1, more are served.
        traffic: what customers want, and how often odd things happen.
        changes: how many times the next seller takes over, evenly spread.
    """
    rng = random.Random(str(seed))
    traffic = traffic or ShopTraffic()
    happenings: list[Happening] = []
    for served in range(surveys * rules.ask_every):
        if changes and served and served % -(-surveys * rules.ask_every // (changes + 1)) == 0:
            happenings.append(_alone("change", CHANGE_MS))
        is_asked = (served + 1) % rules.ask_every == 0
        happenings.append(_asked(rng, traffic, rules) if is_asked else _not_asked(rng, traffic))
        happenings += _between(rng, traffic, rules, happenings[-1])
    return _timed(_closed(happenings, rules))


def _timed(happenings: Sequence[Happening]) -> list[Happening]:
    """Return the happenings one after another, each with its `planned_ms`."""
    timed: list[Happening] = []
    now_ms = 0
    for happening in happenings:
        timed.append(replace(happening, planned_ms=now_ms))
        now_ms += happening.lasts_ms
    return timed


def _closed(happenings: Sequence[Happening], rules: Rules) -> list[Happening]:
    """Let a survey expire if no customer is asked right after it: only then could it be superseded."""
    closed: list[Happening] = []
    for happening, following in zip(happenings, [*happenings[1:], None], strict=True):
        is_last = following is None or following.ends == "not_asked"
        if happening.ends == "superseded" and is_last:
            closed.append(replace(happening, ends="expired", lasts_ms=rules.survey_window_ms + MARGIN_MS))
        else:
            closed.append(happening)
    return closed


def _alone(kind: Literal["force_majeure", "stray", "change"], lasts_ms: int, *presses: PlannedPress) -> Happening:
    return Happening(kind, 0, lasts_ms, presses=presses)


def _not_asked(rng: random.Random, traffic: ShopTraffic) -> Happening:
    return Happening("customer", 0, 100, bought=rng.random() < traffic.bought, visitors=rng.randint(1, 2))


def _asked(rng: random.Random, traffic: ShopTraffic, rules: Rules) -> Happening:
    """Plan a customer who is asked: he answers well within the window, lets it pass, or is superseded by the next."""
    shares = {"yes": traffic.yes, "no": traffic.no, "cant_say": traffic.cant_say, "silent": traffic.silent}
    wants: list[Wanted] = ["yes", "no", "cant_say", "silent"]
    wanted = rng.choices(wants, weights=[shares[want] for want in wants])[0]
    presses = [PlannedPress(0, "seller", "ask")]
    if rng.random() < traffic.power_cut:
        presses.append(PlannedPress(CUT_MS, "power", "power_cut", 0))
        return Happening("customer", 0, CUT_MS + START_MS, wanted, "cut_off", tuple(presses), visitors=1)
    earliest_ms = 300
    if rng.random() < traffic.guard:
        presses.append(PlannedPress(150, "seller", "again"))
        earliest_ms = 500
    if rng.random() < traffic.force_majeure_during:
        presses.append(PlannedPress(earliest_ms, "seller", "force_majeure", rules.long_press_ms + MARGIN_MS))
        earliest_ms += rules.long_press_ms + MARGIN_MS + 200
    ends, lasts_ms = _end(rng, traffic, rules, wanted, presses, earliest_ms)
    bought = rng.random() < traffic.bought
    return Happening("customer", 0, lasts_ms, wanted, ends, tuple(presses), bought, rng.randint(1, 2))


def _end(
    rng: random.Random,
    traffic: ShopTraffic,
    rules: Rules,
    wanted: Wanted,
    presses: list[PlannedPress],
    earliest_ms: int,
) -> tuple[Ends, int]:
    """Return how the survey ends and how long the happening takes; add the answer, if any, to `presses`."""
    latest_ms = rules.survey_window_ms - 2 * MARGIN_MS
    if wanted != "silent":
        after_ms = earliest_ms + round(rng.betavariate(1.2, 5) * max(0, latest_ms - earliest_ms))
        presses.append(PlannedPress(after_ms, wanted, "answer"))
        if rng.random() < traffic.late_answer:
            after_ms += 400
            presses.append(PlannedPress(after_ms, rng.choice(["yes", "no", "cant_say"]), "late_answer"))
        return "answered", after_ms + 400 + rng.randint(0, 400)
    soonest_ms = max(earliest_ms, rules.reopen_guard_ms + MARGIN_MS)
    if soonest_ms <= latest_ms and rng.random() < traffic.superseding:
        return "superseded", rng.randint(soonest_ms, min(latest_ms, soonest_ms + 1000))
    return "expired", rules.survey_window_ms + MARGIN_MS


def _between(rng: random.Random, traffic: ShopTraffic, rules: Rules, previous: Happening) -> list[Happening]:
    """Maybe plan a stray press or a force majeure before the next customer; nothing while a survey is open."""
    if previous.ends == "superseded":
        return []
    happenings: list[Happening] = []
    if rng.random() < traffic.stray:
        happenings.append(_alone("stray", 500, PlannedPress(0, rng.choice(["yes", "no", "cant_say"]), "stray")))
    if rng.random() < traffic.force_majeure:
        held_ms = rules.long_press_ms + MARGIN_MS
        happenings.append(_alone("force_majeure", held_ms + 400, PlannedPress(0, "seller", "force_majeure", held_ms)))
    return happenings


def chains(happenings: Sequence[Happening]) -> list[list[Happening]]:
    """Cut the plan where a pause changes nothing: a superseded survey stays together with the next one."""
    parts: list[list[Happening]] = [[]]
    for happening in happenings:
        parts[-1].append(happening)
        if happening.ends != "superseded":
            parts.append([])
    return [part for part in parts if part]
