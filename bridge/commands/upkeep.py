"""`trivox backup`, `trivox doctor` and `trivox console list`: they only read the database."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console as Terminal
from rich.table import Table

from bridge.commands.options import DATABASE, Database
from bridge.doctor import ago, examine, health_of
from bridge.errors import DatabaseError
from bridge.store import condition, open_store

PLAIN_WIDTH = 160

console_app = typer.Typer(help="Consoles.", no_args_is_help=True)


def now_ms() -> int:
    """The time."""
    return time.time_ns() // 1_000_000


def backup(
    file: Annotated[Path, typer.Argument(help="The copy; must not be there yet.")], database: Database = DATABASE
) -> None:
    """Make a consistent copy of the database, also while the bridge writes."""
    if file.exists():
        raise DatabaseError(f"{file} is there already: give another name, or move it away.")
    if not file.absolute().parent.is_dir():
        raise DatabaseError(f"There is no folder {file.absolute().parent}: make it first.")
    store = open_store(database)
    partial = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL, 0o600))
        condition.copy_to(store, partial)
        with partial.open("rb+") as copy:
            os.fsync(copy.fileno())
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
        store.close()
    sys.stdout.write(f"{database} is copied to {file} ({file.stat().st_size} bytes).\n")


def doctor(database: Database = DATABASE) -> None:
    """Say in plain words what is wrong with database, consoles and delivery."""
    store = open_store(database)
    bad = 0
    for finding in examine(store, now_ms()):
        bad += finding.bad
        sys.stdout.write(f"{'!' if finding.bad else ' '} {finding.sentence}\n")
    sys.stdout.write(f"{bad} things to look at.\n" if bad else "All is well.\n")
    store.close()


@console_app.command("list")
def console_list(database: Database = DATABASE) -> None:
    """Show every console that was heard of."""
    store = open_store(database)
    table = Table(header_style="bold")
    headings = ("site", "console", "last heard", "state", "firmware", "board", "hardware", "settings")
    for heading in (*headings, "outbox", "lost", "faults"):
        table.add_column(heading)
    at_ms = now_ms()
    for console in condition.consoles(store):
        health, epochs = health_of(console), condition.epochs(store, console.console_key)
        outbox = health.get("outbox") or {}
        depth = outbox.get("next", 0) - outbox.get("first", 0) if outbox else None
        table.add_row(
            console.site_id,
            console.console_id + ("" if console.enrolled else " (not enrolled)"),
            ago(at_ms - console.last_seen_at_ms) if console.last_seen_at_ms else "never",
            {None: "unknown", 0: "offline", 1: "online"}[console.online],
            str(health.get("firmware", "-")),
            str(health.get("board", "-")),
            str(health.get("hardware_id") or (epochs[-1].hardware_id if epochs else None) or "-"),
            str(console.settings_revision_reported or "-"),
            "-" if depth is None else str(depth),
            str(sum(epoch.lost for epoch in epochs)),
            ", ".join(map(str, health.get("faults") or [])) or "-",
        )
    store.close()
    Terminal(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(table)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(doctor)
    app.add_typer(console_app, name="console")
