"""The `remove` commands, and `trivox console retire`: take back what was mistyped, and what is no longer used."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.admin.commands import (
    ALL_CONSOLES,
    RemoveCheckoutPoint,
    RemoveConsoles,
    RemoveCounts,
    RemoveQuestions,
    RemoveSellers,
    RemoveShifts,
    RemoveSites,
    RetireConsoles,
)
from bridge.cli.consequences import print_consequences, told_losses
from bridge.cli.enrolment import UPDATE_BROKER
from bridge.cli.options import DATABASE, ConsoleOption, Database, ForAll, FromDay, ToDay, day_of, scope
from bridge.cli.output import print_line
from bridge.cli.shared_groups import (
    checkout_point_app,
    console_app,
    counts_app,
    join,
    question_app,
    seller_app,
    shift_app,
    site_app,
)
from bridge.errors import UsageError
from bridge.keyring import Keyring
from bridge.service.control import perform
from bridge.text import plural
from bridge.wire.identifiers import check_name

Consoles = Annotated[list[str], typer.Argument(metavar="SITE/CONSOLE…")]


@console_app.command("retire")
def console_retire(
    consoles: Consoles,
    undo: Annotated[bool, typer.Option("--undo", help="Put them back into service.")] = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Take consoles out of service. What they have sent stays; nobody waits for them any more."""
    changed = perform(database, RetireConsoles(consoles=consoles, undo=undo))["changed"]
    state = "in service again" if undo else "retired"
    for name in dict.fromkeys(consoles):
        print_line(f"Console {name} is {state}." if name in changed else f"Console {name} was {state} before.")
    keyring = Keyring(database)
    logins = [name for name in dict.fromkeys(consoles) if keyring.stamp(*check_name("console", name)) is not None]
    if logins and not undo:
        print_line(
            f"{'Its login stays' if len(logins) == 1 else 'Their logins stay'}: if sold or lost, run `trivox console "
            f"revoke {' '.join(logins)}`."
        )


@console_app.command("remove")
def console_remove(consoles: Consoles, database: Database = DATABASE) -> None:
    """Remove consoles that never sent anything, with their shifts, places, settings and credentials."""
    names = [check_name("console", name) for name in dict.fromkeys(consoles)]
    lost = perform(database, RemoveConsoles(consoles=list(dict.fromkeys(consoles))))["lost"]
    keyring = Keyring(database)
    had_login = [name for name in names if keyring.remove(*name)]
    for name in names:
        with_it = told_losses(lost["/".join(name)], *(["its credentials"] if name in had_login else []))
        print_line(f"Console {'/'.join(name)} is removed{with_it}.")
    if had_login:
        print_line(UPDATE_BROKER)


@site_app.command("remove")
def site_remove(sites: Annotated[list[str], typer.Argument(metavar="SITE…")], database: Database = DATABASE) -> None:
    """Remove sites that nothing was received from, with all that was decided about them."""
    lost = perform(database, RemoveSites(sites=list(dict.fromkeys(sites))))["lost"]
    keyring = Keyring(database)
    logins = [
        "/".join(console) for console in list(keyring.consoles()) if console[0] in sites and keyring.remove(*console)
    ]
    logins += [name for name in keyring.sources() if name.partition("/")[0] in sites and keyring.remove_account(name)]
    for site_id in dict.fromkeys(sites):
        print_line(f"Site {site_id} is removed{told_losses(lost[site_id])}.")
    if logins:
        print_line(f"Their logins are removed too: {', '.join(logins)}.")
        print_line(UPDATE_BROKER)


@checkout_point_app.command("remove")
def checkout_point_remove(
    site_id: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    checkout_point_id: Annotated[str, typer.Argument(metavar="POINT", help="The checkout point's id.")],
    console: Annotated[
        str | None, typer.Option(metavar="ID", help="Only the placements of this console; the point stays.")
    ] = None,
    database: Database = DATABASE,
) -> None:
    """Remove a checkout point with its placements. Its consoles then stand where they stood before."""
    console_id = None if console is None else console.removeprefix(f"{site_id}/")
    command = RemoveCheckoutPoint(site_id=site_id, checkout_point_id=checkout_point_id, console_id=console_id)
    result = perform(database, command)
    placements = plural(result["placements"], "placement")
    if console_id is None:
        print_line(f"Checkout point {site_id}/{checkout_point_id} is removed, and with it {placements}.")
    else:
        print_line(f"{placements} of console {site_id}/{console_id} at {checkout_point_id} removed.")
    print_consequences(result)


@shift_app.command("remove")
def shift_remove(
    site: Annotated[str | None, typer.Option("--site", help="Only shifts at this site.")] = None,
    console: ConsoleOption = None,
    seller: Annotated[str | None, typer.Option("--seller", help="Only shifts of this seller.")] = None,
    from_day: FromDay = None,
    to_day: ToDay = None,
    for_all: ForAll = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Remove shifts. Their surveys then belong to no seller."""
    selected = scope(site, console, for_all=for_all)
    if selected is None and seller is None:
        raise UsageError("Say which shifts: --console SITE/CONSOLE, --site SITE, --seller ID or --all.")
    days = day_of("--from", from_day), day_of("--to", to_day)
    command = RemoveShifts(scope=selected or ALL_CONSOLES, seller_id=seller, from_day=days[0], to_day=days[1])
    result = perform(database, command)
    print_line(f"{plural(result['shifts'], 'shift')} removed.")
    print_consequences(result)


@counts_app.command("remove")
def counts_remove(
    site: Annotated[str, typer.Option("--site", help="The site.")],
    source: Annotated[str | None, typer.Option("--source", help="Only those of this till or people counter.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only transactions, or only visitors.")] = None,
    count_id: Annotated[str | None, typer.Option("--id", help="Only the count with this id.")] = None,
    from_day: FromDay = None,
    to_day: ToDay = None,
    database: Database = DATABASE,
) -> None:
    """Remove counts of transactions and visitors. Those that a till sends again come back."""
    if kind not in {None, "transactions", "visitors"}:
        raise UsageError(f"--kind must be transactions or visitors, not {kind!r}.")
    days = day_of("--from", from_day), day_of("--to", to_day)
    result = perform(
        database,
        RemoveCounts(site_id=site, source_id=source, kind=kind, count_id=count_id, from_day=days[0], to_day=days[1]),
    )
    sums = " and ".join(f"{figure:,} {kind}" for kind, figure in result["sums"].items())
    print_line(f"{plural(result['counts'], 'count')} removed: {sums}.")


@seller_app.command("remove")
def seller_remove(
    sellers: Annotated[list[str], typer.Argument(metavar="SELLER…")], database: Database = DATABASE
) -> None:
    """Remove sellers who have no shifts."""
    perform(database, RemoveSellers(sellers=list(dict.fromkeys(sellers))))
    for seller_id in dict.fromkeys(sellers):
        print_line(f"Seller {seller_id} is removed.")


@question_app.command("remove")
def question_remove(
    questions: Annotated[list[str], typer.Argument(metavar="ID…")], database: Database = DATABASE
) -> None:
    """Remove key questions that nobody was asked."""
    perform(database, RemoveQuestions(questions=list(dict.fromkeys(questions))))
    for question_id in dict.fromkeys(questions):
        print_line(f"Key question {question_id} is removed.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "site", site_app)
    join(app, "checkout-point", checkout_point_app)
    join(app, "shift", shift_app)
    join(app, "counts", counts_app)
    join(app, "seller", seller_app)
    join(app, "question", question_app)
    join(app, "console", console_app)
