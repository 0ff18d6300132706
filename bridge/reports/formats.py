"""Format a report's rows as JSON or CSV. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.data_formats import to_csv, to_json
from bridge.reports.rows import COUNTS, INDICES

if TYPE_CHECKING:
    from bridge.reports.rows import Row


def as_json(rows: list[Row]) -> str:
    """Return the rows as a JSON list, one object per line."""
    if not rows:
        return "[]\n"
    return "[\n" + ",\n".join(f" {to_json(row)}" for row in rows) + "\n]\n"


def as_csv(rows: list[Row], columns: tuple[str, ...]) -> str:
    """Return the rows as CSV: an index has columns `name`, `name_low` …; settings are JSON, notes joined by `; `."""
    headings = [*columns, "question_id", "question_revision", "kind", *COUNTS]
    flat = [(name, part) for name, parts in INDICES.items() for part in parts]
    names = [name if part == "value" else f"{name}_{part}" for name, part in flat]
    lines: list[list[Any]] = [[*headings, *names, "assessable", "settings", "notes"]]
    for row in rows:
        values = [row[name][part] if row[name] else None for name, part in flat]
        tail = [
            str(row["assessable"]).lower(),
            to_json(row["settings"]),
            "; ".join(row["notes"]),
        ]
        lines.append([*(row[heading] for heading in headings), *values, *tail])
    return to_csv(lines)
