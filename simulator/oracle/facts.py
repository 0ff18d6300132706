"""What truly happened, in the words of a report, and what reports are told besides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from simulator.people.hands import Rules

ForceMajeure = Literal["default", "with", "without", "only"]


@dataclass(frozen=True)
class Question:
    """What the reports know of a key question: its kind and the weight of the silents."""

    kind: Literal["personnel", "office", "loyalty"]
    silent_weight: float = 0.5


class Count(NamedTuple):
    """A figure of transactions or visitors; None where it tells no console or no seller."""

    kind: Literal["transactions", "visitors"]
    site_id: str
    at_ms: int
    count: int  # type: ignore[assignment]  # a tuple's own `count` is of no use here
    console_id: str | None = None
    seller_id: str | None = None


class Survey(NamedTuple):
    """A survey as it truly was."""

    site_id: str
    console_id: str
    opened_at_ms: int
    question_id: str
    question_revision: int
    outcome: str
    ask_every: int
    seller_id: str | None
    affected: bool = False


class Declared(NamedTuple):
    """A force majeure as it was truly declared."""

    site_id: str
    console_id: str
    at_ms: int
    question_id: str
    question_revision: int
    seller_id: str | None


@dataclass(frozen=True)
class World:
    """What the reports are told besides the presses."""

    rules: Rules
    questions: Mapping[str, Question]
    zones: Mapping[str, str] = field(default_factory=dict)  # site to time zone, else UTC
    checkout_points: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (site, console) to point
    force_majeure_level_max: float = 0.10
