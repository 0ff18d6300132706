"""What one transaction of ingest has found out so far: about each console, about each epoch, and in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.model.console import KnownConsole
    from bridge.model.epoch import Epoch
    from bridge.model.survey_rules import DecidingEvents


@dataclass
class IntakeResult:
    """The counts of one transaction; `acks` are (topic, payload) of what to publish after the commit."""

    messages: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    unreadable: int = 0
    acks: list[tuple[str, bytes]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: value for name, value in vars(self).items() if name != "acks"}


class ConsoleInTransaction:
    """A console as this transaction heard it: its messages, the last that shows it is there (0: none), its epochs."""

    __slots__ = ("console", "epochs", "last_at_ms", "messages")

    def __init__(self, console: KnownConsole) -> None:
        self.console = console
        self.messages = self.last_at_ms = 0
        self.epochs: dict[str, EpochInTransaction] = {}

    def note_heard(self, arrived_at_ms: int, *, is_there: bool) -> None:
        """Note a message, and whether it shows that the console is there."""
        self.messages += 1
        if is_there and arrived_at_ms > self.last_at_ms:
            self.last_at_ms = arrived_at_ms


class EpochInTransaction:
    """An epoch as this transaction found it, and the boots whose events may have to be dated again."""

    __slots__ = ("boots", "epoch", "fresh", "highest_before", "is_proved", "moves_settings")

    def __init__(self, epoch: Epoch, fresh: dict[int, DecidingEvents]) -> None:
        self.epoch = epoch
        self.fresh = fresh
        self.highest_before = epoch.received.highest
        self.boots: set[int] = set()
        self.is_proved = False  # whether the batch that is being taken is proved to be the console's
        self.moves_settings = False  # … and whether it may say which settings are in use
