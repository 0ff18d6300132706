"""`trivox question list` and `trivox settings list`: show what was defined and chosen."""

from __future__ import annotations

import json

import typer

from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line
from bridge.cli.shared_groups import join, question_app, settings_app
from bridge.store import open_store
from bridge.store import settings as settings_table


@question_app.command("list")
def question_list(database: Database = DATABASE) -> None:
    """List all key questions."""
    store = open_store(database)
    for question in settings_table.questions(store).values():
        revision = settings_table.newest_revision(store, question.question_id)
        if revision is None:
            continue
        since = f", {question.silent_weight_on}" if question.silent_weight_on else ""
        print_line(
            f"{question.question_id}, revision {revision.question_revision}, {revision.kind}, "
            f"silent weight {question.silent_weight:g} ({question.silent_weight_origin}{since})"
        )
        for language, text in revision.texts.items():
            print_line(f"  {language}: {text}")
    store.close()


@settings_app.command("list")
def settings_list(database: Database = DATABASE) -> None:
    """List the chosen settings. Those for all consoles come first, then those for sites and consoles."""
    store = open_store(database)
    chosen = settings_table.chosen(store)
    for site_id, console_id, name, value in chosen:
        consoles = f"{site_id}/{console_id}" if console_id else site_id or "all"
        print_line(f"{consoles}: {name}={value if isinstance(value, str) else json.dumps(value)}")
    if not chosen:
        print_line("No settings were chosen: all consoles use the defaults.")
    store.close()


def register(app: typer.Typer) -> None:
    """Add the commands."""
    join(app, "question", question_app)
    join(app, "settings", settings_app)
