"""`trivox chart`: figures over time on control charts, as a table, JSON or CSV."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.options import DATABASE, Database, day_of
from bridge.cli.output import print_csv, print_drawing, print_json, print_line, warn
from bridge.cli.report import ForceMajeureFilter, ReportFormat, close_lost_surveys
from bridge.cli.report_filters import limit
from bridge.errors import UsageError
from bridge.model.local_time import UNITS, local
from bridge.reports.control_chart.chart_formats import as_csv
from bridge.reports.control_chart.charts import ChartQuery, chart_rows, has_surveys
from bridge.reports.control_chart.figures import FIGURES, INDEX
from bridge.reports.control_chart.plain_words import BY_NAME
from bridge.reports.control_chart.units import LAST_BY_DEFAULT, MOST_UNITS, first_day_of_last, units_of
from bridge.reports.days import given_days
from bridge.reports.empty import why_empty
from bridge.reports.formats import as_json
from bridge.reports.full_screen import size_of
from bridge.reports.report_query import COLUMNS_OF, ReportQuery
from bridge.safe_stream import displayed
from bridge.store import open_store, places
from bridge.text import printable

if TYPE_CHECKING:
    from bridge.reports.control_chart.chart import Row
    from bridge.store import Store

GROUPS = tuple(name for name in COLUMNS_OF if name not in UNITS)
LEAST_UNITS = 2
NO_DAYS = (date.min, date.min)  # until the sites are known


class ChartUnitName(StrEnum):
    """The units of time that a chart has points for."""

    day = "day"
    week = "week"
    month = "month"


class ChartFigureName(StrEnum):
    """The figures that can be charted by name: the keys of FIGURES."""

    dissatisfaction_index = "dissatisfaction_index"
    emotional_loyalty_index = "emotional_loyalty_index"
    response_rate = "response_rate"
    answered_no_share = "answered_no_share"
    force_majeure_level = "force_majeure_level"


def chart(
    by: Annotated[
        str, typer.Option(metavar="GROUPS", help=f"A chart for each: {', '.join(GROUPS)}; or several, comma-separated.")
    ] = "question",
    unit: Annotated[ChartUnitName, typer.Option(help="What a point is; days with few surveys are pooled.")] = (
        ChartUnitName.week
    ),
    last: Annotated[
        int | None,
        typer.Option(
            min=LEAST_UNITS,
            max=MOST_UNITS,
            metavar="N",
            help="How many days, weeks or months that are over. [default: 60, 26, 24]",
        ),
    ] = None,
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="In place of --last: the first day.")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The day after the last one.")] = None,
    figure: Annotated[
        ChartFigureName | None,
        typer.Option(
            metavar="FIGURE", help=f"What to chart: {', '.join(FIGURES)}. [default: the index of the question's kind]"
        ),
    ] = None,
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
        typer.Option(help="Count surveys affected by force majeure too, leave them out, or only them, as in `report`."),
    ] = None,
    points: Annotated[bool, typer.Option("--points", help="Show each point in the table.")] = False,  # noqa: FBT002
    wide: Annotated[bool, typer.Option("--wide", help="Show all columns of the table.")] = False,  # noqa: FBT002
    output: Annotated[ReportFormat, typer.Option("--format", help="The output format.")] = ReportFormat.table,
    database: Database = DATABASE,
) -> None:
    """Chart a figure over time: its limits, its signals, and in plain words whether it has changed."""
    time_of_chart = ChartTime(unit.value, last, day_of("--from", from_day), day_of("--to", to_day))
    time_of_chart.check()
    query = ReportQuery(
        given_days(*NO_DAYS),
        _groups(by),
        question,
        merge_revisions=merge_revisions,
        force_majeure=force_majeure.value if force_majeure else None,
    )
    open_store(database).close()
    close_lost_surveys(database)
    store = open_store(database)
    try:
        with store.snapshot():
            query = limit(store, query, site or [], console or [], seller or [])
            chart_query = time_of_chart.of(store, query, figure.value if figure else INDEX)
            rows = chart_rows(store, chart_query)
            empty = "" if rows else _why_no_chart(store, chart_query)
    finally:
        store.close()
    if output is ReportFormat.table and rows:
        _print_table(rows, query.row_columns, each_point=points, wide=wide)
    else:
        _print(rows, query.row_columns, output, empty)


@dataclass(frozen=True)
class ChartTime:
    """The time of a chart as it is asked for."""

    unit: str
    last: int | None
    from_day: date | None
    to_day: date | None

    def check(self) -> None:
        """Raise UsageError if it makes no sense."""
        if (self.from_day or self.to_day) and self.last is not None:
            raise UsageError("Give --last, or --from and --to, not both.")
        if (self.from_day is None) != (self.to_day is None):
            raise UsageError("Give both --from and --to: the first day, and the day after the last one.")
        if self.from_day and self.to_day and self.to_day <= self.from_day:
            raise UsageError(
                f"--to {self.to_day} is not after --from {self.from_day}: --to is the first day not counted."
            )

    def of(self, store: Store, query: ReportQuery, figure: str) -> ChartQuery:
        """Return the query for charts. A day is over when it is over at each of its sites. Raises UsageError."""
        zones = [zone for site_id, zone in places.timezones(store).items() if site_id in (query.site_ids or {site_id})]
        now_ms = time.time_ns() // 1_000_000
        today = min((local(now_ms, zone).date() for zone in zones), default=local(now_ms, "UTC").date())
        from_day = self.from_day or first_day_of_last(self.unit, self.last or LAST_BY_DEFAULT[self.unit], today)
        to_day = self.to_day or today + timedelta(days=1)
        if len(units_of(self.unit, from_day, to_day, today)) > MOST_UNITS + 1:
            raise UsageError(f"A chart has at most {MOST_UNITS} points: give a later --from, or --unit month.")
        return ChartQuery(
            replace(query, days_in=given_days(from_day, to_day)), self.unit, figure, from_day, to_day, today
        )


def _print_table(rows: list[Row], columns: tuple[str, ...], *, each_point: bool, wide: bool) -> None:
    from bridge.reports.control_chart.chart_table import as_text  # noqa: PLC0415 - JSON and CSV are faster without it

    is_terminal = sys.stdout.isatty()
    text = as_text(
        [_displayed(row) for row in rows],
        columns,
        width=size_of(sys.stdout).columns if is_terminal and not wide else None,
        each_point=each_point,
        bold=is_terminal and "NO_COLOR" not in os.environ,
        has_shapes=all(displayed(words.sign) == words.sign for words in BY_NAME.values()),
    )
    print_drawing(text)


def _print(rows: list[Row], columns: tuple[str, ...], output: ReportFormat, empty: str) -> None:
    if output is ReportFormat.json:
        print_json(as_json(rows))
    elif output is ReportFormat.csv:
        print_csv(as_csv(rows, columns))
    if empty:
        print_line(empty) if output is ReportFormat.table else warn(empty)


def _displayed(row: Row) -> Row:
    return {name: displayed(value) if isinstance(value, str) else value for name, value in row.items()}


def _why_no_chart(store: Store, query: ChartQuery) -> str:
    """Say why there is no chart: no surveys, or no question that has the figure."""
    if not has_surveys(store, query):
        return why_empty(store, query.report)
    return (
        f"No key question of this time has the figure {query.figure}: a dissatisfaction index is of personnel and "
        "office questions, an emotional loyalty index of loyalty questions; a question that is not defined has none "
        "(see `trivox question list`)."
    )


def _groups(by: str) -> tuple[str, ...]:
    groups = tuple(name.strip() for name in by.split(","))
    for name in groups:
        if name not in GROUPS:
            raise UsageError(
                f"--by {printable(name)!r} is not a group of charts: give {', '.join(GROUPS)}, or several, "
                "comma-separated."
            )
    return groups


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(chart)
