"""`trivox console list`: show every console, the worst first."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from bridge.admin.known_names import KnownNames
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_json, print_line
from bridge.cli.shared_groups import console_app, join
from bridge.data_formats import to_json
from bridge.ops.doctor.console_rules import rules_that_apply
from bridge.ops.doctor.console_status import read_console_statuses
from bridge.ops.doctor.console_table import ConsoleEntry, as_objects, as_text
from bridge.ops.doctor.findings import health_of
from bridge.rich_terminal import RichTerminal
from bridge.store import open_store
from bridge.text import plural


def register(app: typer.Typer) -> None:
    """Add the command."""
    join(app, "console", console_app)


@console_app.command("list")
def console_list(
    site: Annotated[str | None, typer.Option("--site", help="Only the consoles of this site.")] = None,
    retired: Annotated[bool, typer.Option("--all", help="Also those that are retired.")] = False,  # noqa: FBT002 - an option of the command line
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of objects, for programs.")] = False,  # noqa: FBT002 - an option of the command line
    database: Database = DATABASE,
) -> None:
    """List every console in service, the worst first, and why. Red comes before amber, grey (never heard) and green."""
    now_ms = time.time_ns() // 1_000_000
    store = open_store(database)
    try:
        if site is not None:
            KnownNames(store).check_site(site)
        known = [console for console in read_console_statuses(store, now_ms) if site in {None, console.site_id}]
    finally:
        store.close()
    consoles = [console for console in known if retired or console.is_awaited]
    if known and not consoles and not as_json:
        print_line("No console is in service: give --all to list those that are retired.")
        return
    entries = [ConsoleEntry(console, rules_that_apply(console, now_ms)) for console in consoles]
    entries.sort(key=lambda entry: (-health_of(entry.findings), entry.console.site_id, entry.console.console_id))
    if as_json:
        print_json(to_json(as_objects(entries), indent=1) + "\n")
        return
    terminal = RichTerminal()
    if entries or not known:
        terminal.print(as_text(entries, now_ms, width=terminal.width if terminal.is_terminal else None), soft_wrap=True)
    if hidden := len(known) - len(consoles):
        terminal.print(f"{plural(hidden, 'console')} out of service: see them with --all.", soft_wrap=True)
