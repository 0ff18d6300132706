"""`trivox flags`: show what the rules watch and flag; set flags, or the surveys that they concern, aside."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import apsw
import typer

from bridge.admin.commands import ComputeFlags, SetFlagAside, SetSurveysAside, TakeFlagBack, TakeSurveysBack
from bridge.admin.flags_set_aside import check_month, check_rule
from bridge.admin.known_names import KnownNames
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_csv, print_drawing, print_json, print_line, warn
from bridge.errors import TrivoxError
from bridge.model.flags.rules import RULE_OF
from bridge.privileges import acting_for
from bridge.reports.flag_rows import FlagQuery, flag_rows
from bridge.reports.formats import as_json
from bridge.reports.full_screen import size_of
from bridge.service.control import perform
from bridge.store import flags as table
from bridge.store import open_store
from bridge.system import may_write
from bridge.text import plural

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.reports.flag_rows import Row
    from bridge.store import Store

flags_app = typer.Typer(
    help="Show what looks wrong in sellers' months; set flags, or the surveys that they concern, aside.",
    invoke_without_command=True,
)

RuleArgument = Annotated[str, typer.Argument(metavar="RULE", help=f"The rule: {', '.join(RULE_OF)}.")]
SellerArgument = Annotated[str, typer.Argument(metavar="SELLER", help="The seller's id.")]
OfMonth = Annotated[
    str | None,
    typer.Option("--month", metavar="MONTH", help="Only in this month, such as 2026-11. [default: where it stands]"),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is shown wherever this counts.")]


class FlagFormat(StrEnum):
    """The output formats of `trivox flags`."""

    table = "table"
    json = "json"
    csv = "csv"


@flags_app.callback()
def flags(
    context: typer.Context,
    month: Annotated[
        str | None,
        typer.Option(
            metavar="MONTH",
            help="Only what is watched or flagged in this month, such as 2026-11. "
            "[default: flags that stand, and the last two months]",
        ),
    ] = None,
    seller: Annotated[list[str] | None, typer.Option(help="Only this seller; may be repeated.", metavar="ID")] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="Only sellers asked at this site; may be repeated.", metavar="ID")
    ] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only this rule; may be repeated.", metavar="RULE")] = None,
    every: Annotated[  # noqa: FBT002 - options of the command line
        bool, typer.Option("--all", help="All months, with what has lapsed and what was set aside.")
    ] = False,
    wide: Annotated[  # noqa: FBT002
        bool, typer.Option("--wide", help="Show all columns, also those that the terminal has no room for.")
    ] = False,
    output: Annotated[FlagFormat, typer.Option("--format", help="The output format.")] = FlagFormat.table,
    database: Database = DATABASE,
) -> None:
    """Show what looks wrong in sellers' months, compared with other sellers'. It takes nothing out of any figure.

    A watch draws audits and has no other consequence. A flag stands once the same rule flags two of three months.
    """
    if context.invoked_subcommand is not None:
        return
    query = FlagQuery(month, tuple(seller or ()), tuple(site or ()), tuple(rule or ()), every)
    with closing(open_store(database)) as store:
        _check(store, query)
    _compute(database)
    with closing(open_store(database)) as store, store.snapshot():
        rows = flag_rows(store, query)
        empty = "" if rows else _why_empty(store, query)
    if output is FlagFormat.json:
        print_json(as_json(rows))
    elif output is FlagFormat.csv:
        from bridge.reports.flag_table import as_csv  # noqa: PLC0415 - each format needs its own

        print_csv(as_csv(rows))
    elif rows:
        _print_table(rows, wide=wide)
    if empty:
        print_line(empty) if output is FlagFormat.table else warn(empty)


def _check(store: Store, query: FlagQuery) -> None:
    """Refuse unknown names. Raises UsageError."""
    known = KnownNames(store)
    if query.month is not None:
        check_month("--month", query.month)
    for seller_id in query.seller_ids:
        known.check_seller(seller_id)
    for site_id in query.site_ids:
        known.check_site(site_id)
    for rule in query.rules:
        check_rule(rule)


def _compute(database: Path) -> None:
    """Compute what is due, if the database may be written."""
    with acting_for(database):
        is_writable = may_write(database) and may_write(database.resolve().parent)
    if is_writable:
        try:
            perform(database, ComputeFlags())
        except (TrivoxError, apsw.Error, OSError) as error:
            warn(f"these are the flags as they were computed last: {error}")
        else:
            return
    with closing(open_store(database)) as store:
        due = table.due_months(store, "")
    if due:
        months = plural(len(due), "month")
        warn(f"{months} changed since the flags were computed, {due[0]} first: run this where you may write")


def _why_empty(store: Store, query: FlagQuery) -> str:
    months = table.computed_months(store)
    if not months:
        return "No month with surveys of sellers is known: import shifts with `trivox shift import FILE.csv`."
    if query.month is not None and query.month not in months:
        return f"There are no surveys of sellers in {query.month}: there are some in {', '.join(months[-12:])}."
    return "Nothing is watched or flagged." if query.every else "Nothing is watched or flagged: --all shows the past."


def _print_table(rows: list[Row], *, wide: bool) -> None:
    from bridge.reports.flag_table import as_text  # noqa: PLC0415 - JSON and CSV are faster without it

    is_terminal = sys.stdout.isatty()
    width = size_of(sys.stdout).columns if is_terminal and not wide else None
    print_drawing(as_text(rows, width=width, bold=is_terminal and "NO_COLOR" not in os.environ))


@flags_app.command("set-aside")
def set_aside(
    rule: RuleArgument, seller: SellerArgument, reason: Reason, month: OfMonth = None, database: Database = DATABASE
) -> None:
    """Set a flag or a watch aside, with a reason.

    It stands on nobody until that is taken back. It is kept, and shown by `trivox flags --all`.
    """
    done = perform(database, SetFlagAside(rule=rule, seller_id=seller, month=month, reason=reason))
    print_line(f"What {rule} says of {seller} is set aside for {', '.join(done['months'])}.")


@flags_app.command("take-back")
def take_back(rule: RuleArgument, seller: SellerArgument, month: OfMonth = None, database: Database = DATABASE) -> None:
    """Take back that a flag was set aside."""
    done = perform(database, TakeFlagBack(rule=rule, seller_id=seller, month=month))
    print_line(f"What {rule} says of {seller} counts again for {', '.join(done['months'])}.")


@flags_app.command("set-surveys-aside")
def set_surveys_aside(
    rule: RuleArgument, seller: SellerArgument, reason: Reason, month: OfMonth = None, database: Database = DATABASE
) -> None:
    """Take the surveys of a flag out of figures.

    Give a reason: each row from which they are missing says so, and has both figures.
    """
    done = perform(database, SetSurveysAside(rule=rule, seller_id=seller, month=month, reason=reason))
    surveys, months = plural(done["surveys"], "survey"), ", ".join(done["months"])
    print_line(f"{surveys} of {seller} that {rule} concerns in {months} are set aside: reports say so.")


@flags_app.command("take-surveys-back")
def take_surveys_back(
    rule: RuleArgument, seller: SellerArgument, month: OfMonth = None, database: Database = DATABASE
) -> None:
    """Put surveys back into the figures.

    These are all that were set aside because of this flag.
    """
    done = perform(database, TakeSurveysBack(rule=rule, seller_id=seller, month=month))
    print_line(f"{plural(done['surveys'], 'survey')} of {seller} count again in {', '.join(done['months'])}.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(flags_app, name="flags")
