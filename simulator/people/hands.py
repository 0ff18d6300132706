"""Press a console's buttons as planned, and write the true diary."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from time import time_ns
from typing import Protocol

from simulator.people.diary import Diary, DiaryEntry, Ends, Kind, Press
from simulator.people.shop_plan import CHANGE_MS, MARGIN_MS, QUARTER_MS, Happening, PlannedPress, Rules, chains


class Pressable(Protocol):
    """The part of a console that people use."""

    def power_on(self) -> None:
        """Put the plug in; return once the console starts."""

    def power_off(self) -> None:
        """Pull the plug."""

    def press(self, button: str, held_ms: int = 120) -> None:
        """Press and release; return once released."""


class PeopleClock(Protocol):
    """The clock that people go by."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""

    def wait(self, ms: int) -> bool:
        """Wait that long; return whether people are to stop."""


class HostClock:
    """This machine's clock; people stop once `stop` is set."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return time_ns() // 1_000_000

    def wait(self, ms: int) -> bool:
        """Wait that long, or until `stop` is set; return whether it is set."""
        return self._stop.wait(ms / 1000)


# The plan ---------------------------------------------------------------------------------------------------------


# Doing it ---------------------------------------------------------------------------------------------------------


@dataclass
class Post:
    """A console and its people: its ids, timings and key question, and the sellers who take turns."""

    console: Pressable
    site_id: str
    console_id: str
    rules: Rules
    question_id: str = "staff"
    question_revision: int = 1
    sellers: tuple[str, ...] = ("seller-1",)


class People:
    """The people at one console: they do what is planned, and write into the diary what they did."""

    def __init__(self, post: Post, diary: Diary, clock: PeopleClock) -> None:
        self._post = post
        self._diary = diary
        self._clock = clock
        self._turns = 0
        self._shift_from_ms = 0
        self._declared_ms: int | None = None  # the last force majeure

    def perform(self, happenings: Sequence[Happening]) -> bool:
        """Do all of it in order; return False if stopped before the end. A shift is written when it ends."""
        self._shift_from_ms = self._clock.now_ms() - CHANGE_MS // 2
        is_finished = all(self._perform_chain(chain) for chain in chains(happenings))
        self._end_shift(self._clock.now_ms() + CHANGE_MS // 2)
        return is_finished

    def _perform_chain(self, chain: Sequence[Happening]) -> bool:
        if self._clock.wait(self._keep_clear(chain)):
            return False
        return all(self._perform_one(happening) for happening in chain)

    def _perform_one(self, happening: Happening) -> bool:
        if happening.kind == "change":
            return self._change()
        start_ms = at_ms = self._clock.now_ms()
        presses: list[Press] = []
        stopped = False
        for planned_press in happening.presses:
            stopped = self._clock.wait(max(0, start_ms + planned_press.after_ms - self._clock.now_ms()))
            if stopped:
                break
            presses.append(self._press(happening, planned_press))
            start_ms = presses[0].latest_ms
        stopped = stopped or self._clock.wait(max(0, start_ms + happening.lasts_ms - self._clock.now_ms()))
        self._diary.write(
            self._entry(happening, happening.kind, "unfinished" if stopped else happening.ends, at_ms, presses)
        )
        return not stopped

    def _press(self, happening: Happening, planned_press: PlannedPress) -> Press:
        at_ms = self._clock.now_ms()
        if planned_press.why == "power_cut":
            self._post.console.power_off()
            self._post.console.power_on()
        else:
            self._post.console.press(planned_press.button, held_ms=planned_press.held_ms)
        until_ms = self._clock.now_ms()
        if planned_press.why == "force_majeure":
            self._declared_ms = at_ms
        planned_ms = happening.planned_ms + planned_press.after_ms
        return Press(planned_press.button, planned_press.why, planned_press.held_ms, planned_ms, at_ms, until_ms)

    def _entry(self, happening: Happening, kind: Kind, ends: Ends, at_ms: int, presses: Sequence[Press]) -> DiaryEntry:
        return DiaryEntry(
            kind=kind,
            site_id=self._post.site_id,
            console_id=self._post.console_id,
            at_ms=at_ms,
            until_ms=self._clock.now_ms(),
            planned_ms=happening.planned_ms,
            wanted=happening.wanted,
            ends=ends,
            question_id=self._post.question_id,
            question_revision=self._post.question_revision,
            ask_every=self._post.rules.ask_every,
            bought=happening.bought,
            visitors=happening.visitors,
            presses=tuple(presses),
        )

    def _change(self) -> bool:
        """Let the next seller take over in the middle of a pause."""
        if self._clock.wait(CHANGE_MS // 2):
            return False
        self._end_shift(self._clock.now_ms())
        return not self._clock.wait(CHANGE_MS // 2)

    def _end_shift(self, at_ms: int) -> None:
        seller_id = self._post.sellers[self._turns % len(self._post.sellers)]
        post = self._post
        self._diary.write(
            DiaryEntry("shift", post.site_id, post.console_id, self._shift_from_ms, at_ms, seller_id=seller_id)
        )
        self._turns += 1
        self._shift_from_ms = at_ms

    def _keep_clear(self, chain: Sequence[Happening]) -> int:
        """Return how long to wait first, to stay clear of a quarter of an hour and of a force majeure's scope end."""
        now_ms = self._clock.now_ms()
        lasts_ms = sum(happening.lasts_ms for happening in chain)
        wait_ms = 0
        if self._declared_ms is not None:
            scope_ends_ms = self._declared_ms + self._post.rules.force_majeure_scope_s * 1000
            if now_ms - 2 * MARGIN_MS < scope_ends_ms < now_ms + lasts_ms + 2 * MARGIN_MS:
                wait_ms = scope_ends_ms + 2 * MARGIN_MS - now_ms
        into_ms = (now_ms + wait_ms) % QUARTER_MS
        if into_ms < CHANGE_MS or into_ms + lasts_ms + CHANGE_MS > QUARTER_MS:
            wait_ms += (CHANGE_MS - into_ms) % QUARTER_MS
        return wait_ms
