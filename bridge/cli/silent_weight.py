"""`trivox question weight`: estimate the silent weight of a key question by asking silents again."""

from __future__ import annotations

import sys
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge import private_files
from bridge.admin.commands import DrawSilents, EstimateWeight
from bridge.admin.known_names import KnownNames
from bridge.admin.silent_weight import COLUMNS
from bridge.cli.consequences import print_consequences
from bridge.cli.options import DATABASE, Database, day_of, table_of
from bridge.cli.output import print_csv, print_json, print_line, warn
from bridge.cli.shared_groups import join, question_app
from bridge.data_formats import to_csv, to_json
from bridge.errors import UsageError
from bridge.model.local_time import iso_text, local
from bridge.model.silent_weight import ASKED_MIN
from bridge.reports.estimated_weights import described
from bridge.reports.full_screen import size_of
from bridge.reports.grid import Column, lay_out
from bridge.reports.notation import decimal
from bridge.service.control import perform
from bridge.store import open_store
from bridge.store import settings as settings_table
from bridge.store import silent_weight as table
from bridge.text import plural

if TYPE_CHECKING:
    from bridge.store import Store
    from bridge.store.silent_weight import SilentDraw

weight_app = typer.Typer(help="Estimate a silent weight by asking silents again.", no_args_is_help=True)

ROW_COLUMNS = (
    *("question_id", "kind", "draw", "from", "to", "population", "sample", "seed", "drawn_at", "drawn_by"),
    *("estimate", "in_force", "silent_weight", "low", "high", "at_best", "at_worst", "m", "b"),
    *("yes", "no", "cant_say", "unanswered", "variance_between_sellers", "estimated_at", "estimated_by", "file"),
)

Question = Annotated[str, typer.Option("--question", metavar="ID", help="The question's id, such as staff.")]
OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE.csv", readable=False, help="A new file. [default: print it]")
]


class ListFormat(StrEnum):
    """Output formats of the list, and of an estimate."""

    table = "table"
    json = "json"
    csv = "csv"


@weight_app.command("draw")
def weight_draw(
    question_id: Question,
    sample: Annotated[
        int | None, typer.Option(metavar="M", help=f"How many silents to draw; an estimate takes at least {ASKED_MIN}.")
    ] = None,
    from_day: Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first local day.")] = None,
    to_day: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The first local day that no longer counts.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The seed to draw by. [default: made up]")] = None,
    again: Annotated[int | None, typer.Option(metavar="DRAW", help="Write the file of an earlier draw again.")] = None,
    out: OutFile = None,
    database: Database = DATABASE,
) -> None:
    """Draw silents at random to be asked again, and write a CSV file that names them.

    Ask each the same question, and write what he says under `answer`: yes, no or cant_say; nothing if he cannot be
    reached or does not say.
    """
    if out is not None and out.exists():
        raise UsageError(f"{out} is there already, perhaps with answers: give another name.")
    if again is not None:
        if any(option is not None for option in (sample, from_day, to_day, seed)):
            raise UsageError("--again takes a draw as it was made: leave out --sample, --from, --to and --seed.")
        return _write(database, question_id, again, out)
    first, last = day_of("--from", from_day), day_of("--to", to_day)
    if sample is None or first is None or last is None:
        raise UsageError("Say how many silents to draw, and from which days: --sample M --from DAY --to DAY.")
    command = DrawSilents(question_id=question_id, sample=sample, from_day=first, to_day=last, seed=seed)
    if out is None:
        return _write(database, question_id, perform(database, command)["draw"], out)
    with private_files.prepared(out, b""):
        draw = perform(database, command)["draw"]
    return _write(database, question_id, draw, out)


def _write(database: Path, question_id: str, number: int, out: Path | None) -> None:
    """Write the file of a draw, and say how it was drawn."""
    with closing(open_store(database)) as store:
        KnownNames(store).check_question(question_id)
        draw = next((draw for draw in table.draws(store, question_id) if draw.draw == number), None)
        if draw is None:
            raise UsageError(f"There is no draw {number} of {question_id}: see `trivox question weight list`.")
        text = _as_csv(store, draw)
    told = f"Draw {number}: {draw.sample} of {plural(draw.population, 'silent')} of {question_id}, by seed {draw.seed}"
    if out is None:
        print_csv(text)
        warn(f"{told}.")
    else:
        private_files.write(out, text.encode())
        print_line(f"{told}, in {out}.")
    if draw.sample < ASKED_MIN:
        warn(f"No silent weight is estimated from fewer than {ASKED_MIN}: draw more at once.")


def _as_csv(store: Store, draw: SilentDraw) -> str:
    rows = [
        (
            *(silent.survey_id, silent.site_id, silent.console_id, silent.checkout_point_id, silent.seller_id),
            *(iso_text(local(silent.opened_at_ms, silent.timezone)), ""),
        )
        for silent in table.drawn_silents(store, draw.draw)
    ]
    return to_csv([COLUMNS, *rows])


@weight_app.command("estimate")
def weight_estimate(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)],
    question_id: Question,
    draw: Annotated[
        int | None, typer.Option(metavar="DRAW", help="The draw that was asked. [default: the question's latest]")
    ] = None,
    output: Annotated[ListFormat, typer.Option("--format", help="The output format.")] = ListFormat.table,
    database: Database = DATABASE,
) -> None:
    """Estimate the silent weight from what drawn silents answered, and have reports use it.

    Columns: survey_id and answer, which is yes, no, cant_say, or empty for those who gave none; others as drawn.
    """
    text = table_of(file)
    result = perform(database, EstimateWeight(name=file.name, text=text, question_id=question_id, draw=draw))
    if output is ListFormat.json:
        print_json(to_json(result, indent=1) + "\n")
        return
    if output is ListFormat.csv:
        print_csv(to_csv([result, result.values()]))
        return
    for line in _told(question_id, result):
        print_line(line)
    print_consequences(result)


def _told(question_id: str, result: dict[str, Any]) -> list[str]:
    """Say what was found, and how far it goes."""
    weight, low, high, best, worst = (
        decimal(result[name]) for name in ("silent_weight", "low", "high", "at_best", "at_worst")
    )
    answers = (
        f"{result['yes']} yes, {result['no']} no, {result['cant_say']} can't say, {result['unanswered']} no answer"
    )
    first = f"The silent weight of {question_id} is {weight} ({low} to {high}), estimated from {result['m']} silents"
    lines = [f"{first} of draw {result['draw']}: {answers}."]
    if result["unanswered"]:
        lines.append(f"It lies between {best} and {worst}, whatever those without an answer would have said.")
    if result["missing"]:
        count = result["missing"]
        lines.append(f"{plural(count, 'drawn silent')} not in the file: counted as no answer.")
    return lines


@weight_app.command("list")
def weight_list(
    question_id: Annotated[str | None, typer.Option("--question", metavar="ID", help="Only of this question.")] = None,
    output: Annotated[ListFormat, typer.Option("--format", help="The output format.")] = ListFormat.table,
    database: Database = DATABASE,
) -> None:
    """List draws of silents, and what was estimated from them, oldest first."""
    with closing(open_store(database)) as store:
        if question_id is not None:
            KnownNames(store).check_question(question_id)
        rows = _rows(store, question_id)
    if output is ListFormat.json:
        print_json(to_json(rows, indent=1) + "\n")
    elif output is ListFormat.csv:
        print_csv(to_csv([ROW_COLUMNS, *(list(row.values()) for row in rows)]))
    elif rows:
        _print_table(rows)
    else:
        print_line("No silents were drawn yet: draw some with `trivox question weight draw`.")


def _rows(store: Store, question_id: str | None) -> list[dict[str, Any]]:
    """Return a row for each estimate, and for each draw without one."""
    in_force = {question.estimate for question in settings_table.questions(store).values()}
    rows = []
    for draw in table.draws(store, question_id):
        of_draw = {
            **{name: getattr(draw, name) for name in ("question_id", "kind", "draw", "population", "sample", "seed")},
            "from": draw.from_day,
            "to": draw.to_day,
            "drawn_at": _instant(draw.drawn_at_ms),
            "drawn_by": draw.who,
        }
        found = [estimate for estimate in table.estimates(store, draw.question_id) if estimate.draw.draw == draw.draw]
        for estimate in found:
            by = {"estimated_at": _instant(estimate.estimated_at_ms), "estimated_by": estimate.who}
            is_in_force = {"in_force": estimate.estimate in in_force, "file": estimate.file}
            rows.append(of_draw | described(estimate) | by | is_in_force)
        if not found:
            rows.append(of_draw)
    return [{name: row.get(name) for name in ROW_COLUMNS} for row in rows]


def _instant(at_ms: int) -> str:
    return local(at_ms, "UTC").isoformat()


def _print_table(rows: list[dict[str, Any]]) -> None:
    def figure(row: dict[str, Any], *names: str) -> str:
        return "-" if row["silent_weight"] is None else " to ".join(decimal(row[name]) for name in names)

    columns = [
        Column("draw", [str(row["draw"]) for row in rows]),
        Column("question", [row["question_id"] for row in rows], figures=False),
        Column("from", [row["from"] for row in rows], 2),
        Column("to", [row["to"] for row in rows], 2),
        Column("drawn", [str(row["sample"]) for row in rows]),
        Column("of", [str(row["population"]) for row in rows], 3),
        Column("seed", [str(row["seed"]) for row in rows], 5),
        Column("silent\nweight", [figure(row, "silent_weight") for row in rows]),
        Column("95 %\ninterval", [figure(row, "low", "high") for row in rows], 1),
        Column("whatever the\nothers say", [figure(row, "at_best", "at_worst") for row in rows], 1),
        Column("no\nanswer", ["-" if row["unanswered"] is None else str(row["unanswered"]) for row in rows], 2),
        Column("in\nforce", [{None: "-", True: "yes", False: "no"}[row["in_force"]] for row in rows]),
        Column("by", [row["estimated_by"] or row["drawn_by"] for row in rows], 4, figures=False),
    ]
    grid = lay_out(columns, size_of(sys.stdout).columns if sys.stdout.isatty() else None)
    for line in [*grid.heading, *grid.lines]:
        print_line(line)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "question", question_app)
    join(question_app, "weight", weight_app)
