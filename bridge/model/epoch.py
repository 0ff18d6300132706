"""An epoch of a console: numbers received, boots, settings applied, surveys that are open."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Protocol

from bridge.model.received_numbers import ReceivedNumbers

if TYPE_CHECKING:
    from bridge.model.console import KnownConsole


class Boot:
    """One boot of a console, with the offset that dates its events without a date of their own."""

    __slots__ = ("arrival_offset_ms", "changed", "clock_offset_ms", "clock_seq", "dated_by", "may_be_undated")

    def __init__(self, clock_seq: int | None, clock_offset_ms: int | None, arrival_offset_ms: int) -> None:
        self.clock_seq = clock_seq
        self.clock_offset_ms = clock_offset_ms
        self.arrival_offset_ms = arrival_offset_ms
        self.changed = False
        self.may_be_undated = True  # False: each of its events has a date of its own
        self.dated_by: tuple[int, bool] | None = self.basis  # what the stored events are dated by

    @classmethod
    def unseen(cls, arrival_offset_ms: int) -> Boot:
        """Make a boot none of whose events was dated yet."""
        boot = cls(None, None, arrival_offset_ms)
        boot.changed = True
        boot.dated_by = None
        return boot

    @property
    def basis(self) -> tuple[int, bool]:
        """The offset in force, and whether it is the clock's."""
        if self.clock_offset_ms is None:
            return self.arrival_offset_ms, False
        return self.clock_offset_ms, True

    def note_clock(self, seq: int, offset_ms: int) -> None:
        """Take in a `clock_set`: the one with the lowest number dates the boot."""
        if self.clock_seq is None or seq < self.clock_seq:
            self.clock_seq, self.clock_offset_ms = seq, offset_ms
            self.changed = True


class EpochRecords(Protocol):
    """The records of one epoch that are seldom needed; a store implements it."""

    def boot(self, number: int) -> Boot | None:
        """Return a boot; None if nothing of it was received."""

    def next_opener(self, seq: int) -> int | None:
        """Return the number of the first `booted` or `survey_opened` after `seq`; None if there is none."""


class Epoch:
    """One epoch of a console, with what every message asks of it."""

    def __init__(self, key: int, epoch: str, console: KnownConsole, records: EpochRecords) -> None:
        """Begin with nothing received; whoever reads a stored epoch fills in the rest."""
        self.key = key
        self.epoch = epoch
        self.console = console
        self.first = 1
        self.through = 0
        self.hardware_id: str | None = None
        self.is_new = False
        self.received = ReceivedNumbers()
        self.lost = 0
        self.applied: list[tuple[int, int]] = []  # (seq, settings revision) in order
        self.open: set[int] = set()
        self.last_opener = 0
        self.boots: dict[int, Boot] = {}
        self._records = records

    def note_boot(self, number: int, arrival_offset_ms: int) -> Boot:
        """Take in an event's arrival, as its time minus the event's `up_ms`; return what is known of the boot now."""
        known = self.boots.get(number) or self._records.boot(number)
        if known is None:
            known = Boot.unseen(arrival_offset_ms)
            known.may_be_undated = False
        elif arrival_offset_ms < known.arrival_offset_ms:
            known.arrival_offset_ms = arrival_offset_ms
            known.changed = True
        self.boots[number] = known
        return known

    def note_applied(self, seq: int, revision: int) -> tuple[int, int | None] | None:
        """Take in settings applied at `seq`.

        Returns (seq, following) where surveys opened between the two (None: no end) may have to be folded again; None
        where there can't be any yet.
        """
        index = bisect_left(self.applied, (seq, 0))
        self.applied.insert(index, (seq, revision))
        if seq > self.received.highest:
            return None
        return seq, self.applied[index + 1][0] if index + 1 < len(self.applied) else None

    def ask_every(self, survey: int) -> int | None:
        """Return `ask_every` of the last settings applied before this survey's opening."""
        index = len(self.applied) - 1
        if index >= 0 and self.applied[index][0] >= survey:  # seldom: it is an older survey
            index = bisect_left(self.applied, (survey, 0)) - 1
        return self.console.ask_every(self.applied[index][1]) if index >= 0 else None

    def is_lost(self, survey: int) -> bool:
        """Return whether a later `booted` or `survey_opened` lies at or below `through`, so that no close can come."""
        if survey < self.last_opener <= self.through:
            return True
        if self.last_opener <= survey:
            return False
        opener = self._records.next_opener(survey)
        return opener is not None and opener <= self.through
