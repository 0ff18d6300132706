"""`trivox target`: set, list and remove targets."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.admin.commands import RemoveTarget, SetTarget, TargetOf
from bridge.admin.known_names import KnownNames
from bridge.cli.options import DATABASE, Database, day_of
from bridge.cli.output import print_csv, print_line, print_rows
from bridge.cli.report import ReportFormat
from bridge.cli.shared_groups import join, target_app
from bridge.data_formats import to_csv
from bridge.errors import UsageError
from bridge.model.local_time import utc_date
from bridge.model.target import AT_MOST
from bridge.service.control import perform
from bridge.store import open_store
from bridge.store.targets import every_target
from bridge.text import printable

if TYPE_CHECKING:
    from bridge.model.target import Target

Question = Annotated[str, typer.Option("--question", metavar="ID", help="The key question, such as staff.")]
Figure = Annotated[
    str | None,
    typer.Option("--figure", help="The question's index, or response_rate. [default: index]", show_default=False),
]
OfSite = Annotated[str | None, typer.Option("--site", metavar="ID", help="For this site.")]
OfPoint = Annotated[
    str | None,
    typer.Option("--checkout-point", metavar="SITE/POINT", help="For this checkout point; POINT together with --site."),
]
OfSeller = Annotated[str | None, typer.Option("--seller", metavar="ID", help="For this seller, wherever he works.")]
COLUMNS = (
    *("question_id", "figure", "site_id", "checkout_point_id", "seller_id", "from", "at_most", "at_least"),
    *("set_on", "set_by"),
)


@target_app.command("set", context_settings={"ignore_unknown_options": True})  # -0.2 is a value
def target_set(
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A share, such as 0.25.")],
    question: Question,
    figure: Figure = None,
    site: OfSite = None,
    checkout_point: OfPoint = None,
    seller: OfSeller = None,
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first local day. [default: today]")
    ] = None,
    database: Database = DATABASE,
) -> None:
    """Set a target: the most that a dissatisfaction index may be, or the least of loyalty and response rate.

    It holds for a site, a checkout point, a seller, or, without these, for all who ask the question. The most specific
    one applies: a seller's own before that of his checkout point, then that of his site, then that of all.
    """
    of, day = _of(question, figure, site, checkout_point, seller), day_of("--from", from_day)
    result = perform(database, SetTarget(of=of, value=_number(value), from_day=day))
    print_line(
        f"The target of the {result['figure']} of {question} for {result['scope']} is {result['target']} from "
        f"{result['from']} on."
    )
    if result["past"]:
        print_line("That day has passed: comparisons say that the target was set afterwards.")


@target_app.command("remove")
def target_remove(
    question: Question,
    figure: Figure = None,
    site: OfSite = None,
    checkout_point: OfPoint = None,
    seller: OfSeller = None,
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first local day without it. [default: today]")
    ] = None,
    database: Database = DATABASE,
) -> None:
    """Have no such target from a day on. Until then it stays in force, and the history keeps it."""
    of, day = _of(question, figure, site, checkout_point, seller), day_of("--from", from_day)
    result = perform(database, RemoveTarget(of=of, from_day=day))
    print_line(
        f"The {result['figure']} of {question} has no target of its own for {result['scope']} from {result['from']} "
        f"on; it was {result['target']}."
    )


@target_app.command("list")
def target_list(
    question: Annotated[str | None, typer.Option("--question", metavar="ID", help="Only of this key question.")] = None,
    site: Annotated[str | None, typer.Option("--site", metavar="ID", help="Only of this site.")] = None,
    seller: Annotated[str | None, typer.Option("--seller", metavar="ID", help="Only of this seller.")] = None,
    output: Annotated[ReportFormat, typer.Option("--format", help="The output format.")] = ReportFormat.table,
    database: Database = DATABASE,
) -> None:
    """List all targets; each holds from its day on until the next one of the same, also those of the past."""
    with closing(open_store(database)) as store:
        known = KnownNames(store)
        if question is not None:
            known.check_question(question)
        if site is not None:
            known.check_site(site)
        if seller is not None:
            known.check_seller(seller)
        targets = every_target(store)
    rows = [
        _row(target)
        for target in targets
        if question in {None, target.question_id}
        and site in {None, target.scope.site_id}
        and seller in {None, target.scope.seller_id}
    ]
    if output is ReportFormat.csv:
        print_csv(to_csv([COLUMNS, *(row.values() for row in rows)]))
        return
    empty = "No such target is set: set one with `trivox target set`."
    print_rows(rows, empty, as_json=output is ReportFormat.json)


def _row(target: Target) -> dict[str, Any]:
    most, least = (target.value, None) if AT_MOST[target.figure] else (None, target.value)
    scope = (id_ or None for id_ in target.scope)
    told = (target.from_day.isoformat(), most, least, utc_date(target.set_at_ms), target.set_by)
    return dict(zip(COLUMNS, (target.question_id, target.figure, *scope, *told), strict=True))


def _of(
    question: str, figure: str | None, site: str | None, checkout_point: str | None, seller: str | None
) -> TargetOf:
    if checkout_point is not None and "/" in checkout_point:
        site_of_point, checkout_point = checkout_point.split("/", 1)
        if site not in {None, site_of_point}:
            raise UsageError(
                f"--checkout-point names site {printable(site_of_point)}, but --site says {printable(site or '')}."
            )
        site = site_of_point
    return TargetOf(question, figure, site, checkout_point, seller)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{printable(text)!r} is not a number: give a share such as 0.25.") from error


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "target", target_app)
