"""The rows that events are folded into: surveys and force majeures."""

from __future__ import annotations

from typing import NamedTuple


class SurveyRow(NamedTuple):
    """A survey, in the order of the table's columns."""

    epoch_key: int
    survey: int
    console_key: int
    boot: int
    opened_up_ms: int
    opened_at_ms: int
    closed_at_ms: int | None
    question_id: str
    question_revision: int
    outcome: str
    cause: str | None
    response_ms: int | None
    affected: int
    ask_every: int | None
    seller_id: str | None
    checkout_point_id: str | None
    hour: str
    long: int


class ForceMajeureRow(NamedTuple):
    """A force majeure, in the order of the table's columns."""

    epoch_key: int
    seq: int
    console_key: int
    boot: int
    up_ms: int
    dated_at_ms: int
    survey: int | None
    question_id: str
    question_revision: int
    seller_id: str | None
    checkout_point_id: str | None
    hour: str


class StoredEvent(NamedTuple):
    """An event as the fold reads it back."""

    boot: int
    up_ms: int
    dated_at_ms: int
    raw: str


LONG_SURVEY_MS = 3_600_000  # a survey longer than this, by either clock, is marked long
