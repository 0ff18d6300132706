"""`trivox console`: a technician's work on consoles."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated

import typer
from rich.console import Console as Terminal

from bridge.cli.groups import console_app, join
from bridge.cli.options import DATABASE, Database
from bridge.errors import TrivoxError
from bridge.ops.doctor.console_rules import light_of, rules_that_apply
from bridge.ops.doctor.console_status import roll_call
from bridge.ops.doctor.console_table import Judged, as_objects, as_text
from bridge.store import open_store
from bridge.store.consoles import site_ids
from bridge.text import printable


def register(app: typer.Typer) -> None:
    """Add the command."""
    join(app, "console", console_app)


@console_app.command("list")
def console_list(
    site: Annotated[str | None, typer.Option("--site", help="Only the consoles of this site.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a list of objects.")] = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """Show every console that was heard of, the worst first: red, amber, grey (never heard), green, and why."""
    now_ms = time.time_ns() // 1_000_000
    store = open_store(database)
    try:
        consoles = [console for console in roll_call(store, now_ms) if site in {None, console.site_id}]
        if site is not None and not consoles and site not in site_ids(store):
            raise TrivoxError(f"There is no site {printable(site)!r}: `trivox console list` without --site shows all.")
    finally:
        store.close()
    listed = [Judged(console, rules_that_apply(console, now_ms)) for console in consoles]
    listed.sort(key=lambda judged: (-light_of(judged.signs), judged.console.site_id, judged.console.console_id))
    if as_json:
        sys.stdout.write(json.dumps(as_objects(listed), indent=1) + "\n")
        return
    terminal = Terminal()
    width = terminal.width if terminal.is_terminal else None
    coloured = terminal.is_terminal and terminal.color_system is not None and not terminal.no_color
    sys.stdout.write(as_text(listed, now_ms, width=width, coloured=coloured))
