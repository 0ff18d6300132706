"""A value in the database that nothing of Trivox writes ends a command in one sentence, never in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bridge.office import Office, OfficeTill, at
from tests.support import planted

HUGE = 2**63 - 1
REPORT = ("report", "--from", "2026-11-02", "--to", "2026-12-01")


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("console", "last_seen_at_ms", HUGE, ("console", "list")),
        ("event", "survey", -1, ("rebuild",)),
        ("event", "raw", "[]", ("rebuild",)),
        ("rollup_site_day", "day", "\x1b[31m", REPORT),
        ("question_revision", "text", "[/x]", ("doctor",)),
    ],
)
def test_a_value_that_cannot_be_used_is_told_in_one_sentence(
    tmp_path: Path, table: str, column: str, value: object, words: tuple[str, ...]
) -> None:
    office, till = Office(tmp_path), OfficeTill()
    till.surveys(at("2026-11-02T09:00+00:00"), yes=4, no=2)
    office.take(till)
    office.do("question", "set", "staff", "--text", "en=Were you well served?")
    planted.value(office.database, table, column, value)
    result = office.run(*words)
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert "Trivox cannot use a value that it read" in result.err
    assert f"if somebody has changed the database {office.database}, restore a copy of it" in result.err
    assert "\x1b" not in result.err
