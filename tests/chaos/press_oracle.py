"""Tell what presses mean by the method's rules (schema/README.md), in a simple model without any code of the firmware.

All times are ms on the board's clock. It models one power cycle at a time: a restart forgets everything.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.chaos.observations import ANSWERS, ObservedPress, PressRules

CONTACT, RELEASE, LONG, STUCK = "contact", "release", "long", "stuck"
EXPIRY, APPLY, FORGET = "expiry", "apply", "forget"
# Within a millisecond a deadline comes before a press: an answer wins only if it is *inside* the window.
_ORDER = {FORGET: 0, EXPIRY: 2, LONG: 2, STUCK: 2, CONTACT: 3, RELEASE: 4, APPLY: 5}


@dataclass
class ExpectedSurvey:
    """A survey and the press that opened it; its `cause` is None if it was still open at the end, or forgotten."""

    opened_by: int
    opened_ms: int
    rules: PressRules
    outcome: str | None = None
    cause: str | None = None
    closed_ms: int | None = None
    closed_by: int | None = None


@dataclass
class ExpectedEvent:
    """The event that a press must give: its type, its reason or answer (`detail`), and the survey that it is about."""

    type: str
    detail: str | None = None
    survey: ExpectedSurvey | None = None


@dataclass
class Expected:
    """What a power cycle must give: the event of each press, all surveys, and (button, up_ms) of stuck buttons."""

    events: dict[int, ExpectedEvent] = field(default_factory=dict)
    surveys: list[ExpectedSurvey] = field(default_factory=list)
    stuck: list[tuple[str, int]] = field(default_factory=list)


class _ConsoleModel:
    def __init__(self, presses: list[ObservedPress], rules: PressRules) -> None:
        self.presses = presses
        self.rules = rules
        self.next_rules: PressRules | None = None
        self.expected = Expected()
        self.open: ExpectedSurvey | None = None
        self.answered = False
        self.asking: int | None = None
        self.held_stuck: set[str] = set()
        self.queue: list[tuple[int, int, int, str, Any]] = []
        self.numbers = count()
        self.answers = sorted((press.contact_ms, press.button) for press in presses if press.button in ANSWERS)

    def at(self, at_ms: int, kind: str, what: Any) -> None:
        heapq.heappush(self.queue, (at_ms, _ORDER[kind], next(self.numbers), kind, what))

    def run(self) -> Expected:
        while self.queue:
            at_ms, _, _, kind, what = heapq.heappop(self.queue)
            getattr(self, f"_{kind}")(at_ms, what)
        return self.expected

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
            self.expected.events[index] = ExpectedEvent("stray_pressed", "together")
        elif self.open:
            survey = self.open
            self._close(press.button, "answered", at_ms, index)
            self.expected.events[index] = ExpectedEvent("survey_closed", press.button, survey)
        else:
            reason = "already_answered" if self.answered else "no_survey"
            self.expected.events[index] = ExpectedEvent("stray_pressed", reason)

    def _is_together(self, index: int) -> bool:
        press, reach_ms = self.presses[index], self.rules.debounce_ms
        first = bisect_left(self.answers, (press.contact_ms - reach_ms, ""))
        last = bisect_left(self.answers, (press.contact_ms + reach_ms + 1, ""))
        return any(button != press.button for _, button in self.answers[first:last])

    def _release(self, at_ms: int, index: int) -> None:
        press = self.presses[index]
        self.held_stuck.discard(press.button)
        if press.button == "seller" and self.asking == index:
            self.asking = None
            self._ask(index, press.contact_ms, at_ms)

    def _ask(self, index: int, contact_ms: int, released_ms: int) -> None:
        if self.open and contact_ms - self.open.opened_ms < self.rules.reopen_guard_ms:
            self.expected.events[index] = ExpectedEvent("stray_pressed", "guard")
            return
        if self.open:
            self._close("silent", "superseded", contact_ms, None)
        self.open = ExpectedSurvey(index, contact_ms, self.rules)
        self.expected.surveys.append(self.open)
        self.expected.events[index] = ExpectedEvent("survey_opened", None, self.open)
        self.at(contact_ms + self.rules.survey_window_ms, EXPIRY, self.open)
        if self.held_stuck & set(ANSWERS):
            self._close("error", "fault", released_ms, None)

    def _long(self, _at_ms: int, index: int) -> None:
        self.asking = None
        self.expected.events[index] = ExpectedEvent("force_majeure_declared", None, self.open)

    def _stuck(self, at_ms: int, index: int) -> None:
        button = self.presses[index].button
        self.expected.stuck.append((button, at_ms))
        self.held_stuck.add(button)
        if button in ANSWERS and self.open:
            self._close("error", "fault", at_ms, None)

    def _expiry(self, at_ms: int, survey: ExpectedSurvey) -> None:
        if self.open is survey:
            self._close("silent", "expired", at_ms, None)

    def _apply(self, _at_ms: int, rules: PressRules) -> None:
        if self.open:
            self.next_rules = rules
        else:
            self.rules = rules

    def _forget(self, _at_ms: int, _: None) -> None:
        """Begin another epoch, which does not continue a survey opened under the old one."""
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


def expect(
    presses: list[ObservedPress],
    applied: list[tuple[int, PressRules]],
    forgets_ms: list[int],
    defaults: PressRules,
) -> Expected:
    """Return what these presses mean, all of which the board took.

    `applied` has (up_ms, rules) of each `settings_applied`; `forgets_ms` is when further epochs began. The model never
    ends: the result includes what would have come after power went.
    """
    console = _ConsoleModel(presses, defaults)
    for at_ms, rules in applied:
        console.at(at_ms, APPLY, rules)
    for at_ms in forgets_ms:
        console.at(at_ms, FORGET, None)
    for index, press in enumerate(presses):
        console.at(press.contact_ms, CONTACT, index)
    return console.run()
