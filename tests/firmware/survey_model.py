"""Compute the facts of a list of presses, millisecond by millisecond: slowly, and without the firmware's code.

It shares the firmware's names of facts, and its order of what happens within one millisecond.
"""

from dataclasses import dataclass

from console import events
from console.survey import PRESS_TESTED


@dataclass(frozen=True)
class ModelPress:
    """A button held from its first contact to its first break; the break may be far in the future."""

    button: int
    contact_ms: int
    break_ms: int


@dataclass(frozen=True)
class ModelChange:
    """At `up_ms`, either new settings, or the begin or end of a self-test."""

    up_ms: int
    settings: object | None = None
    testing: bool = False


class Model:
    """The model of a console; `facts` are those up to and including `end_ms`."""

    def __init__(self, settings, presses, changes, end_ms):
        self.settings = settings
        self.newer = None
        self.presses = sorted(presses, key=lambda press: (press.contact_ms, press.button))
        self.changes = changes
        self.facts = []
        self.opened_ms = None
        self.answered = False
        self.testing = False
        self.stuck = set()
        self.limits = {}  # press -> (its long_press_ms, its stuck_ms), as they were at its contact
        self.asking = None  # the seller's press that is neither short nor long yet
        moments = {change.up_ms for change in changes}
        for press in presses:
            moments |= {press.contact_ms, press.break_ms}
        self.busy = moments
        for now_ms in range(end_ms + 1):
            self.deadlines(now_ms)
            if now_ms in self.busy:
                self.happen(now_ms)

    def expire(self, now_ms):
        if self.opened_ms is not None and now_ms >= self.opened_ms + self.settings.survey_window_ms:
            self.close(events.SILENT, events.EXPIRED, self.opened_ms + self.settings.survey_window_ms)

    def deadlines(self, now_ms):
        self.expire(now_ms)
        if self.asking and now_ms == self.asking.contact_ms + self.limits[self.asking][0]:
            self.say(
                events.FORCE_MAJEURE_DECLARED, self.asking.contact_ms, self.opened_ms is not None, *self.question()
            )
            self.asking = None
        held = [press for press in self.limits if press.contact_ms <= now_ms <= press.break_ms]
        for press in sorted(held, key=lambda press: press.button):
            if now_ms == press.contact_ms + self.limits[press][1]:
                self.stuck.add(press)
                self.say(events.BUTTON_STUCK, now_ms, press.button)
                if press.button != events.SELLER:
                    self.fault(now_ms)

    def happen(self, now_ms):
        for press in sorted(self.presses, key=lambda press: press.button):
            if press.break_ms == now_ms:
                self.release(press, now_ms)
        for press in self.presses:
            if press.contact_ms == now_ms:
                self.press(press)
        for change in self.changes:
            if change.up_ms == now_ms and change.settings:
                self.say(events.SETTINGS_APPLIED, now_ms, change.settings.revision)
                self.newer = change.settings
                self.renew()
            elif change.up_ms == now_ms:
                self.testing = change.testing
                self.asking = None
                self.fault(now_ms)

    def press(self, press):
        self.limits[press] = (self.settings.long_press_ms, self.settings.stuck_ms)
        if self.testing:
            self.say(PRESS_TESTED, press.contact_ms, press.button)
        elif press.button == events.SELLER:
            self.asking = press
        elif any(self.near(press, other) for other in self.presses):
            self.stray(press, events.TOGETHER)
        elif self.opened_ms is not None:
            self.close(press.button, events.ANSWERED, press.contact_ms)
        else:
            self.stray(press, events.ALREADY_ANSWERED if self.answered else events.NO_SURVEY)

    def near(self, press, other):
        if events.SELLER in {press.button, other.button} or press.button == other.button:
            return False
        return abs(press.contact_ms - other.contact_ms) <= self.settings.debounce_ms

    def release(self, press, now_ms):
        if press in self.stuck:
            self.stuck.discard(press)
            self.say(events.BUTTON_FREED, now_ms, press.button)
        if press is not self.asking:
            return
        self.asking = None
        if self.opened_ms is not None:
            if press.contact_ms - self.opened_ms < self.settings.reopen_guard_ms:
                self.stray(press, events.GUARD)
                return
            self.close(events.SILENT, events.SUPERSEDED, press.contact_ms)
        self.opened_ms = press.contact_ms
        self.answered = False
        self.say(events.SURVEY_OPENED, press.contact_ms, *self.question())
        if any(held.button != events.SELLER for held in self.stuck):
            self.fault(now_ms)
        self.expire(now_ms)  # its window may be shorter than the press was

    def fault(self, now_ms):
        if self.opened_ms is not None:
            self.close(events.ERROR, events.FAULT, now_ms)

    def close(self, outcome, cause, up_ms):
        self.say(events.SURVEY_CLOSED, up_ms, True, self.opened_ms, *self.question(), outcome, cause)
        self.opened_ms = None
        self.answered = cause == events.ANSWERED
        self.renew()

    def renew(self):
        if self.newer and self.opened_ms is None:
            self.settings, self.newer = self.newer, None

    def question(self):
        return self.settings.question_id, self.settings.question_revision

    def stray(self, press, reason):
        self.say(events.STRAY_PRESSED, press.contact_ms, press.button, reason)

    def say(self, *fact):
        self.facts.append(fact)
