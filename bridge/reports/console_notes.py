"""Say in the rows of sites and questions which of their consoles have an impossible ratio: a sum hides them. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from bridge.reports.notes import SUSPECT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.reports.notes import Row

CONSOLES_SHOWN = 3
QUESTION = ("question_id", "question_revision", "kind")


def add_notes(rows: Iterable[Row], console_rows: Iterable[Row]) -> None:
    """Add these notes to rows; `console_rows` are those of the same report by console."""
    suspect: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(dict)
    for row in console_rows:
        notes = [note for note in row["notes"] if note.endswith(SUSPECT)]
        if notes:
            suspect[_question(row)][f"{row['site_id']}/{row['console_id']}"] = notes
    for row in rows:
        told = [
            f"{console}: {note}"
            for console, notes in suspect.get(_question(row), {}).items()
            if console.partition("/")[0] in row["settings"]["timezones"]
            for note in notes
            if note not in row["notes"]
        ]
        row["notes"] += told[:CONSOLES_SHOWN]
        if len(told) > CONSOLES_SHOWN:
            row["notes"].append(f"{len(told) - CONSOLES_SHOWN} more like that (see `--by console`)")


def _question(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in QUESTION)
