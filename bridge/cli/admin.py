"""Commands that set who, where and what is asked; a running bridge does their work, or they do it themselves."""

from __future__ import annotations

import json
import sys
from datetime import date
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
from bridge.cli.groups import join, question_app
from bridge.cli.options import DATABASE, ConsoleOption, Database, ForAll, Site, scope, text_of
from bridge.errors import UsageError
from bridge.service.control import perform
from bridge.store import open_store
from bridge.store import settings as settings_table
from bridge.text import plural

settings_app = typer.Typer(help="Settings of consoles.", no_args_is_help=True)
site_app = typer.Typer(help="Sites.", no_args_is_help=True)
checkout_point_app = typer.Typer(help="Which console stands where.", no_args_is_help=True)
shift_app = typer.Typer(help="Who was on shift.", no_args_is_help=True)
counts_app = typer.Typer(help="Transactions and visitors.", no_args_is_help=True)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _told(result: dict[str, Any]) -> str:
    count = result["told"]
    return f"{count} console{' gets' if count == 1 else 's get'} new settings."


def _pairs(given: list[str], what: str) -> dict[str, str]:
    """Read NAME=VALUE arguments."""
    pairs: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name.strip() or not value.strip():
            raise UsageError(f"{text!r} is no {what}.")
        if name.strip() in pairs:
            raise UsageError(f"{name.strip()} is given twice: give it once.")
        pairs[name.strip()] = value.strip()
    return pairs


@question_app.command("set")
def question_set(
    question_id: Annotated[str, typer.Argument(metavar="ID", help="The question's id, such as staff.")],
    kind: Annotated[str | None, typer.Option(help="personnel, office or loyalty.")] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="LANGUAGE=TEXT", help="The text; give every language. Other text is a new revision."),
    ] = None,
    silent_weight: Annotated[float | None, typer.Option(help="How dissatisfied a silent counts, 0 to 1.")] = None,
    silent_weight_origin: Annotated[str | None, typer.Option(help="Where that value comes from.")] = None,
    silent_weight_on: Annotated[str | None, typer.Option(metavar="DATE", help="Since when it is known.")] = None,
    site: Site = None,
    console: ConsoleOption = None,
    for_all: ForAll = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Define or change a key question, and give it to consoles."""
    result = perform(
        database,
        SetQuestion(
            question_id=question_id,
            kind=kind,
            texts=_pairs(text or [], 'text such as en="Are you satisfied?"'),
            silent_weight=silent_weight,
            silent_weight_origin=silent_weight_origin,
            silent_weight_on=silent_weight_on,
            assign=scope(site, console, for_all=for_all),
        ),
    )
    _say(f"Key question {question_id} has revision {result['question_revision']}; {_told(result)}")


@question_app.command("list")
def question_list(database: Database = DATABASE) -> None:
    """Show all key questions."""
    store = open_store(database)
    for question in settings_table.questions(store).values():
        revision = settings_table.newest_revision(store, question.question_id)
        if revision is None:
            continue
        since = f", {question.silent_weight_on}" if question.silent_weight_on else ""
        _say(
            f"{question.question_id}, revision {revision.question_revision}, {revision.kind}, "
            f"silent weight {question.silent_weight:g} ({question.silent_weight_origin}{since})"
        )
        for language, words in revision.texts.items():
            _say(f"  {language}: {words}")
    store.close()


@settings_app.command("set")
def settings_set(
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="Such as survey_window_ms=15000.")],
    site: Site = None,
    console: ConsoleOption = None,
    for_all: ForAll = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Choose settings for a console, a site or all; VALUE `default` takes a choice back."""
    chosen_for = scope(site, console, for_all=for_all)
    if chosen_for is None:
        raise UsageError("Say for whom: --console SITE/CONSOLE, --site SITE or --all.")
    pairs = _pairs(values, "setting such as survey_window_ms=15000")
    result = perform(database, SetSettings(scope=chosen_for, values=pairs))
    _say(f"Done; {_told(result)}")


@settings_app.command("list")
def settings_list(database: Database = DATABASE) -> None:
    """Show what was chosen, the widest first."""
    store = open_store(database)
    chosen = settings_table.chosen(store)
    for site_id, console_id, name, value in chosen:
        whom = f"{site_id}/{console_id}" if console_id else site_id or "all"
        _say(f"{whom}: {name}={value if isinstance(value, str) else json.dumps(value)}")
    if not chosen:
        _say("Nothing was chosen: all consoles use their defaults.")
    store.close()


@site_app.command("set")
def site_set(
    site_id: Annotated[str, typer.Argument(metavar="ID")],
    timezone: Annotated[str, typer.Option(help="Such as Europe/Sofia.")],
    database: Database = DATABASE,
) -> None:
    """Set a site's time zone."""
    perform(database, SetSite(site_id=site_id, timezone=timezone))
    _say(f"Site {site_id} has the time zone {timezone}.")


@site_app.command("import")
def site_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)], database: Database = DATABASE
) -> None:
    """Set many sites' time zones: site_id,timezone."""
    result = perform(database, ImportSites(name=file.name, text=text_of(file)))
    _say(f"{plural(result['sites'], 'site')} imported.")


@checkout_point_app.command("set")
def checkout_point_set(
    site_id: Annotated[str, typer.Argument(metavar="SITE")],
    checkout_point_id: Annotated[str, typer.Argument(metavar="POINT")],
    console: Annotated[str, typer.Option(metavar="ID", help="The console that stands there.")],
    from_day: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DATE",
            help="Since this local day; else since its first event if it stood nowhere before, else since today.",
        ),
    ] = None,
    database: Database = DATABASE,
) -> None:
    """Say which console stands at a checkout point, and since when."""
    try:
        day = None if from_day is None else date.fromisoformat(from_day)
    except ValueError as error:
        raise UsageError(f"--from {from_day!r} is no date: give it as 2026-11-01.") from error
    console_id = console.removeprefix(f"{site_id}/")
    perform(
        database,
        SetCheckoutPoint(site_id=site_id, checkout_point_id=checkout_point_id, console_id=console_id, from_day=day),
    )
    _say(f"Console {site_id}/{console_id} stands at {checkout_point_id}.")


@checkout_point_app.command("import")
def checkout_point_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)], database: Database = DATABASE
) -> None:
    """Say where many consoles stand: site_id,checkout_point_id,console_id and optional from (see set)."""
    result = perform(database, ImportCheckoutPoints(name=file.name, text=text_of(file)))
    _say(f"{plural(result['checkout_points'], 'checkout point')} imported.")


@shift_app.command("import")
def shift_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)], database: Database = DATABASE
) -> None:
    """Take shifts in: site_id,console_id,seller_id,seller_name,started_at,ended_at."""
    result = perform(database, ImportShifts(name=file.name, text=text_of(file)))
    _say(f"{plural(result['shifts'], 'shift')} imported.")


@counts_app.command("import")
def counts_import(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", readable=False)], database: Database = DATABASE
) -> None:
    """Take counts in: site_id,source_id,kind,from,to,count and optional id,checkout_point_id,seller_id."""
    result = perform(database, ImportCounts(name=file.name, text=text_of(file)))
    _say(f"{plural(result['counts'], 'count')} imported.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "question", question_app)
    app.add_typer(settings_app, name="settings")
    app.add_typer(site_app, name="site")
    app.add_typer(checkout_point_app, name="checkout-point")
    app.add_typer(shift_app, name="shift")
    app.add_typer(counts_app, name="counts")
