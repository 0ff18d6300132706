"""The facts that ingest reports to subscribers, in the past tense.

A fact is reported inside the transaction in which it happened, in the order of the messages. Facts that sum up many
messages of a transaction are reported at its end.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from bridge.model.console import ConsoleName
from bridge.model.survey import ForceMajeureRow, SurveyRow
from bridge.wire.contract import Reply
from bridge.wire.health import HealthFigures
from bridge.wire.signature import Mac


class Fact(Struct, frozen=True):
    """Something that happened."""


Emit = Callable[[Fact], None]


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
    """A console reported its health; `sent_at_ms` is None if the broker had kept the message."""

    console: ConsoleName
    figures: HealthFigures
    sent_at_ms: int | None
    is_proved: bool = False


class ReplyReceived(Fact, frozen=True):
    """A console replied to a command or to a piece of an update."""

    console: ConsoleName
    reply: Reply
    is_proved: bool = False


class SurveysChanged(Fact, frozen=True):
    """Surveys of a console were opened, closed or changed: each as (before, after); before is None if it is new.

    By events, that is, or because their close is lost: a correction by people (shifts, placements, a time zone) and a
    rebuild report nothing. The surveys may be old: consoles send what they kept while the network was away, and
    `trivox ingest` takes in recordings.
    """

    console: ConsoleName
    changes: list[tuple[SurveyRow | None, SurveyRow]]


class ForceMajeuresChanged(Fact, frozen=True):
    """Force majeures were declared or dated again: each as (before, after); before is None if it is new."""

    console: ConsoleName
    changes: list[tuple[ForceMajeureRow | None, ForceMajeureRow]]


class EpochBegan(Fact, frozen=True):
    """A console sent under an epoch that is new."""

    console: ConsoleName
    epoch: str


class EpochResumed(Fact, frozen=True):
    """A console sent under an earlier epoch again: two boards may have its id."""

    console: ConsoleName
    epoch: str


class EventsLost(Fact, frozen=True):
    """`count` more events of an epoch are missing for good; below 0, events came after all."""

    console: ConsoleName
    epoch: str
    count: int


class EventsUnproved(Fact, frozen=True):
    """`count` events of a console came without proof that the console sent them."""

    console: ConsoleName
    mac: Mac
    count: int


class WordsUnproved(Fact, frozen=True):
    """`count` words of a console about itself came without proof that the console said them now."""

    console: ConsoleName
    mac: Mac
    count: int


class ConsoleHeard(Fact, frozen=True):
    """This number of messages came in a console's name; at `last_at_ms` the last that counts as its own (0: none)."""

    console: ConsoleName
    last_at_ms: int
    messages: int


class StrangerRefused(Fact, frozen=True):
    """This number of messages of a console that is not enrolled was refused."""

    console: ConsoleName
    messages: int


class GoneConsoleHeard(Fact, frozen=True):
    """A console that was revoked, retired or removed sent what the broker retains, under this leaf."""

    console: ConsoleName
    leaf: str


class Rejected(Fact, frozen=True):
    """`count` messages or events were rejected for this reason; one of them came under `example_topic`."""

    reason: str
    count: int
    example_topic: str


class SettingsRenewed(Fact, frozen=True):
    """New settings were made for a console; `was_ahead`: it used some that this database does not know."""

    console: ConsoleName
    was_ahead: bool


class IntakeEnded(Fact, frozen=True):
    """All messages of a transaction, or of a part of an import, were taken: surveys and rollups are whole."""


class AlarmRaised(Fact, frozen=True):
    """An alarm was raised, at a checkout point or, if that is None, at a site as a whole."""

    alarm_id: int
    site_id: str
    checkout_point_id: str | None
    answer: str


class AlarmClosed(Fact, frozen=True):
    """An alarm closed by itself, as it has `recovered` or is `quiet`."""

    alarm_id: int
    site_id: str
    checkout_point_id: str | None
    because: str
