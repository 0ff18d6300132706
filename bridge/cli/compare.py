"""`trivox compare`: compare periods, sites, sellers and targets, as a table, JSON or CSV."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_csv, print_drawing, print_json, print_line, warn
from bridge.cli.report import (
    ForceMajeureFilter,
    Period,
    ReportFormat,
    close_lost_surveys,
    days_between,
    days_of,
    groups_of,
)
from bridge.cli.report_filters import limit
from bridge.errors import UsageError
from bridge.model.local_time import UNITS
from bridge.reports.comparison.comparison_formats import as_csv
from bridge.reports.comparison.comparison_rows import ComparisonQuery, comparison_rows
from bridge.reports.comparison.period_pair import PeriodPair
from bridge.reports.days import PERIODS, days_of_period
from bridge.reports.empty import why_empty
from bridge.reports.formats import as_json
from bridge.reports.full_screen import size_of
from bridge.reports.report_query import ReportQuery
from bridge.safe_stream import displayed
from bridge.store import open_store, places, report_queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.reports.comparison.comparison_rows import ComparisonKind
    from bridge.reports.days import Days
    from bridge.reports.rows import Row
    from bridge.store import Store

PREVIOUS = "previous"


class CompareAs(StrEnum):
    """How those of a group are compared with each other."""

    groups = "groups"
    pairs = "pairs"


@dataclass(frozen=True)
class _Asked:
    """The options that say what is compared."""

    days: Callable[[str], Days]
    is_given: bool  # as dates, not by the name of a period
    by: tuple[str, ...]
    other: str | None
    other_from: str | None
    other_to: str | None
    with_site: list[str]
    with_seller: list[str]
    target: bool
    compare_as: CompareAs | None

    @property
    def has_other_period(self) -> bool:
        return bool(self.other or self.other_from or self.other_to)

    def kind(self) -> ComparisonKind:
        """Return what kind of comparison this is. Raises UsageError."""
        named = bool(self.with_site or self.with_seller)
        chosen = [
            *(["--with"] if self.has_other_period else []),
            *(["--with-site or --with-seller"] if named else []),
            *(["--target"] if self.target else []),
            *(["--as"] if self.compare_as else []),
        ]
        if len(chosen) > 1:
            raise UsageError(f"One comparison at a time: give only one of {' and '.join(chosen)}.")
        if self.with_site and self.with_seller:
            raise UsageError("One comparison at a time: give --with-site or --with-seller, not both.")
        if self.target:
            return "target"
        if named:
            return "named"
        if self.has_other_period or (self.by == ("question",) and not self.compare_as):
            return "periods"
        if self.by[-1] == "question":
            raise UsageError("Key questions are not compared with each other: end --by with seller, site or the like.")
        if self.compare_as:
            return "groups" if self.compare_as is CompareAs.groups else "pairs"
        return "groups" if self.by[-1] == "seller" else "pairs"


def compare(
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day, such as 2026-11-01.")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The day after the last one.")] = None,
    period: Annotated[
        Period | None, typer.Option(help="In place of --from and --to: each site's own days, as far as they are over.")
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(
            "--with",
            metavar="PERIOD",
            help=f"The period to compare with: {PREVIOUS} (the same weekdays just before), or {', '.join(PERIODS)}. "
            f"[default: {PREVIOUS}, unless --by names who is compared]",
            show_default=False,
        ),
    ] = None,
    other_from: Annotated[
        str | None, typer.Option("--with-from", metavar="DATE", help="In place of --with: the first day.")
    ] = None,
    other_to: Annotated[
        str | None, typer.Option("--with-to", metavar="DATE", help="… and the day after the last one.")
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="GROUPS",
            help="Whom to compare: seller, site, checkout_point, console, question; of several, comma-separated, the "
            "last ones with each other within the others. Sellers are put in groups, others in pairs; with another "
            "period, each is compared with itself.",
        ),
    ] = "question",
    compare_as: Annotated[
        CompareAs | None, typer.Option("--as", help="Put those whom --by names in groups, or compare each pair.")
    ] = None,
    question: Annotated[str | None, typer.Option(help="Only this key question.", metavar="ID")] = None,
    site: Annotated[list[str] | None, typer.Option(help="Only this site; may be repeated.", metavar="ID")] = None,
    with_site: Annotated[
        list[str] | None, typer.Option(help="Compare --site with this site; may be repeated.", metavar="ID")
    ] = None,
    console: Annotated[
        list[str] | None,
        typer.Option(help="Only this console, SITE/CONSOLE, or CONSOLE at any site; may be repeated.", metavar="ID"),
    ] = None,
    seller: Annotated[list[str] | None, typer.Option(help="Only this seller; may be repeated.", metavar="ID")] = None,
    with_seller: Annotated[
        list[str] | None, typer.Option(help="Compare --seller with this seller; may be repeated.", metavar="ID")
    ] = None,
    target: Annotated[bool, typer.Option("--target", help="Compare with the targets in force.")] = False,  # noqa: FBT002 - options of the command line
    merge_revisions: Annotated[  # noqa: FBT002
        bool, typer.Option("--merge-revisions", help="Count all revisions of a question's text together.")
    ] = False,
    force_majeure: Annotated[
        ForceMajeureFilter | None,
        typer.Option(
            help="Count surveys affected by force majeure too, leave them out, or count only them. "
            "[default: out for personnel questions, in for office and loyalty]"
        ),
    ] = None,
    wide: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--wide", help="Show all columns of the table, also those that the terminal has no room for."),
    ] = False,
    output: Annotated[ReportFormat, typer.Option("--format", help="The output format.")] = ReportFormat.table,
    database: Database = DATABASE,
) -> None:
    """Compare a period with another one, sites or sellers with each other, or all with their targets.

    Each verdict rests on the 95 % interval of the difference, whatever the silents think.
    """
    days = days_of(from_day, to_day, period)
    asked = _Asked(
        *(days, period is None, _groups(by), other, other_from, other_to, with_site or [], with_seller or []),
        *(target, compare_as),
    )
    kind = asked.kind()
    query = ReportQuery(
        days,
        asked.by,
        question,
        merge_revisions=merge_revisions,
        force_majeure=force_majeure.value if force_majeure else None,
    )
    open_store(database).close()
    close_lost_surveys(database)
    with closing(open_store(database)) as store, store.snapshot():
        query = limit(store, query, site or [], console or [], seller or [])
        comparison = _comparison(store, kind, query, asked)
        rows = comparison_rows(store, comparison)
        empty = _empty(store, comparison, rows)
    _print(rows, comparison.columns, output, empty, wide=wide)


def _comparison(store: Store, kind: ComparisonKind, query: ReportQuery, asked: _Asked) -> ComparisonQuery:
    if kind == "periods":
        return _of_periods(store, query, asked)
    if kind == "named":
        return _of_named(store, query, asked)
    return ComparisonQuery(kind, query)


def _of_periods(store: Store, query: ReportQuery, asked: _Asked) -> ComparisonQuery:
    now_ms = time.time_ns() // 1_000_000
    last_day = report_queries.last_day_with_surveys(store) if asked.is_given else None
    pair = PeriodPair(asked.days, _other_days(asked, now_ms), now_ms, last_day)
    zones = places.timezones(store)
    pair.check(zone for site_id, zone in zones.items() if query.site_ids is None or site_id in query.site_ids)
    these, others = replace(query, days_in=pair.these_days), replace(query, days_in=pair.other_days)
    return ComparisonQuery("periods", these, others, pair.in_words)


def _other_days(asked: _Asked, now_ms: int) -> Callable[[str], Days] | None:
    if asked.other_from or asked.other_to:
        if asked.other:
            raise UsageError("Give --with, or --with-from and --with-to, not both.")
        if not (asked.other_from and asked.other_to):
            raise UsageError("Give both --with-from DATE and --with-to DATE (the first day not counted).")
        return days_between(("--with-from", asked.other_from), ("--with-to", asked.other_to))
    if asked.other in {None, PREVIOUS}:
        return None
    if asked.other not in PERIODS:
        raise UsageError(f"--with {asked.other!r} is not a period: give {PREVIOUS}, {', '.join(PERIODS)}.")
    return days_of_period(asked.other, now_ms)


def _of_named(store: Store, query: ReportQuery, asked: _Asked) -> ComparisonQuery:
    unit = "site" if asked.with_site else "seller"
    these, others = (query.site_ids, asked.with_site) if asked.with_site else (query.seller_ids, asked.with_seller)
    if not these:
        raise UsageError(f"Say which {unit} to compare with it: --{unit} ID.")
    if both := sorted({*these} & {*others}):
        raise UsageError(f"{unit.capitalize()} {both[0]} is on both sides: compare it with others.")
    if asked.by not in {("question",), (unit,)}:
        raise UsageError(f"With --with-{unit} there is nothing else to group by: leave out --by.")
    query = replace(query, by=())
    other = limit(store, query, asked.with_site, [], asked.with_seller)
    other = replace(other, consoles=query.consoles, site_ids=other.site_ids or query.site_ids)
    return ComparisonQuery("named", query, replace(other, seller_ids=other.seller_ids or query.seller_ids))


def _empty(store: Store, comparison: ComparisonQuery, rows: list[Row]) -> str:
    """Say why there is nothing, on either side, and which days have surveys."""
    if not rows or all(row["this"] is None for row in rows):
        return why_empty(store, comparison.this)
    if comparison.other is not None and all(row["with"] is None for row in rows):
        return why_empty(store, comparison.other)
    return ""


def _print(rows: list[Row], columns: tuple[str, ...], output: ReportFormat, empty: str, *, wide: bool) -> None:
    if output is ReportFormat.json:
        print_json(as_json(rows))
    elif output is ReportFormat.csv:
        print_csv(as_csv(rows, columns))
    elif rows:
        _print_table(rows, columns, wide=wide)
    if empty:
        print_line(empty) if output is ReportFormat.table else warn(empty)


def _print_table(rows: list[Row], columns: tuple[str, ...], *, wide: bool) -> None:
    from bridge.reports.comparison.comparison_table import as_text  # noqa: PLC0415 - JSON and CSV are faster without it

    is_terminal = sys.stdout.isatty()
    width = size_of(sys.stdout).columns if is_terminal and not wide else None
    bold = is_terminal and "NO_COLOR" not in os.environ
    shown = [
        {name: displayed(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows
    ]
    print_drawing(as_text(shown, columns, width=width, bold=bold))


def _groups(by: str) -> tuple[str, ...]:
    groups = groups_of(by)
    if times := [name for name in groups if name in UNITS]:
        raise UsageError(
            f"--by {times[0]} is a time: to compare times give --period and --with. Or see `trivox report --by {by}`."
        )
    return groups


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)
