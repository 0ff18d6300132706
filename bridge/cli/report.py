"""`trivox report`: key figures as a table, JSON or CSV."""

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
from bridge.errors import TrivoxError, UsageError
from bridge.reports.formats import as_csv, as_json
from bridge.reports.rows import COLUMNS_OF, report_rows
from bridge.service.control import perform
from bridge.store import open_store

if TYPE_CHECKING:
    from pathlib import Path


class Format(StrEnum):
    """How a report is shown."""

    table = "table"
    json = "json"
    csv = "csv"


class ForceMajeure(StrEnum):
    """Which surveys count, seen from force majeure."""

    with_affected = "with"
    without_affected = "without"
    only_affected = "only"


def report(
    from_day: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day, as 2026-11-01.")],
    to_day: Annotated[str, typer.Option("--to", metavar="DATE", help="The first day not counted.")],
    by: Annotated[
        str, typer.Option(help=f"Groups: {', '.join(COLUMNS_OF)}, or several, comma-separated.", metavar="GROUPS")
    ] = "question",
    question: Annotated[str | None, typer.Option(help="Only this key question.", metavar="ID")] = None,
    merge_revisions: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--merge-revisions", help="Count all revisions of a question's text together.")
    ] = False,
    force_majeure: Annotated[
        ForceMajeure | None, typer.Option(help="Count surveys affected by force majeure; default: by kind of question.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to show it.")] = Format.table,
    database: Database = DATABASE,
) -> None:
    """Key figures of a period by seller, console, checkout point, site, question, hour, day, week or month."""
    groups = _groups(by)
    days = _day("--from", from_day), _day("--to", to_day)
    if days[1] <= days[0]:
        raise UsageError(f"--to {to_day} is not after --from {from_day}: --to is the first day not counted.")
    open_store(database).close()
    _close_what_is_lost(database)
    store = open_store(database)
    store.run("BEGIN")  # all of the report is of one instant
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
    if output is Format.json:
        sys.stdout.write(as_json(rows))
    elif output is Format.csv:
        sys.stdout.write(as_csv(rows, columns))
    else:
        from bridge.reports.table import as_text  # noqa: PLC0415 - JSON and CSV are there faster without

        width = os.get_terminal_size().columns if sys.stdout.isatty() else None
        sys.stdout.write(as_text(rows, columns, terminal_width=width))


def _groups(by: str) -> tuple[str, ...]:
    groups = tuple(name.strip() for name in by.split(","))
    for name in groups:
        if name not in COLUMNS_OF:
            raise UsageError(f"--by knows no {name!r}: give {', '.join(COLUMNS_OF)}, or several, comma-separated.")
    return groups


def _day(option: str, text: str) -> date:
    try:
        if len(text) == len("2026-11-01"):
            return date.fromisoformat(text)
    except ValueError:
        text = text.strip()
    raise UsageError(f"{option} {text!r} is no date: give it as 2026-11-01.")


def _close_what_is_lost(database: Path) -> None:
    """Have surveys that are open for too long closed as lost, where the database may be written at all."""
    if os.access(database, os.W_OK) and os.access(database.absolute().parent, os.W_OK):
        try:
            perform(database, Sweep())
        except (TrivoxError, apsw.Error, OSError) as error:
            sys.stderr.write(f"trivox: surveys open for over 24 h may still be left out: {error}\n")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)
