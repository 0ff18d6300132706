"""`trivox report`: print key figures as a table, JSON or CSV."""

from __future__ import annotations

import os
import sys
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import apsw
import typer

from bridge.admin.commands import SumUp, Sweep
from bridge.cli.options import DATABASE, Database, day_of
from bridge.cli.output import print_csv, print_drawing, print_json, print_line, warn
from bridge.cli.report_filters import limit
from bridge.errors import TrivoxError, UsageError
from bridge.privileges import acting_for
from bridge.reports.days import PERIODS, days_of_period, given_days
from bridge.reports.empty import why_empty
from bridge.reports.formats import as_csv, as_json
from bridge.reports.full_screen import size_of
from bridge.reports.report_query import COLUMNS_OF, ReportQuery
from bridge.reports.rows import report_rows
from bridge.reports.sorting import check_column, sort_rows
from bridge.safe_stream import displayed
from bridge.service.control import perform
from bridge.store import open_store
from bridge.system import may_write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.reports.days import Days
    from bridge.reports.rows import Row


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


class Period(StrEnum):
    """The periods that a report can be asked for by name: the keys of PERIODS."""

    today = "today"
    yesterday = "yesterday"
    this_week = "this-week"
    last_week = "last-week"
    this_month = "this-month"
    last_month = "last-month"
    last_28_days = "last-28-days"


def report(
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day, such as 2026-11-01.")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The day after the last one.")] = None,
    period: Annotated[
        Period | None,
        typer.Option(help="In place of --from and --to: each site's own days. The last 28 days end with yesterday."),
    ] = None,
    by: Annotated[
        str,
        typer.Option(help=f"What to group by: {', '.join(COLUMNS_OF)}; or several, comma-separated.", metavar="GROUPS"),
    ] = "question",
    question: Annotated[str | None, typer.Option(help="Only this key question.", metavar="ID")] = None,
    site: Annotated[list[str] | None, typer.Option(help="Only this site; may be repeated.", metavar="ID")] = None,
    console: Annotated[
        list[str] | None,
        typer.Option(help="Only this console, SITE/CONSOLE, or CONSOLE at any site; may be repeated.", metavar="ID"),
    ] = None,
    seller: Annotated[list[str] | None, typer.Option(help="Only this seller; may be repeated.", metavar="ID")] = None,
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
    total: Annotated[bool, typer.Option("--total", help="Add a total of each key question.")] = False,  # noqa: FBT002
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Sort by this column, the lowest first; with a - before it (--sort=-no), the highest first.",
        ),
    ] = None,
    wide: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--wide", help="Show all columns of the table, also those that the terminal has no room for."),
    ] = False,
    output: Annotated[ReportFormat, typer.Option("--format", help="The output format.")] = ReportFormat.table,
    database: Database = DATABASE,
) -> None:
    """Report the key figures of a period. Group them by seller, console, site, day and more."""
    query = ReportQuery(
        days_of(from_day, to_day, period),
        groups_of(by),
        question,
        merge_revisions=merge_revisions,
        force_majeure=force_majeure.value if force_majeure else None,
    )
    columns = (*query.row_columns, *(("total",) if total else ()))
    if sort is not None:
        check_column(sort, columns)
    open_store(database).close()
    close_lost_surveys(database)
    store = open_store(database)
    try:
        with store.snapshot():
            query = limit(store, query, site or [], console or [], seller or [])
            rows = report_rows(store, query, total=total)
            empty = "" if rows else why_empty(store, query)
    finally:
        store.close()
    rows = rows if sort is None else sort_rows(rows, sort)
    if output is ReportFormat.table and rows:
        _print_table(rows, columns, period, wide=wide)
    else:
        _print(rows, columns, output, empty)


def _print_table(rows: list[Row], columns: tuple[str, ...], period: Period | None, *, wide: bool) -> None:
    from bridge.reports.table import as_text  # noqa: PLC0415 - JSON and CSV are faster without it

    is_terminal = sys.stdout.isatty()
    width = size_of(sys.stdout).columns if is_terminal and not wide else None
    bold = is_terminal and "NO_COLOR" not in os.environ
    print_drawing(
        as_text([_displayed(row) for row in rows], columns, width=width, bold=bold, period=period and period.value)
    )


def _print(rows: list[Row], columns: tuple[str, ...], output: ReportFormat, empty: str) -> None:
    if output is ReportFormat.json:
        print_json(as_json(rows))
    elif output is ReportFormat.csv:
        print_csv(as_csv(rows, columns))
    if empty:
        print_line(empty) if output is ReportFormat.table else warn(empty)


def _displayed(row: Row) -> Row:
    return {name: displayed(value) if isinstance(value, str) else value for name, value in row.items()}


def groups_of(by: str) -> tuple[str, ...]:
    """Read what to group by. Raises UsageError."""
    groups = tuple(name.strip() for name in by.split(","))
    for name in groups:
        if name not in COLUMNS_OF:
            raise UsageError(
                f"--by {name!r} is not a group: give {', '.join(COLUMNS_OF)}, or several, comma-separated."
            )
    return groups


def days_of(from_day: str | None, to_day: str | None, period: Period | None) -> Callable[[str], Days]:
    """Read which days a report is about. Raises UsageError."""
    if period is not None:
        if from_day or to_day:
            raise UsageError("Give --period, or --from and --to, not both.")
        return days_of_period(period.value, time.time_ns() // 1_000_000)
    if from_day is None or to_day is None:
        raise UsageError(
            f"Say which days: --from DATE and --to DATE (the first day not counted), or --period {'|'.join(PERIODS)}."
        )
    return days_between(("--from", from_day), ("--to", to_day))


def days_between(first: tuple[str, str], end: tuple[str, str]) -> Callable[[str], Days]:
    """Read the days from one option's date to another's, each (option, text). Raises UsageError."""
    from_day, to_day = day_of(*first), day_of(*end)
    if from_day is None or to_day is None or to_day <= from_day:
        raise UsageError(f"{' '.join(end)} is not after {' '.join(first)}: {end[0]} is the first day not counted.")
    return given_days(from_day, to_day)


def close_lost_surveys(database: Path) -> None:
    """Close surveys that have been open for over a day as lost, if the database may be written.

    Where much was taken in since the last report, sum it up, too.
    """
    with acting_for(database):
        is_writable = may_write(database) and may_write(database.resolve().parent)
    if is_writable:
        try:
            if perform(database, Sweep())["is_much_stale"]:
                perform(database, SumUp())
        except (TrivoxError, apsw.Error, OSError) as error:
            warn(f"surveys open for over 24 h may be missing from this report: {error}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)
