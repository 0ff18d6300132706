"""Format a report's rows as text: a table with footnotes, fitted to the terminal. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bridge.model.local_time import UNITS
from bridge.reports import estimated_weights, kpi
from bridge.reports.feed_notes import BEGUN_BEFORE, WHO
from bridge.reports.grid import Column, Grid, lay_out
from bridge.reports.notation import bounds, decimal, interval
from bridge.reports.notes import UNKNOWN
from bridge.text import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.reports.rows import Row

HEADINGS = {
    "site_id": "site",
    "console_id": "console",
    "checkout_point_id": "checkout point",
    "seller_id": "seller",
    "seller_name": "name",
}
NOBODY = {"seller_id": "(no seller)", "checkout_point_id": "(none)"}
TOTAL = "total"
COUNTS = (
    ("surveys", "surveys", 0),
    ("yes", "yes", 6),
    ("no", "no", 4),
    ("cant_say", "can't\nsay", 12),
    ("silent", "silent", 7),
    ("error", "error", 9),
    ("force_majeures", "force\nmajeure", 10),
)
RATIOS = (
    ("response_rate", "response\nrate", 8),
    ("answered_no_share", "no of\nyes and no", 13),
    ("silent_part", "silents'\npart", 14),
    ("index_with", "index with\naffected", 15),
    ("index_without", "index\nwithout", 16),
)
FEEDS = (
    ("transactions", "exact_conversion", "exact\nconversion", 3),
    ("visitors", "visitor_coverage", "visitor\ncoverage", 3),
)
LEFT_OUT_SOME_RANK, BOUNDS_RANK, FIGURE_RANK, NAME_RANK, LEFT_OUT_RANK = 1, 2, 11, 11, 17
RULES_IN_WORDS = {
    "with": "surveys affected by force majeure counted in",
    "without": "surveys affected by force majeure left out",
    "only": "only surveys affected by force majeure",
}


def as_text(
    rows: list[Row], columns: tuple[str, ...], *, width: int | None, bold: bool = False, period: str | None = None
) -> str:
    """Return the rows as a table with its footnotes, and the settings that they were computed with.

    Nothing but names is folded to keep within `width`; None shows all columns. `period` is the name by which the days
    were asked for, if they were.
    """
    numbers: dict[str, int] = {}
    for row in rows:
        for note in row["notes"]:
            numbers.setdefault(note, len(numbers) + 1)
    grid = survey_grid(rows, columns, width, numbers)
    lines = [f"\x1b[1m{line}\x1b[0m" if bold else line for line in grid.heading]
    lines += [*grid.lines, ""]
    texts = [f"({number}) {escaped(note)}" for note, number in numbers.items()]
    if grid.omitted:
        texts.append(f"No room for: {', '.join(grid.omitted)}. --wide shows all columns.")
    texts += [*_next_steps(rows), *_settings_lines(rows, period)]
    lines += [line for text in texts for line in (wrap(text, width) if width else [text])]
    return "\n".join(lines) + "\n"


def survey_grid(rows: list[Row], columns: tuple[str, ...], width: int | None, numbers: dict[str, int]) -> Grid:
    """Lay out the rows, with the number of each note; without notes, the index itself says that it rests on few."""
    laid = [_names(rows, column) for column in columns if column != TOTAL]
    if len({_question(row) for row in rows}) > 1 or not laid:
        questions = [f"{TOTAL} {_question(row)}" if row.get(TOTAL) and not laid else _question(row) for row in rows]
        laid.append(Column("question", questions, figures=False))
    for name, heading, rank in COUNTS:
        laid.append(Column(heading, [str(row[name]) for row in rows], rank))
    left_out = [str(row["left_out"]) for row in rows]
    laid.append(Column("left\nout", left_out, LEFT_OUT_RANK if set(left_out) == {"0"} else LEFT_OUT_SOME_RANK))
    silents = Column("silents\nnone to all", [_of_index(row, bounds) or "-" for row in rows], BOUNDS_RANK)
    index = Column(
        "index,\n95 % interval",
        [_with_verdict(row, _of_index(row, interval), has_notes=bool(numbers)) for row in rows],
        stacked=[_with_verdict(row, _of_index(row, _stacked), has_notes=bool(numbers)) for row in rows],
    )
    is_estimated = all(_is_estimated(row) for row in rows if row["kind"] != UNKNOWN)
    laid += [index, silents] if is_estimated else [silents, index]
    for name, heading, rank in RATIOS:
        laid.append(Column(heading, [_ratio(row[name]) for row in rows], rank))
    for feed, name, heading, rank in FEEDS:
        if any(row[feed] is not None for row in rows):
            laid.append(Column(feed, [_known(row[feed]) for row in rows], FIGURE_RANK))
            laid.append(Column(heading, [_ratio(row[name]) for row in rows], rank))
    if numbers:
        marks = [" ".join(str(numbers[note]) for note in row["notes"]) for row in rows]
        laid.append(Column("notes", marks, figures=False))
    return lay_out(laid, width)


def _names(rows: list[Row], column: str) -> Column:
    heading = HEADINGS.get(column, column)
    texts = [_name(row, column) for row in rows]
    if column in UNITS:
        shown = _without_offsets(texts) if column == "hour" else texts
        below = [text.replace("T", "\n").replace(" ", "\n") for text in shown] if column == "hour" else None
        return Column(heading, shown, figures=False, whole=True, stacked=below)
    # A name that is known says more than the id beside it, which an import or a till made up, unless two share it.
    is_second = column == "seller_id" and any(row["seller_name"] for row in rows)
    rank = NAME_RANK if is_second and not _share_a_name(rows) else 0
    return Column(f"{heading} id" if is_second else heading, texts, rank, figures=False)


def _share_a_name(rows: list[Row]) -> bool:
    sellers = {(row["seller_name"], row["seller_id"]) for row in rows if row["seller_name"]}
    return len({name for name, _ in sellers}) < len(sellers)


def _without_offsets(hours: list[str]) -> list[str]:
    """Return hours as `2026-11-22 13:00`, unless only their offsets from UTC tell some of them apart."""
    short = [hour[: len("2026-11-22T13:00")].replace("T", " ") for hour in hours]
    return short if len(set(short)) == len(set(hours)) else hours


def _name(row: Row, column: str) -> str:
    if row.get(TOTAL):
        return TOTAL
    value = row[column]
    if column == "seller_name" and value is None:
        value = row["seller_id"]
        column = "seller_id"
    return NOBODY.get(column, "-") if value is None else str(value)


def _question(row: Row) -> str:
    revision = "" if row["question_revision"] is None else f" r{row['question_revision']}"
    return f"{row['question_id']}{revision}"


def _of_index(row: Row, show: Callable[[Any], str]) -> str:
    index = row["dissatisfaction_index"] or row["emotional_loyalty_index"]
    return show(index) if index else ""


def _with_verdict(row: Row, index: str, *, has_notes: bool) -> str:
    text = index or ("no index" if row["kind"] == UNKNOWN else "too few")
    if index and row["surveys"] < kpi.FEW and not has_notes:
        text += "\nfew surveys"
    return text if row["assessable"] else f"{text}\nnot assessable"


def _stacked(index: dict[str, float]) -> str:
    return f"{decimal(index['value'])}\n({bounds(index, 'low', 'high')})"


def _ratio(value: dict[str, float] | float | None) -> str:
    if value is None:
        return "-"
    return decimal(value["value"] if isinstance(value, dict) else value)


def _known(figure: int | None) -> str:
    return "unknown" if figure is None else str(figure)


def _is_estimated(row: Row) -> bool:
    return row["settings"].get("silent_weight_estimate") is not None


def _next_steps(rows: Sequence[Row]) -> list[str]:
    """Return what to do where a whole column is empty."""
    steps = []
    is_unknown = all(row["transactions"] is None and row["visitors"] is None for row in rows)
    if is_unknown and not any(note.endswith(BEGUN_BEFORE) for row in rows for note in row["notes"]):
        of_whom = " of these groups" if WHO & rows[0].keys() else ""
        naming = ", with a checkout point or a seller" if of_whom else ""
        steps.append(
            f"No transactions or visitors{of_whom} are known, so there is no exact conversion: import them with "
            f"`trivox counts import FILE.csv`{naming}."
        )
    groups = [row for row in rows if not row.get(TOTAL)]
    if groups and all("seller_id" in row and row["seller_id"] is None for row in groups):
        steps.append("No seller was on shift: import shifts with `trivox shift import FILE.csv`.")
    if groups and all("checkout_point_id" in row and row["checkout_point_id"] is None for row in groups):
        steps.append(
            "No console stood at a checkout point: place it with `trivox checkout-point set SITE POINT --console ID`."
        )
    return steps


def _settings_lines(rows: list[Row], period: str | None) -> list[str]:
    """Return a line on the settings of each question, each line once, and one on those of the whole report."""
    lines: dict[str, None] = {}
    for row in rows:
        settings: dict[str, Any] = row["settings"]
        weight, silents = settings["silent_weight"], "no silent weight"
        if weight is not None:
            since = f", {settings['silent_weight_on']}" if settings["silent_weight_on"] else ""
            silents = f"silent weight {weight:.3g} ({settings['silent_weight_origin']}{since})"
            if settings["silent_weight_estimate"]:
                silents += f", {estimated_weights.in_words(settings['silent_weight_estimate'])}"
        named = f"{_question(row)} ({row['kind']}): {_index_name(row)}; {silents}"
        lines[escaped(f"{named}; {RULES_IN_WORDS[settings['force_majeure']]}.")] = None
    settings = rows[0]["settings"]
    last = (
        f"{_days_in_words(rows, period)}. Force majeure affects surveys for "
        f"{settings['force_majeure_scope_s']} s. A period is assessable up to a force-majeure level of "
        f"{settings['force_majeure_level_max']:g} and up to a share of {settings['affected_share_max']:g} of surveys "
        "affected."
    )
    return [*lines, last]


def _days_in_words(rows: list[Row], period: str | None) -> str:
    from_day, to_day = min(row["settings"]["from"] for row in rows), max(row["settings"]["to"] for row in rows)
    days = f"rom {from_day} up to, not including, {to_day}"
    zones = {zone for row in rows for zone in row["settings"]["timezones"].values()}
    if period is not None and len(zones) > 1:
        return f"Each site's own days of `{period}`: all sites together f{days}"
    return f"F{days}, local days of each site"


def _index_name(row: Row) -> str:
    kinds = {"loyalty": "emotional loyalty index", "unknown": "no index"}
    return kinds.get(row["kind"], "dissatisfaction index")
