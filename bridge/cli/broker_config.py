"""`trivox broker-config`: write everything that mosquitto needs to serve those who are enrolled, and nobody else."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line
from bridge.errors import UsageError
from bridge.ops.broker.systemd import BRIDGE_UNIT, BROKER_UNIT
from bridge.privileges import owner_of
from bridge.store.connection import require

LOWEST_PORT = 1024  # below it a broker would need more rights than the unit gives it


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("broker-config")(broker_config)


def broker_config(
    out: Annotated[Path, typer.Option(metavar="DIR", readable=False, help="The folder to write to.")],
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST", help="The name or address by which consoles reach the broker; repeat it for several."
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=LOWEST_PORT, max=65_535, help="The broker's port. [default: as before, or 8883]")
    ] = None,
    bridge_port: Annotated[
        int | None,
        typer.Option(
            min=LOWEST_PORT,
            max=65_535,
            help="The bridge's own port, on this machine only. [default: as before, or the one above the broker's]",
        ),
    ] = None,
    log_denied: Annotated[
        bool | None,
        typer.Option(
            "--log-denied/--no-log-denied",
            help="Log refused attempts, together with all other traffic. [default: as before]",
        ),
    ] = None,
    database: Database = DATABASE,
) -> None:
    """Write the files of a mosquitto with TLS. They admit everybody enrolled: write them again when that changes."""
    from bridge.ops.broker.folder import write_folder  # noqa: PLC0415 - other commands start faster without it

    folder, database = _plain(out), _plain(database)
    _check_path(folder)
    _check_path(database)
    _check_path(Path(sys.argv[0]).absolute())  # the program, which the bridge's unit starts
    require(database)
    write_folder(folder, database, host or [], port, bridge_port, datetime.now(UTC), print_line, log_denied=log_denied)
    _print_next_steps(folder, database)


def _plain(path: Path) -> Path:
    """Return a path that goes on meaning the same: systemd ignores `..`, and the folder before it may go."""
    return path.absolute().parent.resolve() / path.name if path.name not in {"", ".."} else path.resolve()


def _check_path(path: Path) -> None:
    """Refuse a path that one of the written files could not hold. Raises UsageError."""
    if any(char.isspace() or char in "%$\"'\\" or not char.isprintable() for char in str(path)):
        raise UsageError(f"{str(path)!r} has spaces or characters that mosquitto and systemd cannot use: give another.")


def _print_next_steps(folder: Path, database: Path) -> None:
    if owner_of(database)[0] == 0:
        print_line(f"{database} belongs to root, so the bridge would run as root: give the file to a user of its own.")
    units = f"{folder}/systemd/*.service"
    print_line(f"Written to {folder}. The first time:")
    print_line(f"  sudo cp {units} /etc/systemd/system/ && sudo systemctl daemon-reload")
    print_line(f"  sudo systemctl enable --now {BROKER_UNIT} {BRIDGE_UNIT}")
    print_line("Later, whenever somebody has been enrolled or revoked:")
    print_line(f"  sudo systemctl reload {BROKER_UNIT}")
    print_line(f"Consoles need {folder}/consoles/ca.der, and the settings in {folder}/consoles/broker.json.")
