"""Compute from the diary what a report must show, without any code of the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.oracle.kpis import Totals
from simulator.oracle.surveys import declarations, surveys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.oracle.facts import ForceMajeure, ReportSetup, TrueCount
    from simulator.oracle.kpis import Row
    from simulator.people.diary import DiaryEntry


def expected_rows(
    diary: Sequence[DiaryEntry],
    setup: ReportSetup,
    by: Sequence[str],
    counts: Iterable[TrueCount] = (),
    force_majeure: ForceMajeure = "default",
) -> list[Row]:
    """Return a row per group, question and revision, as in a JSON report, without intervals and notes."""
    totals = Totals(setup, [by])
    totals.add(surveys(diary, setup.rules), declarations(diary), counts)
    totals.merge()
    return totals.rows(by, force_majeure)
