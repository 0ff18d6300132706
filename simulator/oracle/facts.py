"""The true facts that the KPIs are computed from, and what reports know in addition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from simulator.people.shop_plan import Rules

ForceMajeure = Literal["default", "with", "without", "only"]


@dataclass(frozen=True)
class QuestionSpec:
    """A key question as reports know it: its kind and its silent weight."""

    kind: Literal["personnel", "office", "loyalty"]
    silent_weight: float = 0.5


class TrueCount(NamedTuple):
    """A count of transactions or visitors; the console or seller is None if the count belongs to none.

    `to_ms` is the end of its interval, not included; None: a sale that was sent by itself.
    """

    kind: Literal["transactions", "visitors"]
    site_id: str
    at_ms: int
    count: int  # type: ignore[assignment]  # nobody needs the tuple's own `count`
    console_id: str | None = None
    seller_id: str | None = None
    to_ms: int | None = None


class TrueSurvey(NamedTuple):
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


class TrueForceMajeure(NamedTuple):
    """A force majeure as it was truly declared."""

    site_id: str
    console_id: str
    at_ms: int
    question_id: str
    question_revision: int
    seller_id: str | None


@dataclass(frozen=True)
class ReportSetup:
    """The facts that reports know in addition to the presses: questions, time zones, checkout points and limits."""

    rules: Rules
    questions: Mapping[str, QuestionSpec]
    zones: Mapping[str, str] = field(default_factory=dict)  # site to time zone; UTC if missing
    checkout_points: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (site, console) to checkout point
    force_majeure_level_max: float = 0.10
    affected_share_max: float = 0.25
