"""The survey table: confirmed presses and passing time in, facts out. Pure, no I/O.

Everything happens in the order of first contacts and deadlines, never of calls: a main loop that was stalled brings
the same facts, later. A deadline goes before a press or release of the same millisecond.
"""

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
from micropython import const

PRESS_TESTED = const(-1)  # a fact for the self-test, no event: `(PRESS_TESTED, up_ms, button)`

# What may come in, in the order in which it is taken within one millisecond (a button's number is added to the first
# three): releases, presses, releases of presses that have no length, then what is not from a button.
_RELEASE, _PRESS, _RELEASE_AT_ONCE, _APPLY, _TEST_ON, _TEST_OFF = (
    const(0),
    const(4),
    const(8),
    const(12),
    const(13),
    const(14),
)

_INPUTS_MAX = const(64)


class SurveyTable:
    """Feed it with `press`, `release`, `apply` and `test`, all at any time and in any order up to `settled_ms`.

    Then `take(settled_ms)` until it gives None; record each fact before taking the next. `settings` are those in force;
    `presses` counts the confirmed presses by button, those of a self-test left out.
    """

    def __init__(self, settings):
        self.settings = settings
        self.opened_ms = None  # the open survey's contact, or None
        self.presses = [0, 0, 0, 0]
        self.stuck = [False, False, False, False]

    def press(self, button, up_ms):
        """A confirmed press with its first contact at `up_ms`."""
        raise NotImplementedError

    def release(self, button, up_ms):
        """A confirmed release with its first break at `up_ms`."""
        raise NotImplementedError

    def apply(self, settings, up_ms):
        """New settings: in force at once, or when the open survey has closed. Gives `settings_applied` now."""
        raise NotImplementedError

    def test(self, on, up_ms):
        """From now on presses are no surveys but facts `PRESS_TESTED` (self-test, maintenance), or are surveys again."""
        raise NotImplementedError

    def take(self, settled_ms):
        """The next fact, or None. Everything with a first contact or break up to `settled_ms` has been handed in."""
        raise NotImplementedError

    def forget(self, fact):
        """Another epoch begins with `fact`, which could not be recorded: its survey is not continued.

        Answers what is to be recorded instead, or None.
        """
        raise NotImplementedError
