"""Visitors and sellers: a plan drawn from a seed, then fingers on a console's buttons, all written into the true diary.

People keep well away from every boundary (the window's end, the guard, a long press's length, the reach of a force
majeure, the quarter of an hour), so that what truly happened is certain, whoever measures it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from time import time_ns
from typing import Literal, Protocol

from simulator.people.diary import Diary, Ends, Entry, Kind, Press, Wanted

MARGIN_MS = 500  # how far people stay from a boundary, at least
HELD_MS = 90  # a short press
CUT_MS = 1000  # how long after the question the plug is pulled; by then the survey's opening is in flash
START_MS = 3000  # how long people let a console start
CHANGE_MS = 4000  # nobody presses this long while sellers change, nor around a quarter of an hour
QUARTER_MS = 15 * 60_000  # local hours and days begin at one, in every time zone


@dataclass(frozen=True)
class Rules:
    """The console's timings as people know them; `force_majeure_scope_s` is the reports'."""

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
class Temperament:
    """Shares of what asked customers want, and how often odd things happen for each of them (0 to 1)."""

    yes: float = 0.35
    no: float = 0.15
    cant_say: float = 0.10
    silent: float = 0.40
    superseding: float = 0.5  # of the silents: the seller asks the next customer before the window ends
    guard: float = 0.05  # the seller presses twice in a row
    late_answer: float = 0.05  # a second answer after the first
    stray: float = 0.05  # an answer though nobody was asked
    force_majeure: float = 0.05  # between customers
    force_majeure_during: float = 0.03  # while one decides
    power_cut: float = 0.0  # while one decides: somebody pulls the console's plug, and puts it back
    bought: float = 0.9


@dataclass(frozen=True)
class Touch:
    """One press to be made, `after_ms` the happening's first contact."""

    after_ms: int
    button: str
    why: str
    held_ms: int = HELD_MS


@dataclass(frozen=True)
class Happening:
    """Something that will happen at one console, `planned_ms` after the plan's start and for `lasts_ms`."""

    kind: Literal["customer", "force_majeure", "stray", "change"]
    planned_ms: int
    lasts_ms: int
    wanted: Wanted = "silent"
    ends: Ends = "not_asked"
    touches: tuple[Touch, ...] = field(default=())
    bought: bool = False
    visitors: int = 0


class Pressable(Protocol):
    """What people need of a console."""

    def power_on(self) -> None:
        """Put the plug in; returns once it starts."""

    def power_off(self) -> None:
        """Pull the plug."""

    def press(self, button: str, held_ms: int = 120) -> None:
        """Press and let go; returns once released."""


class Watch(Protocol):
    """The people's wrist-watch."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""

    def wait(self, ms: int) -> bool:
        """Let that long pass; True when people shall stop."""


class HostWatch:
    """This machine's clock; people stop when `stop` is set."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        return time_ns() // 1_000_000

    def wait(self, ms: int) -> bool:
        """Let that long pass, less when `stop` is set; True when it is."""
        return self._stop.wait(ms / 1000)


# The plan ---------------------------------------------------------------------------------------------------------


def plan(
    seed: object, rules: Rules, surveys: int, temperament: Temperament | None = None, changes: int = 0
) -> list[Happening]:
    """What will happen at one console until `surveys` customers were asked; the same for the same arguments.

    Args:
        seed: anything with a stable text: number or string.
        rules: timings that people keep away from.
        surveys: how many customers are asked; with `ask_every` more are served.
        temperament: what customers are like.
        changes: how many times sellers take turns, evenly spread.
    """
    nature = random.Random(str(seed))
    ways = temperament or Temperament()
    happenings: list[Happening] = []
    for served in range(surveys * rules.ask_every):
        if changes and served and served % -(-surveys * rules.ask_every // (changes + 1)) == 0:
            happenings.append(_alone("change", CHANGE_MS))
        asked = (served + 1) % rules.ask_every == 0
        happenings.append(_asked(nature, ways, rules) if asked else _not_asked(nature, ways))
        happenings += _between(nature, ways, rules, happenings[-1])
    return _timed(_closed(happenings, rules))


def _timed(happenings: Sequence[Happening]) -> list[Happening]:
    timed: list[Happening] = []
    now_ms = 0
    for happening in happenings:
        timed.append(replace(happening, planned_ms=now_ms))
        now_ms += happening.lasts_ms
    return timed


def _closed(happenings: Sequence[Happening], rules: Rules) -> list[Happening]:
    """Only a customer who is asked right after can supersede: else the silent one waits for the window's end."""
    closed: list[Happening] = []
    for happening, following in zip(happenings, [*happenings[1:], None], strict=True):
        alone = following is None or following.ends == "not_asked"
        if happening.ends == "superseded" and alone:
            closed.append(replace(happening, ends="expired", lasts_ms=rules.survey_window_ms + MARGIN_MS))
        else:
            closed.append(happening)
    return closed


def _alone(kind: Literal["force_majeure", "stray", "change"], lasts_ms: int, *touches: Touch) -> Happening:
    return Happening(kind, 0, lasts_ms, touches=touches)


def _not_asked(nature: random.Random, ways: Temperament) -> Happening:
    return Happening("customer", 0, 100, bought=nature.random() < ways.bought, visitors=nature.randint(1, 2))


def _asked(nature: random.Random, ways: Temperament, rules: Rules) -> Happening:
    """A customer who is asked: he answers well inside the window, or lets it pass, or the next one is asked before."""
    shares = {"yes": ways.yes, "no": ways.no, "cant_say": ways.cant_say, "silent": ways.silent}
    wants: list[Wanted] = ["yes", "no", "cant_say", "silent"]
    wanted = nature.choices(wants, weights=[shares[want] for want in wants])[0]
    touches = [Touch(0, "seller", "ask")]
    if nature.random() < ways.power_cut:
        touches.append(Touch(CUT_MS, "power", "power_cut", 0))
        return Happening("customer", 0, CUT_MS + START_MS, wanted, "cut_off", tuple(touches), visitors=1)
    earliest_ms = 300
    if nature.random() < ways.guard:
        touches.append(Touch(150, "seller", "again"))
        earliest_ms = 500
    if nature.random() < ways.force_majeure_during:
        touches.append(Touch(earliest_ms, "seller", "force_majeure", rules.long_press_ms + MARGIN_MS))
        earliest_ms += rules.long_press_ms + MARGIN_MS + 200
    ends, lasts_ms = _end(nature, ways, rules, wanted, touches, earliest_ms)
    bought = nature.random() < ways.bought
    return Happening("customer", 0, lasts_ms, wanted, ends, tuple(touches), bought, nature.randint(1, 2))


def _end(
    nature: random.Random, ways: Temperament, rules: Rules, wanted: Wanted, touches: list[Touch], earliest_ms: int
) -> tuple[Ends, int]:
    """How the survey ends and how long the happening lasts; the answer is added to the touches."""
    latest_ms = rules.survey_window_ms - 2 * MARGIN_MS
    if wanted != "silent":
        after_ms = earliest_ms + round(nature.betavariate(1.2, 5) * max(0, latest_ms - earliest_ms))
        touches.append(Touch(after_ms, wanted, "answer"))
        if nature.random() < ways.late_answer:
            after_ms += 400
            touches.append(Touch(after_ms, nature.choice(["yes", "no", "cant_say"]), "late_answer"))
        return "answered", after_ms + 400 + nature.randint(0, 400)
    soonest_ms = max(earliest_ms, rules.reopen_guard_ms + MARGIN_MS)
    if soonest_ms <= latest_ms and nature.random() < ways.superseding:
        return "superseded", nature.randint(soonest_ms, min(latest_ms, soonest_ms + 1000))
    return "expired", rules.survey_window_ms + MARGIN_MS


def _between(nature: random.Random, ways: Temperament, rules: Rules, after: Happening) -> list[Happening]:
    """What may happen before the next customer: a stray press, a force majeure; nothing while a survey is open."""
    if after.ends == "superseded":
        return []
    odd: list[Happening] = []
    if nature.random() < ways.stray:
        odd.append(_alone("stray", 500, Touch(0, nature.choice(["yes", "no", "cant_say"]), "stray")))
    if nature.random() < ways.force_majeure:
        held_ms = rules.long_press_ms + MARGIN_MS
        odd.append(_alone("force_majeure", held_ms + 400, Touch(0, "seller", "force_majeure", held_ms)))
    return odd


def chains(happenings: Sequence[Happening]) -> list[list[Happening]]:
    """The plan cut where a pause changes nothing: a superseded survey and the one that supersedes it stay together."""
    cut: list[list[Happening]] = [[]]
    for happening in happenings:
        cut[-1].append(happening)
        if happening.ends != "superseded":
            cut.append([])
    return [chain for chain in cut if chain]


# The doing --------------------------------------------------------------------------------------------------------


@dataclass
class Place:
    """One console as people know it: where it stands, what it asks, who sells there in turn."""

    console: Pressable
    site_id: str
    console_id: str
    rules: Rules
    question_id: str = "staff"
    question_revision: int = 1
    sellers: tuple[str, ...] = ("seller-1",)


class People:
    """Those around one console: they do what is planned and write what they did into the diary."""

    def __init__(self, place: Place, diary: Diary, watch: Watch) -> None:
        self._place = place
        self._diary = diary
        self._watch = watch
        self._turns = 0
        self._shift_from_ms = 0
        self._declared_ms: int | None = None  # the last force majeure

    def perform(self, happenings: Sequence[Happening]) -> bool:
        """Do it all, in order; False when stopped before the end. A shift is written down when it ends."""
        self._shift_from_ms = self._watch.now_ms() - CHANGE_MS // 2
        going_on = all(self._chain(chain) for chain in chains(happenings))
        self._end_shift(self._watch.now_ms() + CHANGE_MS // 2)
        return going_on

    def _chain(self, chain: Sequence[Happening]) -> bool:
        if self._watch.wait(self._keep_clear(chain)):
            return False
        return all(self._happens(happening) for happening in chain)

    def _happens(self, happening: Happening) -> bool:
        if happening.kind == "change":
            return self._change()
        start_ms = at_ms = self._watch.now_ms()
        presses: list[Press] = []
        stopped = False
        for touch in happening.touches:
            stopped = self._watch.wait(max(0, start_ms + touch.after_ms - self._watch.now_ms()))
            if stopped:
                break
            presses.append(self._press(happening, touch))
            start_ms = presses[0].latest_ms
        stopped = stopped or self._watch.wait(max(0, start_ms + happening.lasts_ms - self._watch.now_ms()))
        self._diary.write(
            self._entry(happening, happening.kind, "unfinished" if stopped else happening.ends, at_ms, presses)
        )
        return not stopped

    def _press(self, happening: Happening, touch: Touch) -> Press:
        at_ms = self._watch.now_ms()
        if touch.why == "power_cut":
            self._place.console.power_off()
            self._place.console.power_on()
        else:
            self._place.console.press(touch.button, held_ms=touch.held_ms)
        until_ms = self._watch.now_ms()
        if touch.why == "force_majeure":
            self._declared_ms = at_ms
        planned_ms = happening.planned_ms + touch.after_ms
        return Press(touch.button, touch.why, touch.held_ms, planned_ms, at_ms, until_ms)

    def _entry(self, happening: Happening, kind: Kind, ends: Ends, at_ms: int, presses: Sequence[Press]) -> Entry:
        return Entry(
            kind=kind,
            site_id=self._place.site_id,
            console_id=self._place.console_id,
            at_ms=at_ms,
            until_ms=self._watch.now_ms(),
            planned_ms=happening.planned_ms,
            wanted=happening.wanted,
            ends=ends,
            question_id=self._place.question_id,
            question_revision=self._place.question_revision,
            ask_every=self._place.rules.ask_every,
            bought=happening.bought,
            visitors=happening.visitors,
            presses=tuple(presses),
        )

    def _change(self) -> bool:
        """The next seller takes over in the middle of a quiet while."""
        if self._watch.wait(CHANGE_MS // 2):
            return False
        self._end_shift(self._watch.now_ms())
        return not self._watch.wait(CHANGE_MS // 2)

    def _end_shift(self, at_ms: int) -> None:
        seller_id = self._place.sellers[self._turns % len(self._place.sellers)]
        place = self._place
        self._diary.write(
            Entry("shift", place.site_id, place.console_id, self._shift_from_ms, at_ms, seller_id=seller_id)
        )
        self._turns += 1
        self._shift_from_ms = at_ms

    def _keep_clear(self, chain: Sequence[Happening]) -> int:
        """How long people wait first, so that neither a quarter of an hour nor a force majeure's reach is near."""
        now_ms = self._watch.now_ms()
        lasts_ms = sum(happening.lasts_ms for happening in chain)
        wait_ms = 0
        if self._declared_ms is not None:
            reach_ms = self._declared_ms + self._place.rules.force_majeure_scope_s * 1000
            if now_ms - 2 * MARGIN_MS < reach_ms < now_ms + lasts_ms + 2 * MARGIN_MS:
                wait_ms = reach_ms + 2 * MARGIN_MS - now_ms
        into_ms = (now_ms + wait_ms) % QUARTER_MS
        if into_ms < CHANGE_MS or into_ms + lasts_ms + CHANGE_MS > QUARTER_MS:
            wait_ms += (CHANGE_MS - into_ms) % QUARTER_MS
        return wait_ms
