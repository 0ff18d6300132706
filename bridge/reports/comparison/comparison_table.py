"""Format the rows of a comparison as a table with footnotes, fitted to the terminal. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bridge.reports.comparison.sides import INDEX_NAMES
from bridge.reports.comparison.verdicts import SIGNS, WORDS, is_estimated, signed
from bridge.reports.grid import Column, lay_out
from bridge.reports.notation import bounds, decimal, interval
from bridge.reports.table import HEADINGS, NOBODY, RULES_IN_WORDS
from bridge.text import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.reports.grid import Grid
    from bridge.reports.rows import Row

ID_RANK = 10
SELF_EXPLANATORY = {"better", "worse", "cannot_be_told_apart", "better_than_most", "worse_than_most"}
HOW = {
    "periods": "Better and worse are said only where the 95 % interval of the difference leaves out 0 at the silent "
    "weight and at both of its bounds.",
    "named": "Better and worse are said only where the 95 % interval of the difference leaves out 0 at the silent "
    "weight and at both of its bounds.",
    "pairs": "Better and worse are said of the first of two, where no silent weight changes the order and chance makes "
    "any wrong order in the whole table in at most 5 of 100 tables (Holm).",
    "groups": "Most is more than half of the others. No silent weight changes the order, and chance makes any wrong "
    "order in the whole table in at most 5 of 100 tables (Holm). Within a group they stand by name.",
    "target": "A target is met or missed only where the whole 95 % interval is on one side of it, at the silent weight "
    "and at both of its bounds.",
}


def as_text(rows: list[Row], columns: tuple[str, ...], *, width: int | None, bold: bool = False) -> str:
    """Return the rows as a table with its footnotes, how verdicts are found, and the settings of each question."""
    numbers: dict[str, int] = {}
    for row in rows:
        for note in _notes(row):
            numbers.setdefault(note, len(numbers) + 1)
    grid = _grid(rows, columns, width, numbers)
    lines = [f"\x1b[1m{line}\x1b[0m" if bold else line for line in grid.heading]
    lines += [*grid.lines, ""]
    texts = [f"({number}) {escaped(note)}" for note, number in numbers.items()]
    if grid.omitted:
        texts.append(f"No room for: {', '.join(grid.omitted)}. --wide shows all columns.")
    texts += [*_days(rows), HOW[rows[0]["comparison"]], *_settings_lines(rows)]
    lines += [line for text in texts for line in (wrap(text, width) if width else [text])]
    return "\n".join(lines) + "\n"


def _grid(rows: list[Row], columns: tuple[str, ...], width: int | None, numbers: dict[str, int]) -> Grid:
    laid = [_names(rows, column) for column in columns if _is_shown(rows, column)]
    questions = [_question(row) for row in rows]
    if len(set(questions)) > 1 or not laid:
        laid.append(Column("question", questions, figures=False))
    laid.append(Column("verdict", [_signed_verdict(row["verdict"]) for row in rows], figures=False))
    laid += [column for column in _figures(rows) if any(text != "-" for text in column.texts)]
    if numbers:
        marks = [" ".join(str(numbers[note]) for note in _notes(row)) for row in rows]
        laid.append(Column("notes", marks, figures=False))
    return lay_out(laid, width)


def _figures(rows: list[Row]) -> Iterator[Column]:
    """Yield the columns of figures; those that have none are not shown."""
    difference = Column(
        "difference,\n95 % interval",
        [_of(row["difference"], _difference) for row in rows],
        1,
        stacked=[_of(row["difference"], _stacked_difference) for row in rows],
    )
    silents = Column("difference,\nsilents\nnone to all", [_silent_differences(row) for row in rows], 2)
    yield from (difference, silents) if all(is_estimated(row["settings"]) for row in rows) else (silents, difference)
    has_others = any(row["with"] for row in rows)
    for side, called, rank in (("this", "this index" if has_others else "index", 3), ("with", "other index", 3)):
        indices = [_index(row[side]) for row in rows]
        yield Column(
            f"{called},\n95 % interval",
            [_of(index, interval) for index in indices],
            rank,
            stacked=[_of(index, _stacked) for index in indices],
        )
    yield Column("empirical\nBayes", [_of(row["empirical_bayes"], interval) for row in rows], 4)
    for side, called in (("this", ""), ("with", "other\n")):
        yield Column(f"{called}surveys", [_of(row[side], lambda found: str(found["surveys"])) for row in rows], 5)
    yield Column("target", [_targets(row) for row in rows], 4, figures=False)
    for side, called in (("this", ""), ("with", "other ")):
        yield Column(f"{called}silents\nnone to all", [_of(_index(row[side]), bounds) for row in rows], 9)
        yield Column(f"{called}response\nrate", [_ratio(row[side], "response_rate") for row in rows], 7)
        yield Column(f"{called}exact\nconversion", [_ratio(row[side], "exact_conversion") for row in rows], 8)


def _is_shown(rows: list[Row], column: str) -> bool:
    """Return whether a column of names is shown: ids only where names do not tell sellers apart."""
    if column.removeprefix("with_") != "seller_name":
        return True
    return any(row[column] for row in rows)


def _names(rows: list[Row], column: str) -> Column:
    id_column = column.removeprefix("with_")
    heading = HEADINGS.get(id_column, id_column.replace("_", " "))
    is_other = column != id_column
    texts = [_name(row[column], id_column, is_other=is_other) for row in rows]
    rank = ID_RANK if id_column == "seller_id" and _have_own_names(rows) else 0
    return Column(f"other\n{heading}" if is_other else heading, texts, rank, figures=False)


def _have_own_names(rows: list[Row]) -> bool:
    """Return whether the names of sellers tell them apart, so that their ids need not."""
    sellers = {(row[f"{side}seller_name"], row[f"{side}seller_id"]) for row in rows for side in _sides_of(rows[0])}
    names = [name for name, seller_id in sellers if seller_id is not None]
    return None not in names and len(set(names)) == len(names)


def _sides_of(row: Row) -> list[str]:
    return ["", *(["with_"] if "with_seller_id" in row else [])]


def _name(value: Any, column: str, *, is_other: bool) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return ("-" if is_other else NOBODY.get(column, "-")) if value is None else str(value)


def _question(row: Row) -> str:
    revision = "" if row["question_revision"] is None else f" r{row['question_revision']}"
    return f"{row['question_id']}{revision}"


def _signed_verdict(verdict: str) -> str:
    return f"{SIGNS[verdict].replace(' ', '')} {WORDS[verdict]}"


def _index(side: Row | None) -> Row | None:
    found: Row | None = next((side[name] for name in INDEX_NAMES if side[name]), None) if side else None
    return found


def _of(value: Any, show: Callable[[Any], str]) -> str:
    return show(value) if value else "-"


def _stacked(index: Row) -> str:
    return f"{decimal(index['value'])}\n({bounds(index, 'low', 'high')})"


def _difference(difference: Row) -> str:
    return f"{signed(difference['value'])} ({signed(difference['low'])} to {signed(difference['high'])})"


def _stacked_difference(difference: Row) -> str:
    return _difference(difference).replace(" (", "\n(")


def _silent_differences(row: Row) -> str:
    if not row["difference_at_k0"]:
        return "-"
    return f"{signed(row['difference_at_k0']['value'])} to {signed(row['difference_at_k1']['value'])}"


def _ratio(side: Row | None, name: str) -> str:
    return decimal(side[name]["value"]) if side and side[name] else "-"


def _targets(row: Row) -> str:
    """Return the targets of a row; the verdict on its index by its only target is that of the row."""
    of_index = [part for part in row["targets"] if part["figure"] == row["index"]]
    is_told = row["comparison"] == "target" and len(of_index) == 1
    return "\n".join(_target(part, is_told=is_told and part in of_index) for part in row["targets"]) or "-"


def _target(part: Row, *, is_told: bool) -> str:
    limit = part["at_least"] if part["at_most"] is None else part["at_most"]
    what = "" if limit is None else f"{'≥' if part['at_most'] is None else '≤'} {limit:g}"
    figure = "response rate" if part["figure"] == "response_rate" else ""
    verdict = "" if is_told else _signed_verdict(part["verdict"])
    return " ".join(filter(None, (figure, what, verdict)))


def _notes(row: Row) -> list[str]:
    """Return what is said of a row below the table."""
    notes = [] if row["verdict"] in SELF_EXPLANATORY else [row["words"]]
    notes += [part["words"] for part in row["targets"] if part["words"] not in row["words"]]
    notes += row["notes"]
    for side, called in (("this", ""), ("with", "on the other side: ")):
        notes += [f"{called}{note}" for note in (row[side]["notes"] if row[side] else ())]
    return notes


def _days(rows: list[Row]) -> list[str]:
    """Say which days are compared."""
    told = list(dict.fromkeys(row["days"] for row in rows if row["days"]))
    if told:
        return [f"{days}." for days in told]
    sides = [side for row in rows for side in (row["this"], row["with"]) if side]
    first, end = min(side["from"] for side in sides), max(side["to"] for side in sides)
    return [f"From {first} up to, not including, {end}, local days of each site."]


def _settings_lines(rows: list[Row]) -> list[str]:
    lines: dict[str, None] = {}
    for row in rows:
        settings, index = row["settings"], row["index"]
        named = index.replace("_", " ") if index else "no index"
        better = ", the lower the better" if index == INDEX_NAMES[0] else ", the higher the better" if index else ""
        weight = settings["silent_weight"]
        silents = (
            "no silent weight" if weight is None else f"silent weight {weight:g} ({settings['silent_weight_origin']})"
        )
        rule = RULES_IN_WORDS[settings["force_majeure"]]
        lines[escaped(f"{_question(row)} ({row['kind']}): {named}{better}; {silents}; {rule}.")] = None
    return [*lines]
