"""Types of what was observed at each board from outside: its presses, its thanks, and its own counters."""

from __future__ import annotations

from dataclasses import dataclass, field

ANSWERS = ("yes", "no", "cant_say")


@dataclass(frozen=True)
class ObservedPress:
    """A button pressed for `held_ms`, its first contact at `contact_ms` on the board's own clock since power came.

    Attributes:
        sure: power stayed long enough after it that it must be stored; else it may be stored.
        from_start: it was held when power came, and its contact is whenever the board first looked.
        late_ms: how long after the contact the board saw it.
        other_held_ms: other lengths that the board may have measured, as it stood still at the release.
    """

    button: str
    contact_ms: int
    held_ms: int
    sure: bool = True
    from_start: bool = False
    late_ms: int = 0
    other_held_ms: tuple[int, ...] = ()


@dataclass(frozen=True)
class Thanks:
    """The steady lamp of an answer, from `at_ms` on (clock as of `ObservedPress`): the answer is in flash."""

    button: str
    at_ms: int


@dataclass(frozen=True)
class ObservedPowerCycle:
    """The time from power-on to power-off of one board; `boot` is the number that it reports, None if it reports none.

    Attributes:
        ended_ms: when it was last known to run before power went; None if power stayed on.
        awake_ms: when its firmware had started; None if it never had.
        stores_events: whether it could store events in flash all the time.
        offset_ms: what to add to its clock to get the firmware's `up_ms`; None if the checker has to find it.
        stops: when its main loop stood still, as (from, to).
        jumps: when something was last seen before its clock jumped.
        true_ms: the time (ms since 1970 UTC) when its clock was 0; None if a clock near it was wrong.
    """

    site_id: str
    console_id: str
    hardware_id: str
    boot: int | None
    ended_ms: int | None
    presses: tuple[ObservedPress, ...]
    thanks: tuple[Thanks, ...] = ()
    awake_ms: int | None = 0
    stores_events: bool = True
    offset_ms: int | None = None
    stops: tuple[tuple[int, int], ...] = ()
    jumps: tuple[int, ...] = ()
    true_ms: int | None = None

    def stood_ms(self, from_ms: int, to_ms: int) -> int:
        """Return for how much of this time the main loop stood still."""
        return sum(max(0, min(to_ms, end) - max(from_ms, start)) for start, end in self.stops)


@dataclass(frozen=True)
class PressRules:
    """The settings of one revision that decide what a press means; times in ms.

    `question` is (id, revision), or None if it is not certain, as a bridge whose database was put back gave the
    revision to other settings too.
    """

    survey_window_ms: int = 20_000
    long_press_ms: int = 1500
    reopen_guard_ms: int = 1000
    debounce_ms: int = 20
    stuck_ms: int = 30_000
    question: tuple[str, int] | None = ("staff", 1)


@dataclass(frozen=True)
class Counters:
    """The figures of one epoch in a board's last `health`: the number of its next event, and presses by button."""

    next: int
    presses: dict[str, int]


EpochName = tuple[str, str, str]
"""(site_id, console_id, epoch)"""


@dataclass(frozen=True)
class Observations:
    """Everything observed, once everything is quiet.

    Attributes:
        power_cycles: all power cycles of all boards.
        rules: by (site_id, console_id) and revision of the settings; the defaults apply without an entry.
        counters: by epoch, as its board last reported them.
        forgotten: by epoch, the highest number that a bridge had acknowledged before its database was put back to an
            older state: up to this number consoles were free to delete events.
        overflowed: hardware ids of boards whose flash was full for a while.
    """

    power_cycles: tuple[ObservedPowerCycle, ...]
    rules: dict[tuple[str, str], dict[int, PressRules]] = field(default_factory=dict)
    counters: dict[EpochName, Counters] = field(default_factory=dict)
    forgotten: dict[EpochName, int] = field(default_factory=dict)
    overflowed: frozenset[str] = frozenset()
