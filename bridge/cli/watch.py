"""`trivox watch`: show a live table of today."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import DATABASE, Database


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch")(command)


def command(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the table once and exit.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Also save the last table as a picture.", hidden=True)] = None,
    database: Database = DATABASE,
) -> None:
    """Show today's consoles, surveys and indices, live. Ctrl-C ends it."""
    from bridge.reports.live_table import watch  # noqa: PLC0415 - other commands start faster without rich

    watch(database, once=once, svg=svg)
