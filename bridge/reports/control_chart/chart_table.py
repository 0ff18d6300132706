"""Format control charts as a table for the terminal: a line for each chart, or for each point. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bridge.reports.control_chart.points import JUDGED, NO_SURVEYS, NOT_ASSESSABLE, PART, TOO_FEW
from bridge.reports.grid import Column, lay_out
from bridge.reports.notation import decimal, interval
from bridge.reports.table import HEADINGS, NOBODY, RULES_IN_WORDS
from bridge.text import escaped, plural

if TYPE_CHECKING:
    from bridge.reports.control_chart.chart import Row

STATES = {
    JUDGED: "",
    PART: "not complete",
    TOO_FEW: "too few",
    NO_SURVEYS: "no surveys",
    NOT_ASSESSABLE: "not assessable",
}
PARTS_SHOWN = 5
RANKS = {"newest": 7, "surveys": 6, "limits": 1, "centre": 3, "silents": 4, "sigma_z": 8, "judged": 5, "signals": 2}


def as_text(
    rows: list[Row],
    columns: tuple[str, ...],
    *,
    width: int | None,
    each_point: bool = False,
    bold: bool = False,
    has_shapes: bool = True,
) -> str:
    """Return the charts as a table with its footnotes, fitted to `width`; None shows all columns.

    `each_point`: a line for each point in place of one for each chart. Without `has_shapes`, signs are letters alone.
    """
    numbers: dict[str, int] = {}
    for row in rows:
        for note in row["notes"]:
            numbers.setdefault(note, len(numbers) + 1)
    if each_point:
        pairs = [(row, point) for row in rows for point in row["points"]]
        laid = [*_names([row for row, _ in pairs], columns), *_of_points(pairs)]
    else:
        laid = [*_names(rows, columns), *_of_charts(rows, numbers, has_shapes=has_shapes)]
    grid = lay_out(laid, width)
    lines = [f"\x1b[1m{line}\x1b[0m" if bold else line for line in grid.heading] + [*grid.lines, ""]
    texts = [f"({number}) {escaped(note)}" for note, number in numbers.items()]
    if grid.omitted:
        texts.append(f"No room for: {', '.join(grid.omitted)}. --wide shows all columns.")
    texts += [*_parts(rows), *_annotations(rows), _signals_line(rows), *_settings_lines(rows)]
    return "\n".join(lines + [line for text in texts for line in (wrap(text, width) if width else [text])]) + "\n"


def _names(rows: list[Row], columns: tuple[str, ...]) -> list[Column]:
    laid = [
        Column(HEADINGS.get(column, column), [_name(row, column) for row in rows], figures=False) for column in columns
    ]
    if not laid or len({_question(row) for row in rows}) > 1:
        laid.append(Column("question", [_question(row) for row in rows], figures=False))
    return laid


def _name(row: Row, column: str) -> str:
    value = row[column] or (row["seller_id"] if column == "seller_name" else None)
    return str(value) if value else NOBODY.get("seller_id" if column == "seller_name" else column, "-")


def _question(row: Row) -> str:
    revision = "" if row["question_revision"] is None else f" r{row['question_revision']}"
    return f"{row['question_id']}{revision}"


def _of_charts(rows: list[Row], numbers: dict[str, int], *, has_shapes: bool) -> list[Column]:
    newest = [_newest(row) for row in rows]
    silents = Column(
        "centre, silents\nnone to all", [_span(row, "centre_at_k0", "centre_at_k1") for row in rows], RANKS["silents"]
    )
    centre = Column("centre", [_figure(row["centre"]) for row in rows], RANKS["centre"])
    are_estimated = all(row["settings"]["silent_weight_estimate"] for row in rows)
    pair = [centre, silents] if are_estimated else [silents, centre]
    laid = [
        Column("newest", [row["change"]["newest"] or "-" for row in rows], RANKS["newest"], whole=True, figures=False),
        Column("surveys", [str(point["surveys"]) if point else "-" for point in newest], RANKS["surveys"]),
        Column("value", [_figure(point["value"]) if point else "-" for point in newest]),
        Column("limits", [_span(point, "lower_limit", "upper_limit") for point in newest], RANKS["limits"]),
        *(pair if any(row["centre_at_k0"] is not None for row in rows) else [centre]),
        Column("sigma_z", [_figure(row["sigma_z"]) for row in rows], RANKS["sigma_z"]),
        Column("judged", [_judged(row) for row in rows], RANKS["judged"]),
        Column("change", [_signed(row["change"], has_shapes=has_shapes) for row in rows], figures=False),
    ]
    if any(row["target"] for row in rows):
        laid.append(Column("target", [_target(row, has_shapes=has_shapes) for row in rows], figures=False))
    if any(row["signals"] for row in rows):
        laid.append(Column("signals", [_rules(row) for row in rows], RANKS["signals"], figures=False))
    if numbers:
        marks = [" ".join(str(numbers[note]) for note in row["notes"]) for row in rows]
        laid.append(Column("notes", marks, figures=False))
    return laid


def _of_points(pairs: list[tuple[Row, Row]]) -> list[Column]:
    points = [point for _, point in pairs]
    values = ["-" if point["value"] is None else interval(point) for point in points]
    return [
        Column("point", [point["name"].replace(" to ", "\nto ") for point in points], whole=True, figures=False),
        Column("surveys", [str(point["surveys"]) for point in points], 4),
        Column("value, 95 % interval", values, stacked=[_figure(point["value"]) for point in points]),
        Column("limits", [_span(point, "lower_limit", "upper_limit") for point in points], 1),
        Column("range", [str(point["range"]) for point in points], 3),
        Column("left\nout", [str(point["left_out"]) for point in points], 5),
        Column("signal", [_mark(row, point) for row, point in pairs], figures=False),
    ]


def _newest(row: Row) -> Row | None:
    return next((point for point in row["points"] if point["name"] == row["change"]["newest"]), None)


def _figure(value: float | None) -> str:
    return "-" if value is None else decimal(value)


def _span(values: Row | None, low: str, high: str) -> str:
    if values is None or values[low] is None:
        return "-"
    return f"{decimal(values[low])} to {decimal(values[high])}"


def _judged(row: Row) -> str:
    points = [point for point in row["points"] if point["range"] == row["range"] and point["state"] != PART]
    return f"{sum(1 for point in points if point['state'] == JUDGED)} of {len(points)}"


def _signed(said: dict[str, Any], *, has_shapes: bool) -> str:
    sign = said["sign"] if has_shapes else said["sign"][-1]
    return f"{sign} {said['words']}"


def _target(row: Row, *, has_shapes: bool) -> str:
    target = row["target"]
    return f"{_signed(target, has_shapes=has_shapes)} ({target['in_words']})" if target else "-"


def _rules(row: Row) -> str:
    runs = row["runs"]
    words = {
        "newest_beyond_limits": "beyond limits",
        "long_run": f"{runs['longest_run']} in a row",
        "few_crossings": f"{runs['crossings']} crossings",
    }
    return ", ".join(words[signal["rule"]] for signal in row["signals"])


def _mark(row: Row, point: Row) -> str:
    newest = row["change"]["newest"] == point["name"]
    if point["beyond"]:
        return f"{point['beyond']} limits{'' if newest else ', before'}"
    return STATES[point["state"]]


def _parts(rows: list[Row]) -> list[str]:
    names = dict.fromkeys(point["name"] for row in rows for point in row["points"] if point["state"] == PART)
    shown = ", ".join(list(names)[:PARTS_SHOWN]) + (" …" if len(names) > PARTS_SHOWN else "")
    return [f"Not complete, and so not judged: {shown}."] if names else []


def _annotations(rows: list[Row]) -> list[str]:
    found: dict[str, None] = {}
    for note in (note for row in rows for note in row["annotations"]):
        begins = ", begins a new range" if note["begins_range"] else ""
        found[escaped(f"{note['on']}: {note['text']} (annotation {note['annotation_id']}{begins}).")] = None
    return list(found)


def _signals_line(rows: list[Row]) -> str:
    of_all = rows[0]["of_all"]
    of_charts = f"{of_all['with_signals']} of {plural(of_all['charts'], 'chart')}"
    return (
        f"Signals on {of_charts}; chance alone would give {decimal(of_all['expected_false_signals'])}. A signal is the "
        "newest point beyond its limits (3 sigma), an unusually long run on one side of the centre, or too few "
        "crossings of it."
    )


def _settings_lines(rows: list[Row]) -> list[str]:
    lines: dict[str, None] = {}
    for row in rows:
        settings: dict[str, Any] = row["settings"]
        silents = ""
        if row["centre_at_k0"] is not None:
            since = f", {settings['silent_weight_on']}" if settings["silent_weight_on"] else ""
            silents = f" silent weight {settings['silent_weight']:.3g} ({settings['silent_weight_origin']}{since});"
        figure = row["figure"].replace("_", " ")
        rule = RULES_IN_WORDS[settings["force_majeure"]]
        lines[escaped(f"{_question(row)} ({row['kind']}): {figure} by {row['unit']};{silents} {rule}.")] = None
    return list(lines)
