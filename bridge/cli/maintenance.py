"""`trivox backup`, `trivox restore` and `trivox doctor`."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge.broker_login import read_broker, read_config
from bridge.cli.options import DATABASE, CaFile, Database
from bridge.errors import DatabaseError
from bridge.ops.restore import make_file
from bridge.ops.restore import restore as put_back
from bridge.private_files import sync
from bridge.store import open_store
from bridge.store.backup import copy_to
from bridge.store.connection import SIDECAR_SUFFIXES, sidecar
from bridge.text import plural, printable

LONGEST = 2_000  # a finding


def now_ms() -> int:
    """The time."""
    return time.time_ns() // 1_000_000


def backup(
    file: Annotated[Path, typer.Argument(help="The copy; must not be there yet.")], database: Database = DATABASE
) -> None:
    """Make a consistent copy of the database, also while the bridge writes."""
    for taken in (file, *(sidecar(file, ending) for ending in SIDECAR_SUFFIXES)):
        if taken.exists():
            raise DatabaseError(f"{taken} is there already: give another name, or move it away.")
    if not file.absolute().parent.is_dir():
        raise DatabaseError(f"There is no folder {file.absolute().parent}: make it first.")
    store = open_store(database)
    partial = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        make_file(partial)
        copy_to(store.connection, str(database), partial)
        sync(partial)
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
        store.close()
    sys.stdout.write(f"{database} is copied to {file} ({file.stat().st_size} bytes).\n")


def restore(
    copy: Annotated[Path, typer.Argument(help="A copy made by `trivox backup`.", readable=False)],
    database: Database = DATABASE,
) -> None:
    """Put a copy in the database's place, while no bridge runs; what lay there is kept aside."""
    aside = put_back(copy, database, datetime.now(UTC))
    kept = f"; what lay there is kept as {aside}" if aside else ""
    sys.stdout.write(f"{copy} is now {database}{kept}. Start the bridge: consoles send again what they still hold.\n")


def doctor(
    broker: Annotated[
        str | None, typer.Option(metavar="URL", help="The broker to look at; else the running bridge's.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", readable=False, help="TOML with user, password and ca_file.")
    ] = None,
    ca_file: CaFile = None,
    database: Database = DATABASE,
) -> None:
    """Say in plain words what is wrong with database, bridge, broker, consoles and clock."""
    from bridge.ops.doctor.host import look_at_all  # noqa: PLC0415 - the other commands start faster without paho

    bad = 0
    asked = None if broker is None else read_broker(broker, os.environ, config, ca_file)
    if config is not None:
        read_config(config)  # also where there is no broker to look at
    findings = look_at_all(database, now_ms(), asked, lambda url: read_broker(url, os.environ, config, ca_file))
    for finding in findings:
        bad += finding.bad
        sys.stdout.write(f"{'!' if finding.bad else ' '} {printable(finding.sentence, LONGEST)}\n")
    sys.stdout.write(f"{plural(bad, 'thing')} to look at.\n" if bad else "All is well.\n")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)
    app.command()(doctor)
