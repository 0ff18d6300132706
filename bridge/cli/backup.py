"""`trivox backup` and `trivox restore`: keep the database safe."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line
from bridge.errors import DatabaseError
from bridge.ops.restore import restore as put_back
from bridge.store import open_store
from bridge.store.backup import copy_to, make_file
from bridge.store.faults import SIDECAR_SUFFIXES, sidecar
from bridge.system import sync


def backup(
    file: Annotated[Path, typer.Argument(help="The copy to write; it must not exist yet.")],
    database: Database = DATABASE,
) -> None:
    """Copy the database, even while the bridge writes."""
    for taken in (file, *(sidecar(file, ending) for ending in SIDECAR_SUFFIXES)):
        if taken.exists():
            raise DatabaseError(f"{taken} is there already: give another name, or move it away.")
    if not file.absolute().parent.is_dir():
        raise DatabaseError(f"There is no folder {file.absolute().parent}: create it first.")
    store = open_store(database)
    partial = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        make_file(partial)
        copy_to(store.connection, database, partial)
        sync(partial)
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
        store.close()
    print_line(f"Copied {database} to {file} ({file.stat().st_size} bytes).")


def restore(
    copy: Annotated[
        Path, typer.Argument(help="A copy made by `trivox backup`, or the database that was moved.", readable=False)
    ],
    database: Database = DATABASE,
) -> None:
    """Put a copy in the database's place. End the bridge first; the old database is kept aside.

    A log (`-wal`) whose database was moved away is taken in if it belongs to the copy, and else kept. A copy that the
    bridge saved (`.rescued-`) becomes the database: nothing is left under its old name.
    """
    done = put_back(copy, database, datetime.now(UTC))
    taken = f" and the log {done.taken_log}" if done.taken_log else ""
    old = f"; the old database is kept as {done.old_database}" if done.old_database else ""
    log = f"; a log that does not belong to it is kept as {done.kept_log}" if done.kept_log else ""
    print_line(
        f"Restored {database} from {copy}{taken}{old}{log}. Start the bridge: consoles send again what they hold."
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)
