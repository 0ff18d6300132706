"""What presses mean by the contract ("The console's behaviour"), read plainly; it knows no firmware.

All times are ms on the board's clock. One life at a time: a restart forgets everything.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.chaos.witness import ANSWERS, Press, Rules

CONTACT, RELEASE, LONG, STUCK = "contact", "release", "long", "stuck"
EXPIRY, APPLY, FORGET = "expiry", "apply", "forget"
# Within a millisecond a deadline goes before a press (contract: an answer *inside* the window wins).
_ORDER = {FORGET: 0, EXPIRY: 2, LONG: 2, STUCK: 2, CONTACT: 3, RELEASE: 4, APPLY: 5}


@dataclass
class Survey:
    """A survey by the press that opened it; `cause` None: it was still open when the life ended or was forgotten."""

    opened_by: int
    opened_ms: int
    rules: Rules
    outcome: str | None = None
    cause: str | None = None
    closed_ms: int | None = None
    closed_by: int | None = None


@dataclass
class Meaning:
    """What a press is: its event's type; `detail` the reason or the answer; `survey` the one that it is about."""

    type: str
    detail: str | None = None
    survey: Survey | None = None


@dataclass
class Story:
    """A life: by press what it means, all surveys, and (button, up_ms) of stuck buttons."""

    meanings: dict[int, Meaning] = field(default_factory=dict)
    surveys: list[Survey] = field(default_factory=list)
    stuck: list[tuple[str, int]] = field(default_factory=list)


class _Console:
    def __init__(self, presses: list[Press], rules: Rules) -> None:
        self.presses = presses
        self.rules = rules
        self.next_rules: Rules | None = None
        self.story = Story()
        self.open: Survey | None = None
        self.answered = False
        self.asking: int | None = None
        self.held_stuck: set[str] = set()
        self.queue: list[tuple[int, int, int, str, Any]] = []
        self.numbers = count()

    def at(self, at_ms: int, kind: str, what: Any) -> None:
        heapq.heappush(self.queue, (at_ms, _ORDER[kind], next(self.numbers), kind, what))

    def run(self) -> Story:
        while self.queue:
            at_ms, _, _, kind, what = heapq.heappop(self.queue)
            getattr(self, f"_{kind}")(at_ms, what)
        return self.story

    def _contact(self, at_ms: int, index: int) -> None:
        press = self.presses[index]
        released_ms = at_ms + press.held_ms
        if press.held_ms >= self.rules.stuck_ms:
            self.at(at_ms + self.rules.stuck_ms, STUCK, index)
        self.at(released_ms, RELEASE, index)
        if press.button == "seller":
            self.asking = index
            if press.held_ms >= self.rules.long_press_ms:
                self.at(at_ms + self.rules.long_press_ms, LONG, index)
        elif self._is_together(index):
            self.story.meanings[index] = Meaning("stray_pressed", "together")
        elif self.open:
            survey = self.open
            self._close(press.button, "answered", at_ms, index)
            self.story.meanings[index] = Meaning("survey_closed", press.button, survey)
        else:
            reason = "already_answered" if self.answered else "no_survey"
            self.story.meanings[index] = Meaning("stray_pressed", reason)

    def _is_together(self, index: int) -> bool:
        press = self.presses[index]
        return any(
            other.button in ANSWERS
            and other.button != press.button
            and abs(other.contact_ms - press.contact_ms) <= self.rules.debounce_ms
            for other in self.presses
        )

    def _release(self, at_ms: int, index: int) -> None:
        press = self.presses[index]
        self.held_stuck.discard(press.button)
        if press.button == "seller" and self.asking == index:
            self.asking = None
            self._ask(index, press.contact_ms, at_ms)

    def _ask(self, index: int, contact_ms: int, released_ms: int) -> None:
        if self.open and contact_ms - self.open.opened_ms < self.rules.reopen_guard_ms:
            self.story.meanings[index] = Meaning("stray_pressed", "guard")
            return
        if self.open:
            self._close("silent", "superseded", contact_ms, None)
        self.open = Survey(index, contact_ms, self.rules)
        self.story.surveys.append(self.open)
        self.story.meanings[index] = Meaning("survey_opened", None, self.open)
        self.at(contact_ms + self.rules.survey_window_ms, EXPIRY, self.open)
        if self.held_stuck & set(ANSWERS):
            self._close("error", "fault", released_ms, None)

    def _long(self, _at_ms: int, index: int) -> None:
        self.asking = None
        self.story.meanings[index] = Meaning("force_majeure_declared", None, self.open)

    def _stuck(self, at_ms: int, index: int) -> None:
        button = self.presses[index].button
        self.story.stuck.append((button, at_ms))
        self.held_stuck.add(button)
        if button in ANSWERS and self.open:
            self._close("error", "fault", at_ms, None)

    def _expiry(self, at_ms: int, survey: Survey) -> None:
        if self.open is survey:
            self._close("silent", "expired", at_ms, None)

    def _apply(self, _at_ms: int, rules: Rules) -> None:
        if self.open:
            self.next_rules = rules
        else:
            self.rules = rules

    def _forget(self, _at_ms: int, _: None) -> None:
        """Another epoch begins: a survey opened under the old one is not continued."""
        self._end(answered=False)

    def _close(self, outcome: str, cause: str, at_ms: int, index: int | None) -> None:
        assert self.open is not None
        self.open.outcome, self.open.cause, self.open.closed_ms, self.open.closed_by = outcome, cause, at_ms, index
        self._end(answered=cause == "answered")

    def _end(self, *, answered: bool) -> None:
        self.open = None
        self.answered = answered
        self.rules = self.next_rules or self.rules
        self.next_rules = None


def story(
    presses: list[Press],
    applied: list[tuple[int, Rules]],
    forgets_ms: list[int],
    defaults: Rules,
) -> Story:
    """What these presses, all of them taken, mean.

    `applied`: (up_ms, rules) of each `settings_applied`; `forgets_ms`: when another epoch began. It goes on for ever:
    what would have come after the power went is told too.
    """
    console = _Console(presses, defaults)
    for at_ms, rules in applied:
        console.at(at_ms, APPLY, rules)
    for at_ms in forgets_ms:
        console.at(at_ms, FORGET, None)
    for index, press in enumerate(presses):
        console.at(press.contact_ms, CONTACT, index)
    return console.run()
