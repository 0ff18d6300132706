"""A console's status, and what the rules find about it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from bridge.model.local_time import MINUTE_MS
from bridge.wire.health import HealthFigures
from bridge.wire.signature import Mac, MacCount

FAULTS_NAMED, FAULT_LENGTH = 6, 40


class ConsoleHealth(IntEnum):
    """A console's health, from good to bad.

    Red: it does not measure, or it loses what it measures. Amber: that may happen soon. Grey: it was never heard.
    """

    GREEN = 0
    GREY = 1
    AMBER = 2
    RED = 3

    @property
    def word(self) -> str:
        """Return the colour's name, for people and programs."""
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """A rule that applies to a console: `reason` in a few words for lists, `sentence` with what to do about it.

    A green finding is reported, but does not decide the health.
    """

    rule: str
    health: ConsoleHealth
    reason: str
    sentence: str


@dataclass(frozen=True)
class IdConflict:
    """A console id that two boards (or two epochs) used in turn, the last time at `last_at_ms`."""

    last_at_ms: int
    reason: str
    sentence: str


@dataclass(frozen=True)
class ConsoleStatus:
    """A console as the rules see it. `last_seen_at_ms` is 0 if this bridge never heard it."""

    site_id: str
    console_id: str
    last_seen_at_ms: int
    enrolled: bool = False
    hardware_id: str | None = None
    online: bool | None = None  # as last reported by the console, or by the broker for it
    figures: HealthFigures = field(default_factory=HealthFigures)
    health_at_ms: int | None = None  # when the figures were sent; None: the broker had retained them
    heartbeat_ms: int = MINUTE_MS
    lost: int = 0  # events missing for good
    lost_last_day: int = 0  # of those, found missing in the last day
    is_staffed: bool | None = None  # whether a seller is on shift; None: no shifts are known
    settings_revision: int = 0  # the highest that it ever reported
    id_conflicts: tuple[IdConflict, ...] = ()
    retired_at_ms: int | None = None  # since when it is out of service
    is_revoked: bool = False  # whether its credentials were revoked
    board_at: str | None = None  # the other console, heard later, that says that its board is this one's
    has_key: bool | None = False  # whether credentials were issued for it; None if we may not see that
    events_by_mac: Mapping[Mac, MacCount] = field(default_factory=dict)  # its events since it began to sign
    words_by_mac: Mapping[Mac, MacCount] = field(default_factory=dict)  # what it says about itself, likewise
    proves_words: bool = False  # whether it has proved one since it last started
    ignored_revision: int | None = None  # of settings: the last one that was too high to be believed
    ignored_revision_at_ms: int = 0

    @property
    def name(self) -> str:
        """Return SITE/CONSOLE."""
        return f"{self.site_id}/{self.console_id}"

    @property
    def is_awaited(self) -> bool:
        """False if it is out of service, and keeps to that."""
        return self.retired_at_ms is None or self.last_seen_at_ms > self.retired_at_ms

    @property
    def is_proved(self) -> bool:
        """True if each event since the console began to sign is proved to be its own."""
        return set(self.events_by_mac) == {Mac.VALID}

    @property
    def unproved_count(self) -> int | None:
        """Return how many events are not proved to be its own, or None if it never signed."""
        if not self.events_by_mac:
            return None
        return sum(came.total for mac, came in self.events_by_mac.items() if mac is not Mac.VALID)

    @property
    def words_proved_at_ms(self) -> int | None:
        """Return when the console last proved what it says about itself, or None if it never did."""
        proved = self.words_by_mac.get(Mac.VALID)
        return None if proved is None else proved.last_at_ms

    @property
    def clock_offset_ms(self) -> int | None:
        """Return how far its clock was ahead of this machine's at its last heartbeat, or None if that is not known."""
        if self.figures.at_ms is None or self.health_at_ms is None:
            return None
        return self.figures.at_ms - self.health_at_ms


def fault_names(faults: Sequence[str]) -> str:
    """Name faults for people: only the first few, as a forged health could otherwise fill pages."""
    names = [fault if len(fault) <= FAULT_LENGTH else f"{fault[:FAULT_LENGTH]}…" for fault in faults[:FAULTS_NAMED]]
    return ", ".join(names) + (f" and {len(faults) - FAULTS_NAMED} more" if len(faults) > FAULTS_NAMED else "")


def health_of(findings: list[Finding]) -> ConsoleHealth:
    """Return the health that these findings, in the order of `rules_that_apply`, amount to."""
    return findings[0].health if findings else ConsoleHealth.GREEN


def deciding_finding(findings: list[Finding]) -> Finding | None:
    """Return the finding that decided the health, or None if the console is green."""
    return findings[0] if findings and findings[0].health else None
