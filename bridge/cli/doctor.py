"""`trivox doctor`: find what is wrong."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from bridge.broker_login import read_broker, read_config
from bridge.cli.options import DATABASE, CaFile, Database
from bridge.cli.output import print_line
from bridge.text import plural, printable

MAX_DIAGNOSIS = 2_000  # characters


def doctor(
    broker: Annotated[
        str | None, typer.Option(metavar="URL", help="The broker to check. [default: the running bridge's]")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", readable=False, help="A TOML file with user, password and ca_file.")
    ] = None,
    ca_file: CaFile = None,
    full: Annotated[  # noqa: FBT002 - an option of the command line
        bool,
        typer.Option("--full", help="Check all of a large database for damage, which takes 5 s and more a gigabyte."),
    ] = False,
    database: Database = DATABASE,
) -> None:
    """Say in plain words what is wrong, and what to do. It checks database, bridge, broker, consoles and clocks."""
    from bridge.ops.doctor.host import diagnose  # noqa: PLC0415 - other commands start faster without paho

    to_do_count = 0
    now_ms = time.time_ns() // 1_000_000
    named_broker = None if broker is None else read_broker(broker, os.environ, config, ca_file)
    if config is not None:
        read_config(config)  # reports a bad file even if there is no broker to check
    diagnoses = diagnose(
        database, now_ms, named_broker, lambda url: read_broker(url, os.environ, config, ca_file), is_full=full
    )
    for diagnosis in diagnoses:
        to_do_count += diagnosis.needs_action
        print_line(f"{'!' if diagnosis.needs_action else ' '} {printable(diagnosis.sentence, MAX_DIAGNOSIS)}")
    print_line(f"{plural(to_do_count, 'thing')} to look at." if to_do_count else "All is well.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
