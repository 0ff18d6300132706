"""Sort a report's rows by a column. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.errors import UsageError
from bridge.reports.formats import COUNTS, INDICES
from bridge.text import printable

if TYPE_CHECKING:
    from bridge.reports.rows import Row

INDEX = "index"
INDEX_NAMES = ("dissatisfaction_index", "emotional_loyalty_index")


def check_column(column: str, group_columns: tuple[str, ...]) -> None:
    """Raise UsageError if there is no such column to sort by."""
    known = (*group_columns, "question_id", "question_revision", "kind", *COUNTS, INDEX, *INDICES)
    if column.removeprefix("-") not in known:
        raise UsageError(f"There is no column {printable(column)!r} to sort by: give one of {', '.join(known)}.")


def sort_rows(rows: list[Row], column: str) -> list[Row]:
    """Return the rows sorted by a column, the lowest first, or the highest if a `-` stands before its name.

    Rows without a value come last, and totals after them. `index` is the index of each row's kind.
    """
    name = column.removeprefix("-")
    totals = [row for row in rows if row.get("total")]
    others = [row for row in rows if not row.get("total")]
    with_value = [row for row in others if _value(row, name) is not None]
    without = [row for row in others if _value(row, name) is None]
    return sorted(with_value, key=lambda row: _value(row, name), reverse=column != name) + without + totals


def _value(row: Row, name: str) -> Any:
    value = next((row[index] for index in INDEX_NAMES if row[index]), None) if name == INDEX else row[name]
    return value["value"] if isinstance(value, dict) else value
