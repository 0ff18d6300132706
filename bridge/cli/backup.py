"""`trivox backup` and `trivox restore`: keep the database safe."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line, warn
from bridge.errors import TrivoxError
from bridge.ops.backup import back_up, dated, refuse_folder, remove_older
from bridge.ops.restore import restore as put_back


def backup(
    file: Annotated[Path, typer.Argument(help="The copy to write; without --keep it must not exist yet.")],
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Put the date into the copy's name, and remove all dated copies of FILE but the newest N.",
        ),
    ] = None,
    database: Database = DATABASE,
) -> None:
    """Copy the database with its keys and firmware, even while the bridge writes.

    The copy FILE holds the database; FILE-keys, FILE-firmware and FILE-cameras are the folders that lie beside it.
    With --keep the copy is named like FILE-2026-11-30T031500Z (UTC), so that a timer can make one each day. A file of
    those folders that cannot be read is named, and then no older copy is removed.
    """
    refuse_folder(file, database)
    done = back_up(database, dated(file, datetime.now(UTC)) if keep else file)
    folders = "".join(f", and {folder.name}" for folder in done.folders)
    print_line(f"Copied {database} to {done.file} ({done.size} bytes){folders}.")
    for sentence in done.missing:
        warn(f"not in the copy: {sentence}")
    if done.missing:
        kept = ", which removed no older one" if keep else ""
        raise TrivoxError(f"The copy is not complete{kept}: put right what is named above, and make another.")
    for removed in remove_older(file, done.file, keep) if keep else ():
        print_line(f"Removed {removed}.")


def restore(
    copy: Annotated[
        Path, typer.Argument(help="A copy made by `trivox backup`, or the database that was moved.", readable=False)
    ],
    database: Database = DATABASE,
) -> None:
    """Put a copy in the database's place. End the bridge first; the old database is kept aside.

    A log (`-wal`) whose database was moved away is taken in if it belongs to the copy, and else kept. A copy that the
    bridge saved (`.rescued-`) becomes the database: nothing is left under its old name. The folders of keys and
    firmware beside the copy come back where there are none; those that are there stay.
    """
    done = put_back(copy, database, datetime.now(UTC))
    for thing in done.left_out:
        warn(f"{thing} was left out: no Trivox has made it, so it is not trusted.")
    taken = f" and the log {done.taken_log}" if done.taken_log else ""
    old = f"; the old database is kept as {done.old_database}" if done.old_database else ""
    log = f"; a log that does not belong to it is kept as {done.kept_log}" if done.kept_log else ""
    print_line(
        f"Restored {database} from {copy}{taken}{old}{log}. Start the bridge: consoles send again what they hold."
    )
    for folder in done.folders:
        print_line(f"{folder} is put back too.")
    for folder in done.kept_folders:
        print_line(f"{folder} stays as it is, as it may be newer than the copy's.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)
