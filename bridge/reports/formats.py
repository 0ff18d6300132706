"""Format a report's rows as JSON or CSV. Pure."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from bridge.reports.rows import COUNTS, INDICES

if TYPE_CHECKING:
    from bridge.reports.rows import Row


def as_json(rows: list[Row]) -> str:
    """Return the rows as a JSON list, one object per line."""
    if not rows:
        return "[]\n"
    return "[\n" + ",\n".join(" " + json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def as_csv(rows: list[Row], columns: tuple[str, ...]) -> str:
    """Return the rows as CSV: an index has columns `name`, `name_low` …; settings are JSON, notes joined by `; `."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    headings = [*columns, "question_id", "question_revision", "kind", *COUNTS]
    flat = [(name, part) for name, parts in INDICES.items() for part in parts]
    names = [name if part == "value" else f"{name}_{part}" for name, part in flat]
    writer.writerow([*headings, *names, "assessable", "settings", "notes"])
    for row in rows:
        values = [row[name][part] if row[name] else None for name, part in flat]
        tail = [
            str(row["assessable"]).lower(),
            json.dumps(row["settings"], ensure_ascii=False),
            "; ".join(row["notes"]),
        ]
        writer.writerow([*(_escape_formula(row[heading]) for heading in headings), *values, *tail])
    return out.getvalue()


def _escape_formula(value: Any) -> Any:
    """Return the value in a form that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
