"""A look into the bridge's database, read-only: the surveys of one console as they stand."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

SHOWN = 50
_QUERY = """
SELECT epoch.epoch, survey.survey, survey.outcome, survey.cause, survey.question_id, survey.question_revision,
       survey.opened_at_ms, survey.closed_at_ms, survey.response_ms, survey.affected
FROM survey JOIN epoch USING (epoch_key) JOIN console ON console.console_key = survey.console_key
WHERE console.site_id = ? AND console.console_id = ?
ORDER BY survey.epoch_key DESC, survey.survey DESC LIMIT ?
"""
_NAMES = (
    "epoch",
    "survey",
    "outcome",
    "cause",
    "question_id",
    "question_revision",
    "opened_at_ms",
    "closed_at_ms",
    "response_ms",
    "affected",
)


class Rows:
    """Tells which rows are new or have changed since it was last asked."""

    def __init__(self, database: Path, site_id: str, console_id: str) -> None:
        self._database = database
        self._who = (site_id, console_id)
        self._known: dict[tuple[str, int], tuple[Any, ...]] = {}

    def news(self) -> list[dict[str, Any]]:
        """Those rows, oldest first; none while there is no database, or it is busy."""
        try:
            with closing(sqlite3.connect(f"{self._database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                found = connection.execute(_QUERY, (*self._who, SHOWN)).fetchall()
        except sqlite3.OperationalError:
            return []
        changed = [row for row in reversed(found) if self._known.get(row[:2]) != row]
        self._known.update((row[:2], row) for row in changed)
        return [dict(zip(_NAMES, row, strict=True)) for row in changed]
