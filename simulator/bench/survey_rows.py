"""Read the surveys of one console from the bridge's database, read-only."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

ROWS_MAX = 50
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


class SurveyRows:
    """The newest survey rows of one console, as they were at the last look."""

    def __init__(self, database: Path, site_id: str, console_id: str) -> None:
        self._database = database
        self._console = (site_id, console_id)
        self._known: dict[tuple[str, int], tuple[Any, ...]] | None = None

    def changes(self) -> list[dict[str, Any]]:
        """Return the rows that are new or have changed since the last call, oldest first; the first ones are `old`.

        Empty while the database does not exist or is busy.
        """
        try:
            with closing(sqlite3.connect(f"{self._database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                rows = connection.execute(_QUERY, (*self._console, ROWS_MAX)).fetchall()
        except sqlite3.OperationalError:
            return []
        known = self._known or {}
        changed = [row for row in reversed(rows) if known.get(row[:2]) != row]
        is_old = self._known is None
        self._known = known | {row[:2]: row for row in changed}
        return [{**dict(zip(_NAMES, row, strict=True)), "old": is_old} for row in changed]
