"""Format a report's rows as JSON or CSV. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.data_formats import to_csv, to_json

if TYPE_CHECKING:
    from bridge.reports.rows import Row

COUNTS = (
    *("surveys", "yes", "no", "cant_say", "silent", "error", "left_out", "affected", "force_majeures"),
    *("transactions", "visitors", "set_aside"),
)
_ESTIMATE = ("value", "low", "high")
_INDEX = (*_ESTIMATE, "at_k0", "at_k1")
INDICES = {
    "dissatisfaction_index": _INDEX,
    "emotional_loyalty_index": _INDEX,
    "index_with": _INDEX,
    "index_without": _INDEX,
    "index_with_set_aside": _INDEX,
    "silent_part": (),
    "response_rate": _ESTIMATE,
    "answered_no_share": _ESTIMATE,
    "exact_conversion": _ESTIMATE,
    "visitor_coverage": _ESTIMATE,
    "force_majeure_level": _ESTIMATE,
}
"""Each index or ratio with the keys of its value; a plain number has none."""


def as_json(rows: list[Row]) -> str:
    """Return the rows as a JSON list, one object per line."""
    if not rows:
        return "[]\n"
    return "[\n" + ",\n".join(f" {to_json(row)}" for row in rows) + "\n]\n"


def as_csv(rows: list[Row], columns: tuple[str, ...]) -> str:
    """Return the rows as CSV: an index has columns `name`, `name_low` …; flags and settings are JSON.

    Notes are joined by `; `.
    """
    headings = [*columns, "question_id", "question_revision", "kind", *COUNTS]
    parts_of = [(name, part) for name, parts in INDICES.items() for part in parts or ("value",)]
    names = [name if part == "value" else f"{name}_{part}" for name, part in parts_of]
    lines: list[list[Any]] = [[*headings, *names, "assessable", "flags", "settings", "notes"]]
    for row in rows:
        tail = [_cell(row["assessable"]), to_json(row["flags"]), to_json(row["settings"]), "; ".join(row["notes"])]
        values = [_part(row[name], part) for name, part in parts_of]
        lines.append([*(_cell(row[heading]) for heading in headings), *values, *tail])
    return to_csv(lines)


def _part(value: Any, part: str) -> Any:
    return value[part] if isinstance(value, dict) else value


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
