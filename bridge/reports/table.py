"""Format a report's rows as text: a table, or a paragraph for each row where the terminal is too narrow. Pure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from bridge.rich_terminal import RichTerminal

if TYPE_CHECKING:
    from bridge.reports.rows import Row

PLAIN_WIDTH = 200
"""Width, in columns, where the output is not a terminal."""

UNLIMITED_WIDTH = 10_000
EMPTY = "There are no surveys in this period.\n"
HEADINGS = ("surveys", "yes", "no", "can't say", "silent", "error", "force majeure")
COUNT_KEYS = ("surveys", "yes", "no", "cant_say", "silent", "error", "force_majeures")
INDEX_NAMES = {"dissatisfaction_index": "dissatisfaction", "emotional_loyalty_index": "loyalty"}
RULES_IN_WORDS = {
    "with": "surveys affected by force majeure counted in",
    "without": "surveys affected by force majeure left out",
    "only": "only surveys affected by force majeure",
}


def as_text(rows: list[Row], columns: tuple[str, ...], *, terminal_width: int | None) -> str:
    """Return the rows with their footnotes, and below them the settings that they were computed with.

    Coloured for a terminal of `terminal_width` columns; without colour, and PLAIN_WIDTH wide, if that is None.
    """
    if not rows:
        return EMPTY
    out = io.StringIO()
    width = terminal_width or PLAIN_WIDTH
    console = RichTerminal(out, width=width, force_terminal=terminal_width is not None)
    notes: dict[str, int] = {}
    for row in rows:
        for note in row["notes"]:
            notes.setdefault(note, len(notes) + 1)
    table = _table(rows, columns, notes)
    if console.measure(table, options=console.options.update(width=UNLIMITED_WIDTH)).maximum <= width:
        console.print(table)
        for note, number in notes.items():
            console.print(f"({number}) {note}")
    else:
        for row in rows:
            console.print("\n".join(_paragraph(row, columns)) + "\n")
    for line in _settings_lines(rows):
        console.print(line)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _table(rows: list[Row], columns: tuple[str, ...], notes: dict[str, int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1))
    for column in (*columns, "question"):
        table.add_column(_heading(column), no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for heading in ("index (95 % interval)\nsilents none … all", "answered"):
        table.add_column(heading, no_wrap=True)
    fed = [name for name in ("transactions", "visitors") if any(row[name] is not None for row in rows)]
    for name in fed:
        table.add_column(f"asked, of\n{name}", no_wrap=True)
    table.add_column("notes", no_wrap=True)
    for row in rows:
        estimate, bounds = _index(row)
        table.add_row(
            *(_group(row, column) for column in columns),
            f"{row['question_id']}{_revision(row)}",
            *(str(row[name]) for name in COUNT_KEYS),
            f"{estimate}\n{bounds}" if bounds else estimate,
            _percent(row["response_rate"]["value"]) if row["response_rate"] else "-",
            *(_asked_of(row, name) for name in fed),
            " ".join(str(notes[note]) for note in row["notes"]),
        )
    return table


def _paragraph(row: Row, columns: tuple[str, ...]) -> list[str]:
    names = [f"{_heading(column)} {_group(row, column)}" for column in columns]
    estimate, bounds = _index(row)
    counts = ", ".join(f"{row[name]} {heading}" for name, heading in zip(COUNT_KEYS, HEADINGS, strict=True))
    answered = _interval(row["response_rate"]) if row["response_rate"] else "-"
    fed = [f"  asked {_asked_of(row, name)} {name}" for name in ("transactions", "visitors") if row[name] is not None]
    return [
        ", ".join([*names, f"question {row['question_id']}{_revision(row)}"]),
        f"  {estimate}" + (f", silents none … all: {bounds}" if bounds else ""),
        f"  {counts}",
        f"  answered {answered}",
        *fed,
        *(f"  note: {note}" for note in row["notes"]),
    ]


def _heading(column: str) -> str:
    return column.removesuffix("_id").replace("_", " ")


def _group(row: Row, column: str) -> str:
    return "-" if row[column] is None else str(row[column])


def _revision(row: Row) -> str:
    return "" if row["question_revision"] is None else f" r{row['question_revision']}"


def _index(row: Row) -> tuple[str, str]:
    """Return the index with its interval, and its silent bounds; (`no index`, empty) if the row has none."""
    for name, word in INDEX_NAMES.items():
        if row[name]:
            signed = name == "emotional_loyalty_index"
            bounds = [_percent(row[name][bound], signed=signed) for bound in ("at_k0", "at_k1")]
            return f"{word} {_interval(row[name], signed=signed)}", " … ".join(bounds)
    return "no index", ""


def _interval(estimate: dict[str, float], *, signed: bool = False) -> str:
    low, high = (_percent(estimate[bound], signed=signed).removesuffix(" %") for bound in ("low", "high"))
    return f"{_percent(estimate['value'], signed=signed)} ({low} to {high})"


def _percent(value: float, *, signed: bool = False) -> str:
    return f"{100 * value:{'+' if signed else ''}.1f} %"


def _asked_of(row: Row, name: str) -> str:
    ratio = row["exact_conversion" if name == "transactions" else "visitor_coverage"]
    known = "unknown" if row[name] is None else str(row[name])
    return f"{_percent(ratio['value']) if ratio else '-'} of {known}"


def _settings_lines(rows: list[Row]) -> list[str]:
    """Return a line on the settings of each question, each line once, and one on those of the whole report."""
    lines: dict[str, None] = {}
    for row in rows:
        settings: dict[str, Any] = row["settings"]
        weight, silents = settings["silent_weight"], "no silent weight"
        if weight is not None:
            since = f", {settings['silent_weight_on']}" if settings["silent_weight_on"] else ""
            silents = f"silent weight {weight:g} ({settings['silent_weight_origin']}{since})"
        lines[f"{row['question_id']} ({row['kind']}): {silents}; {RULES_IN_WORDS[settings['force_majeure']]}."] = None
    settings = rows[0]["settings"]
    scope, level = settings["force_majeure_scope_s"], settings["force_majeure_level_max"]
    last = (
        f"From {settings['from']} up to, not including, {settings['to']}, local days of each site; force majeure "
        f"affects surveys for {scope} s; a period is assessable up to a force-majeure level of {level:g}."
    )
    return [*lines, last]
