"""Commands that set questions, settings, sites, checkout points, shifts and counts.

A running bridge carries them out; without one they write the database themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.admin.commands import (
    ImportCheckoutPoints,
    ImportCounts,
    ImportShifts,
    ImportSites,
    SetCheckoutPoint,
    SetQuestion,
    SetSettings,
    SetSite,
)
from bridge.cli.consequences import print_consequences
from bridge.cli.options import DATABASE, ConsoleOption, Database, ForAll, New, Site, day_of, scope, table_of
from bridge.cli.output import print_line, print_made
from bridge.cli.shared_groups import (
    checkout_point_app,
    counts_app,
    join,
    question_app,
    settings_app,
    shift_app,
    site_app,
)
from bridge.errors import UsageError
from bridge.model.local_time import check_zone_of_place
from bridge.service.control import perform
from bridge.text import plural
from bridge.wire.identifiers import check_id


def _renewed(result: dict[str, Any]) -> str:
    """Say how many consoles get new settings."""
    count = result["renewed"]
    return f"{plural(count, 'console')} {'gets' if count == 1 else 'get'} new settings."


def _pairs(arguments: list[str], form: str) -> dict[str, str]:
    """Read NAME=VALUE arguments; `form` describes them in errors. Raises UsageError."""
    pairs: dict[str, str] = {}
    for text in arguments:
        name, separator, value = text.partition("=")
        if not separator or not name.strip() or not value.strip():
            raise UsageError(f"{text!r} is not valid: give {form}.")
        if name.strip() in pairs:
            raise UsageError(f"{name.strip()} is given twice: give it once.")
        pairs[name.strip()] = value.strip()
    return pairs


@question_app.command("set")
def question_set(
    question_id: Annotated[str, typer.Argument(metavar="ID", help="The question's id, such as staff.")],
    kind: Annotated[str | None, typer.Option(help="The kind of question: personnel, office or loyalty.")] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LANGUAGE=TEXT",
            help="The text in a language; repeat it for several. Other languages keep theirs. "
            "A changed text makes a new revision.",
        ),
    ] = None,
    drop_language: Annotated[
        list[str] | None, typer.Option(metavar="LANGUAGE", help="A language to have no text in any more; repeatable.")
    ] = None,
    silent_weight: Annotated[
        float | None, typer.Option(help="How much a silent counts as dissatisfied, from 0 to 1.")
    ] = None,
    silent_weight_origin: Annotated[str | None, typer.Option(help="Where the silent weight comes from.")] = None,
    silent_weight_on: Annotated[
        str | None, typer.Option(metavar="DATE", help="The date of the silent weight, as 2026-11-01.")
    ] = None,
    site: Site = None,
    console: ConsoleOption = None,
    for_all: ForAll = False,  # noqa: FBT002 - options of the command line
    new: New = False,  # noqa: FBT002
    database: Database = DATABASE,
) -> None:
    """Define or change a key question, and assign it to consoles."""
    result = perform(
        database,
        SetQuestion(
            question_id=question_id,
            kind=kind,
            texts=_pairs(text or [], 'LANGUAGE=TEXT, such as en="Are you satisfied?"'),
            drop_languages=drop_language or [],
            silent_weight=silent_weight,
            silent_weight_origin=silent_weight_origin,
            silent_weight_on=silent_weight_on,
            assign=scope(site, console, for_all=for_all),
            new=new,
        ),
    )
    print_made(result)
    print_line(f"Key question {question_id} has revision {result['question_revision']}; {_renewed(result)}")
    print_consequences(result)


@settings_app.command("set")
def settings_set(
    values: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE…", help="A setting, such as survey_window_ms=15000.")
    ],
    site: Site = None,
    console: ConsoleOption = None,
    for_all: ForAll = False,  # noqa: FBT002 - options of the command line
    new: New = False,  # noqa: FBT002
    database: Database = DATABASE,
) -> None:
    """Choose settings for a console, a site or all. The value `default` removes a choice."""
    selected = scope(site, console, for_all=for_all)
    if selected is None:
        raise UsageError("Say which consoles: --console SITE/CONSOLE, --site SITE or --all.")
    pairs = _pairs(values, "NAME=VALUE, such as survey_window_ms=15000")
    result = perform(database, SetSettings(scope=selected, values=pairs, new=new))
    print_made(result)
    print_line(f"Settings chosen; {_renewed(result)}")
    print_consequences(result)


@site_app.command("set")
def site_set(
    site_id: Annotated[str, typer.Argument(metavar="ID", help="The site's id, such as sofia-1.")],
    timezone: Annotated[str, typer.Option(help="A time zone, such as Europe/Sofia.")],
    database: Database = DATABASE,
) -> None:
    """Set a site's time zone."""
    check_id("site", site_id)
    check_zone_of_place(timezone)  # before a database is made for it
    result = perform(database, SetSite(site_id=site_id, timezone=timezone))
    print_made(result)
    print_line(f"Site {site_id} is now in time zone {timezone}.")
    print_consequences(result)


@site_app.command("import")
def site_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)],
    new: New = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Set the time zones of many sites from a CSV file.

    Columns: site_id,timezone.
    """
    result = perform(database, ImportSites(name=file.name, text=table_of(file), new=new))
    print_made(result)
    print_line(f"{plural(result['sites'], 'site')} imported.")
    print_consequences(result)


@checkout_point_app.command("set")
def checkout_point_set(
    site_id: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    checkout_point_id: Annotated[str, typer.Argument(metavar="POINT", help="The checkout point's id.")],
    console: Annotated[str, typer.Option(metavar="ID", help="The console at this checkout point.")],
    from_day: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DATE",
            help="The first local day. [default: its first event if it was placed nowhere before, else today]",
        ),
    ] = None,
    new: New = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Place a console at a checkout point."""
    day = day_of("--from", from_day)
    console_id = console.removeprefix(f"{site_id}/")
    command = SetCheckoutPoint(
        site_id=site_id, checkout_point_id=checkout_point_id, console_id=console_id, from_day=day, new=new
    )
    result = perform(database, command)
    print_made(result)
    print_line(f"Console {site_id}/{console_id} is placed at checkout point {checkout_point_id}.")
    print_consequences(result)


@checkout_point_app.command("import")
def checkout_point_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)],
    new: New = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Place many consoles from a CSV file.

    Columns: site_id,checkout_point_id,console_id and, optionally, from (see `set`).
    """
    result = perform(database, ImportCheckoutPoints(name=file.name, text=table_of(file), new=new))
    print_made(result)
    print_line(f"{plural(result['checkout_points'], 'checkout point')} imported.")
    print_consequences(result)


@shift_app.command("import")
def shift_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)],
    new: New = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Import shifts from a CSV file.

    Columns: site_id,console_id,seller_id,seller_name,started_at,ended_at.
    """
    result = perform(database, ImportShifts(name=file.name, text=table_of(file), new=new))
    print_made(result)
    print_line(f"{plural(result['shifts'], 'shift')} imported.")
    _print_notes(result)
    print_consequences(result, "shift")


@counts_app.command("import")
def counts_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)],
    new: New = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Import transactions and visitors from a CSV file.

    Columns: site_id,source_id,kind,from,to,count and, optionally, id,checkout_point_id,seller_id.
    """
    result = perform(database, ImportCounts(name=file.name, text=table_of(file), new=new))
    print_made(result)
    print_line(f"{plural(result['counts'], 'count')} imported.")
    _print_notes(result)
    print_consequences(result, "count")


def _print_notes(result: dict[str, Any]) -> None:
    for note in result["notes"]:
        print_line(f"Note: {note}.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "question", question_app)
    join(app, "settings", settings_app)
    join(app, "site", site_app)
    join(app, "checkout-point", checkout_point_app)
    join(app, "shift", shift_app)
    join(app, "counts", counts_app)
