"""What was seen from outside of each board: its presses, its thanks, and its own counters. No firmware, no bridge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

ANSWERS = ("yes", "no", "cant_say")


@dataclass(frozen=True)
class Press:
    """A button pressed for `held_ms`, its first contact at `contact_ms` on the board's own clock since power came.

    Attributes:
        sure: power stayed so long after it that it must have been kept; else it may have been.
        from_start: it was held when power came, and its contact is whenever the board first looked.
        late_ms: so much after the contact the board caught it.
        perhaps_ms: how long the board may have taken it to be held too, as it stood still when it was released.
    """

    button: str
    contact_ms: int
    held_ms: int
    sure: bool = True
    from_start: bool = False
    late_ms: int = 0
    perhaps_ms: tuple[int, ...] = ()


@dataclass(frozen=True)
class Thanks:
    """The lamp of this answer was seen steady from `at_ms` on (clock as of `Press`): the answer is in flash."""

    button: str
    at_ms: int


@dataclass(frozen=True)
class Life:
    """One power-on of one board; `boot` is what it says of itself (None: it died before it could).

    Attributes:
        ended_ms: when it was last known to run before power went; None: that never did.
        awake_ms: when its firmware had started; None: it never had.
        keeps: whether it kept events in flash all the time.
        offset_ms: what has to be added to its clock to get the firmware's `up_ms`; None: the checker finds out.
        stops: when its main loop stood still, as (from, to).
        jumps: what was last seen before its clock jumped.
        true_ms: what time (ms since 1970 UTC) it was when its clock began, if all clocks about it were right.
    """

    site_id: str
    console_id: str
    hardware_id: str
    boot: int | None
    ended_ms: int | None
    presses: tuple[Press, ...]
    thanks: tuple[Thanks, ...] = ()
    awake_ms: int | None = 0
    keeps: bool = True
    offset_ms: int | None = None
    stops: tuple[tuple[int, int], ...] = ()
    jumps: tuple[int, ...] = ()
    true_ms: int | None = None

    def stood_ms(self, from_ms: int, to_ms: int) -> int:
        """For how long of this time it stood still."""
        return sum(max(0, min(to_ms, end) - max(from_ms, start)) for start, end in self.stops)


@dataclass(frozen=True)
class Rules:
    """Settings of one revision, as far as they decide what a press means. Times in ms.

    `question` is (id, revision); None: not certain, since a bridge that forgot gave the number to other settings too.
    """

    survey_window_ms: int = 20_000
    long_press_ms: int = 1500
    reopen_guard_ms: int = 1000
    debounce_ms: int = 20
    stuck_ms: int = 30_000
    question: tuple[str, int] | None = ("staff", 1)


@dataclass(frozen=True)
class Counters:
    """What a board's last `health` says of one epoch: the number of its next event, and presses by button."""

    next: int
    presses: dict[str, int]


EpochName = tuple[str, str, str]
"""(site_id, console_id, epoch)"""


@dataclass(frozen=True)
class Testimony:
    """All that is known from outside when everything has become quiet.

    Attributes:
        lives: every power-on of every board.
        rules: by (site_id, console_id) and revision of the settings; without an entry the defaults.
        counters: by epoch, as its board said last.
        forgotten: by epoch, the highest number that a bridge had acknowledged before its database was put back to an
            older state: up to there consoles were free to delete.
        overflowed: hardware ids of boards whose flash was full for a while.
    """

    __test__: ClassVar[bool] = False  # its name does not make it a test

    lives: tuple[Life, ...]
    rules: dict[tuple[str, str], dict[int, Rules]] = field(default_factory=dict)
    counters: dict[EpochName, Counters] = field(default_factory=dict)
    forgotten: dict[EpochName, int] = field(default_factory=dict)
    overflowed: frozenset[str] = frozenset()
