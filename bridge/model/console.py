"""A console as the bridge knows it: its sellers on shift, its checkout points, and settings that its surveys need."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from bridge.model.local_time import hour_at
from bridge.wire.settings import DEFAULT_FORCE_MAJEURE_SCOPE_S

if TYPE_CHECKING:
    from bridge.model.periods import Timeline
    from bridge.wire.contract import Stamp

ConsoleName = tuple[str, str]
"""(site_id, console_id)."""
Place = tuple[int, int]
"""(boot, up_ms): when a console said something, in an epoch."""
Whereabouts = tuple[str | None, str | None, str]
"""(seller on shift, checkout point, local hour)."""


class EarlyWord(NamedTuple):
    """A signed word of an epoch of which nothing is proved yet."""

    epoch: str
    leaf: str
    payload: bytes
    arrived_at_ms: int
    is_live: bool


class ConsoleRecords(Protocol):
    """The records of one console; a store implements it."""

    def shifts(self) -> Timeline:
        """Return the sellers, each from start to end of the shift."""

    def placements(self) -> Timeline:
        """Return the checkout points at which the console stood."""

    def force_majeure_scope_s(self) -> float | None:
        """Return the scope that was set for the console, its site or all; None: none was."""

    def ask_every(self, revision: int) -> int | None:
        """Return `ask_every` of these settings; None if they are not known."""

    def proved(self) -> dict[str, Place]:
        """Return when the last proved word of each epoch was said, the latest epoch last."""

    def has_proved_event(self, epoch: str) -> bool:
        """Return whether an event of this epoch is proved to be the console's."""


class KnownConsole:
    """One console; each record is read when first asked for, and kept."""

    def __init__(
        self,
        key: int,
        name: ConsoleName,
        timezone: str,
        records: ConsoleRecords,
        *,
        enrolled: bool,
        signs: bool,
        proves_words: bool = False,
    ) -> None:
        self.key = key
        self.name = name
        self.site_id, self.console_id = name
        self.timezone = timezone
        self.enrolled = enrolled
        self.signs = signs  # whether any of its batches ever had a valid MAC
        self.proves_words = (
            proves_words  # whether its firmware signs what it says about itself; then the rest is not its
        )
        self.newest_epoch_key = 0  # of the epochs that sent since this was read
        self._records = records
        self._shifts: Timeline | None = None
        self._placements: Timeline | None = None
        self._whereabouts: Whereabouts = None, None, ""
        self._from_ms = self._to_ms = 0  # how long these whereabouts hold
        self._scope_ms: int | None = None
        self._ask_every: dict[int, int] = {}
        self._proved_words: dict[str, Place] | None = None  # by epoch, the latest last
        self.signed_epochs: set[str] = set()  # whose events came proved since this was read
        self.early_word: EarlyWord | None = None  # the last one that came before any proved event of its epoch

    @property
    def _proved(self) -> dict[str, Place]:
        if self._proved_words is None:
            self._proved_words = self._records.proved()
        return self._proved_words

    def is_later(self, stamp: Stamp) -> bool:
        """Return whether a word is later than those proved before, so that it is no recording of one.

        Each epoch has its own order. One without a proved word is later if its numbers are, or if an event of it is
        proved: then the console has begun it, as after its flash was wiped, and may count from 1 again.
        """
        place = stamp.boot, stamp.up_ms
        epoch = self._epoch_of(stamp)
        if not self._proved or place > self._proved.get(epoch, self._proved[next(reversed(self._proved))]):
            return True
        return epoch not in self._proved and (epoch in self.signed_epochs or self._records.has_proved_event(epoch))

    def has_proved_word(self, epoch: str, boot: int) -> bool:
        """Return whether a word of this boot, or of a later one in the epoch, is proved."""
        return self._proved.get(epoch, (-1, 0))[0] >= boot

    def prove(self, stamp: Stamp) -> tuple[str, Place]:
        """Note that a word is proved; return its epoch and its place there."""
        self.proves_words = True
        epoch, place = self._epoch_of(stamp), (stamp.boot, stamp.up_ms)
        self._proved.pop(epoch, None)
        self._proved[epoch] = place
        return epoch, place

    def _epoch_of(self, stamp: Stamp) -> str:
        return stamp.epoch or next(reversed(self._proved), "")

    def whereabouts_at(self, at_ms: int) -> Whereabouts:
        """Return who is on shift, where the console stands, and the local hour; the last answer is kept."""
        if not self._from_ms <= at_ms < self._to_ms:
            self._look_up(at_ms)
        return self._whereabouts

    def _look_up(self, at_ms: int) -> None:
        if self._shifts is None:
            self._shifts = self._records.shifts()
        if self._placements is None:
            self._placements = self._records.placements()
        shift, placement, hour = self._shifts.at(at_ms), self._placements.at(at_ms), hour_at(at_ms, self.timezone)
        self._from_ms = max(shift[0], placement[0], hour[0])
        self._to_ms = min(shift[1], placement[1], hour[1])
        self._whereabouts = shift[2], placement[2], hour[2]

    @property
    def scope_ms(self) -> int:
        """The time after a force majeure during which it still affects a survey that opens, in ms."""
        if self._scope_ms is None:
            scope_s = self._records.force_majeure_scope_s()
            self._scope_ms = int(1000 * (DEFAULT_FORCE_MAJEURE_SCOPE_S if scope_s is None else scope_s))
        return self._scope_ms

    def ask_every(self, revision: int) -> int | None:
        """Return `ask_every` of these settings; None if the bridge does not know them."""
        if revision not in self._ask_every:
            found = self._records.ask_every(revision)
            if found is None:
                return None
            self._ask_every[revision] = found
        return self._ask_every[revision]
