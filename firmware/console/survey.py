"""The survey table: confirmed presses and passing time in, facts out. Pure, no I/O.

Everything happens in the order of first contacts and deadlines, never of calls: a main loop that was stalled brings
the same facts, later. A deadline goes before a press or release of the same millisecond.
"""

from micropython import const

from console.events import (
    ALREADY_ANSWERED,
    ANSWERED,
    BUTTON_FREED,
    BUTTON_STUCK,
    ERROR,
    EXPIRED,
    FAULT,
    FORCE_MAJEURE_DECLARED,
    GUARD,
    NO_SURVEY,
    SELLER,
    SETTINGS_APPLIED,
    SILENT,
    STRAY_PRESSED,
    SUPERSEDED,
    SURVEY_CLOSED,
    SURVEY_OPENED,
    TOGETHER,
)

PRESS_TESTED = const(-1)  # a fact for the self-test, no event: `(PRESS_TESTED, up_ms, button)`

# What may come in, in the order in which it is taken within one millisecond. The first three have the button's number
# added. A press that has no length is released at once.
_RELEASE = const(0)
_PRESS = const(4)
_RELEASE_AT_ONCE = const(8)
_APPLY = const(12)
_TEST_ON = const(13)
_TEST_OFF = const(14)

# Deadlines, beside those of stuck buttons (which are named by the button).
_EXPIRY = const(4)
_LONG = const(5)


class SurveyTable:
    """Feed it with `press`, `release`, `apply` and `test`, then `take(settled_ms)` until that gives None.

    `settings` are those in force, `opened_ms` is the open survey's contact or None, `stuck` tells by button which are
    stuck, and `presses` counts the presses taken by button (those of a self-test left out).
    """

    def __init__(self, settings):
        self.settings = settings
        self.opened_ms = None
        self.stuck = [False, False, False, False]
        self.presses = [0, 0, 0, 0]
        self._facts = []
        self._inputs = []  # (up_ms, code), sorted
        self._applied = []  # the settings of the _APPLY among the inputs
        self._next_settings = None  # to be in force when the open survey has closed
        self._answered = False  # the last survey was closed by an answer
        self._testing = False
        self._contacts = [None, None, None]  # the last first contact of each answer button
        self._stuck_at = [None, None, None, None]  # when a button that is held will be stuck
        self._seller_ms = None  # contact of a seller's press that is neither short nor long yet
        self._long_at = 0  # when it becomes long

    def press(self, button, up_ms):
        """A confirmed press with its first contact at `up_ms`. Of two buttons, in any order."""
        self._insert(up_ms, _PRESS + button)

    def release(self, button, up_ms):
        """A confirmed release with its first break at `up_ms`."""
        at_once = (up_ms, _PRESS + button) in self._inputs
        self._insert(up_ms, (_RELEASE_AT_ONCE if at_once else _RELEASE) + button)

    def apply(self, settings, up_ms):
        """New settings: in force at once, or when the open survey has closed. Gives `settings_applied` at once."""
        self._applied.append(settings)
        self._insert(up_ms, _APPLY)

    def test(self, on, up_ms):
        """From `up_ms` on presses are no surveys but facts `PRESS_TESTED` (self-test, maintenance); or are again."""
        self._insert(up_ms, _TEST_ON if on else _TEST_OFF)

    def take(self, settled_ms):
        """The next fact, or None. Everything with a first contact or break up to `settled_ms` has been handed in.

        Record each fact before taking the next.
        """
        while not self._facts:
            if not self._step(settled_ms):
                return None
        return self._facts.pop(0)

    def forget(self, fact):
        """Another epoch begins with `fact`, the last one taken, as it could not be recorded.

        A survey opened under the old epoch is not continued. Answers what is to be recorded instead, or None.
        """
        if fact[0] == SURVEY_OPENED:
            return fact
        if not any(waiting[0] == SURVEY_OPENED for waiting in self._facts):
            self._facts = [waiting for waiting in self._facts if waiting[0] != SURVEY_CLOSED]
            self._end_survey(False)
        if fact[0] == SURVEY_CLOSED:
            return (STRAY_PRESSED, fact[1], fact[6], NO_SURVEY) if fact[7] == ANSWERED else None
        if fact[0] == FORCE_MAJEURE_DECLARED:
            return (FORCE_MAJEURE_DECLARED, fact[1], False, fact[3], fact[4])
        return fact

    def _insert(self, up_ms, code):
        self._inputs.append((up_ms, code))
        self._inputs.sort()

    def _step(self, settled_ms):
        """Take one input or run one deadline. False if none is due."""
        at, deadline = self._next_deadline()
        if self._inputs and (at is None or self._inputs[0][0] < at):
            up_ms, code = self._inputs[0]
            if settled_ms < up_ms + self._wait_ms(code):
                return False
            del self._inputs[0]
            self._enter(code, up_ms)
            return True
        if at is None or at > settled_ms:
            return False
        if deadline == _EXPIRY:
            self._close(SILENT, EXPIRED, at)
        elif deadline == _LONG:
            self._declare_force_majeure()
        else:
            self._stick(deadline, at)
        return True

    def _next_deadline(self):
        """`(up_ms, deadline)` of the earliest, `(None, None)` if there is none."""
        at = deadline = None
        if self.opened_ms is not None:
            at, deadline = self.opened_ms + self.settings.survey_window_ms, _EXPIRY
        if self._seller_ms is not None and (at is None or self._long_at < at):
            at, deadline = self._long_at, _LONG
        for button, stuck_at in enumerate(self._stuck_at):
            if stuck_at is not None and (at is None or stuck_at < at):
                at, deadline = stuck_at, button
        return at, deadline

    def _wait_ms(self, code):
        """How long after its contact an input can be judged: an answer only when none can be together with it."""
        return self.settings.debounce_ms if _is_answer(code) else 0

    def _enter(self, code, up_ms):
        if code == _APPLY:
            self._apply(self._applied.pop(0), up_ms)
        elif code > _APPLY:
            self._testing = code == _TEST_ON
            self._seller_ms = None
        elif _PRESS <= code < _RELEASE_AT_ONCE:
            self._pressed(code - _PRESS, up_ms)
        else:
            self._released(code & 3, up_ms)

    def _apply(self, settings, up_ms):
        self._facts.append((SETTINGS_APPLIED, up_ms, settings.revision))
        if self.opened_ms is None:
            self.settings = settings
        else:
            self._next_settings = settings

    def _pressed(self, button, up_ms):
        self._stuck_at[button] = up_ms + self.settings.stuck_ms
        if self._testing:
            self._facts.append((PRESS_TESTED, up_ms, button))
        else:
            self.presses[button] += 1
            if button == SELLER:
                self._seller_ms = up_ms
                self._long_at = up_ms + self.settings.long_press_ms
            else:
                self._answer(button, up_ms)
        if button != SELLER:
            self._contacts[button] = up_ms

    def _released(self, button, up_ms):
        self._stuck_at[button] = None
        if self.stuck[button]:
            self.stuck[button] = False
            self._facts.append((BUTTON_FREED, up_ms, button))
        if button == SELLER and self._seller_ms is not None:
            contact_ms, self._seller_ms = self._seller_ms, None
            self._ask(contact_ms, up_ms)

    def _answer(self, button, up_ms):
        if self._is_together(button, up_ms):
            self._stray(button, TOGETHER, up_ms)
        elif self.opened_ms is not None:
            self._close(button, ANSWERED, up_ms)
        else:
            self._stray(button, ALREADY_ANSWERED if self._answered else NO_SURVEY, up_ms)

    def _is_together(self, button, up_ms):
        debounce_ms = self.settings.debounce_ms
        for other, contact_ms in enumerate(self._contacts):
            if other != button and contact_ms is not None and up_ms - contact_ms <= debounce_ms:
                return True
        for contact_ms, code in self._inputs:
            if _is_answer(code) and code != _PRESS + button and contact_ms - up_ms <= debounce_ms:
                return True
        return False

    def _ask(self, contact_ms, released_ms):
        """The seller's short press: a survey from `contact_ms` on, known at `released_ms`."""
        if self.opened_ms is not None:
            if contact_ms - self.opened_ms < self.settings.reopen_guard_ms:
                self._stray(SELLER, GUARD, contact_ms)
                return
            self._close(SILENT, SUPERSEDED, contact_ms)
        self.opened_ms = contact_ms
        self._facts.append((SURVEY_OPENED, contact_ms, self.settings.question_id, self.settings.question_revision))
        if True in self.stuck[:SELLER]:
            self._close(ERROR, FAULT, released_ms)

    def _declare_force_majeure(self):
        question_id, question_revision = self.settings.question_id, self.settings.question_revision
        is_open = self.opened_ms is not None
        self._facts.append((FORCE_MAJEURE_DECLARED, self._seller_ms, is_open, question_id, question_revision))
        self._seller_ms = None

    def _stick(self, button, up_ms):
        self._stuck_at[button] = None
        self.stuck[button] = True
        self._facts.append((BUTTON_STUCK, up_ms, button))
        if button != SELLER and self.opened_ms is not None:
            self._close(ERROR, FAULT, up_ms)

    def _stray(self, button, reason, up_ms):
        self._facts.append((STRAY_PRESSED, up_ms, button, reason))

    def _close(self, outcome, cause, up_ms):
        settings = self.settings
        question_id, question_revision = settings.question_id, settings.question_revision
        self._facts.append((SURVEY_CLOSED, up_ms, True, self.opened_ms, question_id, question_revision, outcome, cause))
        self._end_survey(cause == ANSWERED)

    def _end_survey(self, answered):
        self.opened_ms = None
        self._answered = answered
        if self._next_settings is not None:
            self.settings, self._next_settings = self._next_settings, None


def _is_answer(code):
    return _PRESS <= code < _PRESS + SELLER
