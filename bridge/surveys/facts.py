"""What ingest finds out, as facts in the past tense: the whole vocabulary that subscribers hear.

A fact is told inside the transaction in which it happened, in the order of the messages; those that sum up many
messages of a transaction are told at its end.
"""

from __future__ import annotations

from msgspec import Struct

from bridge.model.console import ConsoleName
from bridge.wire.contract import Reply
from bridge.wire.health import HealthFigures
from bridge.wire.signature import Mac


class Fact(Struct, frozen=True):
    """Something that happened."""


class ConsoleDiscovered(Fact, frozen=True):
    """A console was heard for the first time."""

    console: ConsoleName


class ConsoleCameOnline(Fact, frozen=True):
    """A console said that it is online; not `is_live` where the broker had kept the message."""

    console: ConsoleName
    is_live: bool


class ConsoleWentOffline(Fact, frozen=True):
    """A console, or the broker for it, said that it is offline."""

    console: ConsoleName


class HealthReported(Fact, frozen=True):
    """A console reported its health; `sent_at_ms` is None where the broker had kept the message."""

    console: ConsoleName
    figures: HealthFigures
    sent_at_ms: int | None


class ReplyReceived(Fact, frozen=True):
    """A console replied to a command or to a piece of an update."""

    console: ConsoleName
    reply: Reply


class EpochBegan(Fact, frozen=True):
    """A console sent under an epoch that is new."""

    console: ConsoleName
    epoch: str


class EpochResumed(Fact, frozen=True):
    """A console sent under an earlier epoch again: two boards may have its id."""

    console: ConsoleName
    epoch: str


class EventsLost(Fact, frozen=True):
    """So many more events of an epoch are missing for good; below 0: so many came after all."""

    console: ConsoleName
    epoch: str
    count: int


class EventsUnproved(Fact, frozen=True):
    """So many events of a console came without proof that it sent them."""

    console: ConsoleName
    mac: Mac
    count: int


class ConsoleHeard(Fact, frozen=True):
    """So many messages of a console came in this transaction, the last at `last_at_ms`."""

    console: ConsoleName
    last_at_ms: int
    messages: int


class StrangerRefused(Fact, frozen=True):
    """So many messages of a console that is not enrolled were refused."""

    console: ConsoleName
    messages: int


class Rejected(Fact, frozen=True):
    """So many messages or events went among the rejects for this reason; one of them came under `example_topic`."""

    reason: str
    count: int
    example_topic: str


class SettingsRenewed(Fact, frozen=True):
    """A console gets new settings; `was_ahead`: it used some that this database does not know."""

    console: ConsoleName
    was_ahead: bool
