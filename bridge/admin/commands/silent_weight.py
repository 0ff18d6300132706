"""Commands that estimate the silent weight of a key question."""

from __future__ import annotations

from datetime import date

from bridge.admin.commands.base import BridgeCommand, CsvImport


class DrawSilents(BridgeCommand, frozen=True):
    """Draw silents of a key question at random out of those of a period of local days; None: a seed is made up."""

    words = "question weight draw"
    question_id: str
    sample: int
    from_day: date
    to_day: date  # the day after the last one
    seed: int | None = None


class EstimateWeight(CsvImport, frozen=True):
    """Estimate the silent weight of a key question from what the silents of a draw answered; None: its latest draw."""

    words = "question weight estimate"
    question_id: str
    draw: int | None = None


Commands = DrawSilents | EstimateWeight
