"""Turn confirmed presses and passing time into facts: the state machine of surveys. Pure, no I/O.

It works in the order of first contacts and deadlines, not of calls: a main loop that was stalled gets the same facts,
only later. A deadline comes before a press or release of the same millisecond.
"""

from micropython import const

from console.events import (
    ALREADY_ANSWERED,
    ANSWERED,
    BUTTON_FREED,
    BUTTON_STUCK,
    CAUSE,
    ERROR,
    EXPIRED,
    FAULT,
    FORCE_MAJEURE_DECLARED,
    GUARD,
    NO_SURVEY,
    OUTCOME,
    SELLER,
    SETTINGS_APPLIED,
    SILENT,
    STRAY_PRESSED,
    SUPERSEDED,
    SURVEY_CLOSED,
    SURVEY_OPENED,
    TOGETHER,
    TYPE,
    UP_MS,
)

PRESS_TESTED = const(-1)  # a fact for the self-test, not an event: `(PRESS_TESTED, up_ms, button)`

# Codes of inputs, in the order in which they are processed within one millisecond. The button's number is added to the
# first three. A press without length is released at once.
_RELEASE = const(0)
_PRESS = const(4)
_RELEASE_AT_ONCE = const(8)
_APPLY = const(12)
_TEST_ON = const(13)
_TEST_OFF = const(14)

# Codes of deadlines. That of a stuck button is the button's number.
_EXPIRY = const(4)
_LONG = const(5)


class SurveyTable:
    """The state of a console's surveys.

    Call `press`, `release`, `apply` and `test`, then `take(settled_ms)` until it returns None.

    Attributes to read:
        settings: those in force.
        opened_ms: the seller's first contact of the open survey, or None.
        stuck: whether each button is stuck.
        presses: how many presses of each button were processed, without those of a self-test.
    """

    def __init__(self, settings):
        self.settings = settings
        self.opened_ms = None
        self.stuck = [False, False, False, False]
        self.presses = [0, 0, 0, 0]
        self._facts = []
        self._inputs = []  # (up_ms, code), sorted
        self._applied = []  # the settings of each _APPLY among the inputs
        self._next_settings = None  # to be put in force when the open survey closes
        self._answered = False  # the last survey was closed by an answer
        self._testing = False
        self._contacts = [None, None, None]  # the newest first contact of each answer button
        self._stuck_at = [None, None, None, None]  # when each button that is held will be stuck
        self._seller_ms = None  # first contact of a seller's press that is neither short nor long yet
        self._long_at = 0  # when that press becomes long

    def press(self, button, up_ms):
        """Add a confirmed press with its first contact at `up_ms`. Presses of two buttons may come in any order."""
        self._insert(up_ms, _PRESS + button)

    def release(self, button, up_ms):
        """Add a confirmed release with its first break at `up_ms`."""
        at_once = (up_ms, _PRESS + button) in self._inputs
        self._insert(up_ms, (_RELEASE_AT_ONCE if at_once else _RELEASE) + button)

    def apply(self, settings, up_ms):
        """Put settings in force: at once, or when the open survey closes. The fact `settings_applied` comes at once."""
        self._applied.append(settings)
        self._insert(up_ms, _APPLY)

    def test(self, on, up_ms):
        """Begin a self-test or maintenance at `up_ms`, or end it (`on` False).

        An open survey closes first. A press is only a fact `PRESS_TESTED`, also if it is still held at the end. A
        seller's press that is neither short nor long yet at the begin counts nowhere: it is not known what it would be.
        """
        self._insert(up_ms, _TEST_ON if on else _TEST_OFF)

    def is_idle(self):
        """Return whether no survey is open, no press is to be decided, and every fact is taken."""
        return self.opened_ms is None and self._seller_ms is None and not self._inputs and not self._facts

    def take(self, settled_ms):
        """Return the next fact, or None.

        Every press and release up to `settled_ms` must have been added before. Record each fact before taking the next.
        """
        while not self._facts:
            if not self._step(settled_ms):
                return None
        return self._facts.pop(0)

    def new_epoch(self, fact):
        """Give up the survey of the old epoch: a new one begins, as `fact`, the last one taken, could not be recorded.

        Returns the fact to record in place of `fact`, or None.
        """
        if fact[TYPE] == SURVEY_OPENED:
            return fact
        if not any(waiting[TYPE] == SURVEY_OPENED for waiting in self._facts):
            self._facts = [waiting for waiting in self._facts if waiting[TYPE] != SURVEY_CLOSED]
            self._end_survey(False)
        if fact[TYPE] == SURVEY_CLOSED:
            return (STRAY_PRESSED, fact[UP_MS], fact[OUTCOME], NO_SURVEY) if fact[CAUSE] == ANSWERED else None
        if fact[TYPE] == FORCE_MAJEURE_DECLARED:
            _, up_ms, _, question_id, question_revision = fact
            return (FORCE_MAJEURE_DECLARED, up_ms, False, question_id, question_revision)
        return fact

    def _insert(self, up_ms, code):
        self._inputs.append((up_ms, code))
        self._inputs.sort()

    def _step(self, settled_ms):
        """Process one input or one deadline; return whether one was due."""
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
            self._mark_stuck(deadline, at)
        return True

    def _next_deadline(self):
        """Return `(up_ms, code)` of the earliest deadline, `(None, None)` if there is none."""
        at = deadline = None
        if self.opened_ms is not None:
            at, deadline = self.opened_ms + self.settings.survey_window_ms, _EXPIRY
        if self._seller_ms is not None and (at is None or self._long_at < at):
            at, deadline = self._long_at, _LONG
        for button in range(len(self._stuck_at)):  # `enumerate` makes a tuple of each, and this is called every 10 ms
            stuck_at = self._stuck_at[button]
            if stuck_at is not None and (at is None or stuck_at < at):
                at, deadline = stuck_at, button
        return at, deadline

    def _wait_ms(self, code):
        """Return how long to wait after an input's contact: another answer within `debounce_ms` makes it stray."""
        return self.settings.debounce_ms if _is_answer(code) else 0

    def _enter(self, code, up_ms):
        if code == _APPLY:
            self._apply(self._applied.pop(0), up_ms)
        elif code > _APPLY:
            self._testing = code == _TEST_ON
            self._seller_ms = None
            if self.opened_ms is not None:
                self._close(ERROR, FAULT, up_ms)
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
        """Open a survey from `contact_ms` on: the seller's press was short, which is known at `released_ms`."""
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

    def _mark_stuck(self, button, up_ms):
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
