"""`trivox console`: a technician's work on consoles."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer
from rich.console import Console as Terminal
from rich.table import Table
from rich.text import Text

from bridge.commands.options import DATABASE, Database
from bridge.control import perform
from bridge.doctor import ago
from bridge.health import read_figures
from bridge.plain import counted, plain
from bridge.store import condition, open_store

PLAIN_WIDTH = 160

console_app = typer.Typer(help="Consoles.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(console_app, name="console")


@console_app.command("list")
def console_list(database: Database = DATABASE) -> None:
    """Show every console that was heard of."""
    store = open_store(database)
    table = Table(header_style="bold")
    headings = ("site", "console", "last heard", "state", "firmware", "board", "hardware", "settings")
    for heading in (*headings, "outbox", "lost", "faults"):
        table.add_column(heading)
    at_ms = time.time_ns() // 1_000_000
    for console in condition.consoles(store):
        said, epochs = read_figures(console.health), condition.epochs(store, console.console_key)
        cells = (
            console.site_id,
            console.console_id + ("" if console.enrolled else " (not enrolled)"),
            ago(at_ms - console.last_seen_at_ms) if console.last_seen_at_ms else "never",
            {None: "unknown", 0: "offline", 1: "online"}[console.online],
            said.firmware or "-",
            said.board or "-",
            said.hardware_id or plain((epochs[-1].hardware_id if epochs else None) or "-"),
            str(console.settings_revision_reported or "-"),
            "-" if said.outbox is None else str(said.outbox),
            str(sum(epoch.lost for epoch in epochs)),
            ", ".join(said.faults) or "-",
        )
        table.add_row(*map(Text, cells))
    store.close()
    Terminal(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(table)


@console_app.command("enroll")
def console_enroll(
    consoles: Annotated[list[str], typer.Argument(metavar="SITE/CONSOLE…")], database: Database = DATABASE
) -> None:
    """Take consoles in by name, so that a bridge with --enrolled-only listens to them."""
    perform(database, "enroll_consoles", {"consoles": consoles})
    sys.stdout.write(
        f"{counted(len(consoles), 'console')} enrolled; `trivox rebuild` takes in what was refused before.\n"
    )
