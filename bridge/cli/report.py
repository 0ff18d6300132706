"""`trivox report`: print key figures as a table, JSON or CSV."""

from __future__ import annotations

import os
import sys
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import apsw
import typer

from bridge.admin.commands import Sweep
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_document, print_drawing, warn
from bridge.errors import TrivoxError, UsageError
from bridge.privileges import acting_for
from bridge.reports.formats import as_csv, as_json
from bridge.reports.rows import COLUMNS_OF, report_rows
from bridge.service.control import perform
from bridge.store import open_store
from bridge.system import may_write

if TYPE_CHECKING:
    from pathlib import Path


class ReportFormat(StrEnum):
    """The output formats of a report."""

    table = "table"
    json = "json"
    csv = "csv"


class ForceMajeureFilter(StrEnum):
    """The surveys that a report counts: with those affected by force majeure, without them, or only them."""

    with_affected = "with"
    without_affected = "without"
    only_affected = "only"


def report(
    from_day: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day, such as 2026-11-01.")],
    to_day: Annotated[str, typer.Option("--to", metavar="DATE", help="The day after the last one.")],
    by: Annotated[
        str,
        typer.Option(help=f"What to group by: {', '.join(COLUMNS_OF)}; or several, comma-separated.", metavar="GROUPS"),
    ] = "question",
    question: Annotated[str | None, typer.Option(help="Only this key question.", metavar="ID")] = None,
    merge_revisions: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--merge-revisions", help="Count all revisions of a question's text together.")
    ] = False,
    force_majeure: Annotated[
        ForceMajeureFilter | None,
        typer.Option(
            help="Count surveys affected by force majeure too, leave them out, or count only them. "
            "[default: out for personnel questions, in for office and loyalty]"
        ),
    ] = None,
    output: Annotated[ReportFormat, typer.Option("--format", help="The output format.")] = ReportFormat.table,
    database: Database = DATABASE,
) -> None:
    """Report the key figures of a period. Group them by seller, console, site, day and more."""
    groups = _groups(by)
    days = _day("--from", from_day), _day("--to", to_day)
    if days[1] <= days[0]:
        raise UsageError(f"--to {to_day} is not after --from {from_day}: --to is the first day not counted.")
    open_store(database).close()
    _close_lost_surveys(database)
    store = open_store(database)
    with store.snapshot():
        rows = report_rows(
            store,
            *days,
            groups,
            question,
            merge_revisions=merge_revisions,
            force_majeure=force_majeure.value if force_majeure else None,
        )
    store.close()
    columns = tuple(dict.fromkeys(column for name in groups for column in COLUMNS_OF[name]))
    if output is ReportFormat.json:
        print_document(as_json(rows))
    elif output is ReportFormat.csv:
        print_document(as_csv(rows, columns))
    else:
        from bridge.reports.table import as_text  # noqa: PLC0415 - JSON and CSV are faster without it

        width = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None
        print_drawing(as_text(rows, columns, terminal_width=width))


def _groups(by: str) -> tuple[str, ...]:
    groups = tuple(name.strip() for name in by.split(","))
    for name in groups:
        if name not in COLUMNS_OF:
            raise UsageError(
                f"--by {name!r} is not a group: give {', '.join(COLUMNS_OF)}, or several, comma-separated."
            )
    return groups


def _day(option: str, text: str) -> date:
    try:
        if len(text) == len("2026-11-01"):
            return date.fromisoformat(text)
    except ValueError:
        text = text.strip()
    raise UsageError(f"{option} {text!r} is not a date: give it as 2026-11-01.")


def _close_lost_surveys(database: Path) -> None:
    """Close surveys that have been open for over a day as lost, if the database may be written."""
    with acting_for(database):
        is_writable = may_write(database) and may_write(database.resolve().parent)
    if is_writable:
        try:
            perform(database, Sweep())
        except (TrivoxError, apsw.Error, OSError) as error:
            warn(f"surveys open for over 24 h may be missing from this report: {error}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)
