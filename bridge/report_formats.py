"""A report's rows as JSON, CSV or a table for the terminal. Pure."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from bridge.report import COUNTS, INDICES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from bridge.report import Row

PLAIN_WIDTH = 200
"""Columns where the output is no terminal."""

INDEX_HEADINGS = {"dissatisfaction_index": "dissatisfaction", "emotional_loyalty_index": "loyalty"}
RULES_IN_WORDS = {
    "with": "surveys affected by force majeure counted in",
    "without": "surveys affected by force majeure left out",
    "only": "only surveys affected by force majeure",
}


def as_json(rows: list[Row]) -> str:
    """Give the rows as a JSON list, one object a line."""
    if not rows:
        return "[]\n"
    return "[\n" + ",\n".join(" " + json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def as_csv(rows: list[Row], columns: tuple[str, ...]) -> str:
    """Give the rows with flat columns: an index is `name`, `name_low` … ; settings are JSON, notes joined by `; `."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [*columns, "question_id", "question_revision", "kind", *COUNTS]
    flat = [(name, part) for name, parts in INDICES.items() for part in parts]
    names = [name if part == "value" else f"{name}_{part}" for name, part in flat]
    writer.writerow([*heads, *names, "assessable", "settings", "notes"])
    for row in rows:
        values = [row[name][part] if row[name] else None for name, part in flat]
        tail = [
            str(row["assessable"]).lower(),
            json.dumps(row["settings"], ensure_ascii=False),
            "; ".join(row["notes"]),
        ]
        writer.writerow([*(_harmless(row[head]) for head in heads), *values, *tail])
    return out.getvalue()


def _harmless(value: Any) -> Any:
    """Keep a spreadsheet from taking an id for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def as_table(rows: list[Row], columns: tuple[str, ...]) -> RenderableType:
    """Give the rows as a table with its footnotes, and below it what the numbers were computed with."""
    if not rows:
        return Text("There are no surveys in this period.")
    notes: dict[str, int] = {}
    table = Table(title_justify="left", header_style="bold", expand=False)
    for column in columns:
        table.add_column(column.removesuffix("_id").replace("_", " "))
    table.add_column("question")
    for heading in ("surveys", "yes", "no", "can't say", "silent", "error", "force\nmajeure"):
        table.add_column(heading, justify="right")
    for heading in (
        "index (95 % interval)\nsilents none … all dissatisfied",
        "response\nrate",
        "of transactions\nof visitors",
    ):
        table.add_column(heading)
    table.add_column("notes")
    for row in rows:
        numbers = [str(notes.setdefault(note, len(notes) + 1)) for note in row["notes"]]
        table.add_row(
            *("-" if row[column] is None else str(row[column]) for column in columns),
            _question(row),
            *(str(row[name]) for name in ("surveys", "yes", "no", "cant_say", "silent", "error", "force_majeures")),
            _index(row),
            _interval(row["response_rate"]),
            f"{_share(row['exact_conversion'])} of {_known(row['transactions'])}\n"
            f"{_share(row['visitor_coverage'])} of {_known(row['visitors'])}",
            " ".join(f"({number})" for number in numbers),
        )
    footnotes = [Text(f"({number}) {note}") for note, number in notes.items()]
    return Group(table, *footnotes, *map(Text, _computed_with(rows)))


def print_table(rows: list[Row], columns: tuple[str, ...], *, terminal_width: int | None) -> str:
    """Draw the table as text, in colour for a terminal of this width (None: plain, and wide)."""
    out = io.StringIO()
    Console(
        file=out, width=terminal_width or PLAIN_WIDTH, force_terminal=terminal_width is not None, legacy_windows=False
    ).print(as_table(rows, columns))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _question(row: Row) -> str:
    revision = "" if row["question_revision"] is None else f" r{row['question_revision']}"
    return f"{row['question_id']}{revision}\n{row['kind']}"


def _index(row: Row) -> str:
    for name, heading in INDEX_HEADINGS.items():
        index = row[name]
        if index:
            signed = name == "emotional_loyalty_index"
            bounds = f"{_percent(index['at_k0'], signed=signed)} … {_percent(index['at_k1'], signed=signed)}"
            return f"{heading} {_interval(index, signed=signed)}\n{bounds}"
    return "-"


def _interval(estimate: dict[str, float] | None, *, signed: bool = False) -> str:
    if not estimate:
        return "-"
    low, high = (_percent(estimate[bound], signed=signed).removesuffix(" %") for bound in ("low", "high"))
    return f"{_percent(estimate['value'], signed=signed)} ({low} to {high})"


def _percent(value: float, *, signed: bool = False) -> str:
    return f"{100 * value:{'+' if signed else ''}.1f} %"


def _share(ratio: dict[str, Any] | None) -> str:
    return _percent(ratio["value"]) if ratio else "-"


def _known(count: int | None) -> str:
    return "unknown" if count is None else str(count)


def _computed_with(rows: Iterable[Row]) -> list[str]:
    """Tell what each question's numbers rest on, once."""
    lines: dict[str, None] = {}
    for row in rows:
        settings = row["settings"]
        weight = settings["silent_weight"]
        if weight is None:
            silents = "no silent weight"
        else:
            since = f", {settings['silent_weight_on']}" if settings["silent_weight_on"] else ""
            silents = f"silent weight {weight:g} ({settings['silent_weight_origin']}{since})"
        lines[f"{row['question_id']} ({row['kind']}): {silents}; {RULES_IN_WORDS[settings['force_majeure']]}."] = None
    settings = next(iter(rows))["settings"]
    scope, level = settings["force_majeure_scope_s"], settings["force_majeure_level_max"]
    lines[
        f"From {settings['from']} up to, not including, {settings['to']}, local days of each site; force majeure "
        f"touches surveys for {scope} s; a period is assessable up to a force-majeure level of {level:g}."
    ] = None
    return list(lines)
