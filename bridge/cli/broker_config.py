"""`trivox broker-config`: everything that mosquitto needs for those who are enrolled, and only for those."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import DATABASE, Database
from bridge.errors import TrivoxError, UsageError
from bridge.ops.broker.systemd import BRIDGE_UNIT, BROKER_UNIT
from bridge.private_files import owner_of

LOWEST_PORT = 1024  # below it a broker would need more rights than the unit gives it


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("broker-config")(broker_config)


def broker_config(
    out: Annotated[Path, typer.Option(metavar="DIR", readable=False, help="The folder to write into.")],
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="How consoles reach the broker, name or address; again for several."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=LOWEST_PORT, max=65_535, help="Where the broker listens; else as before, or 8883.")
    ] = None,
    log_denied: Annotated[
        bool | None,
        typer.Option(
            "--log-denied/--no-log-denied", help="Log who tries what is not his, and all else; else as before."
        ),
    ] = None,
    database: Database = DATABASE,
) -> None:
    """Write mosquitto's configuration, with TLS, for those who are enrolled; to be run again when that changes."""
    from bridge.ops.broker.folder import write  # noqa: PLC0415 - the other commands start faster without

    folder = out.absolute()
    _check_path(folder)
    _check_path(database.absolute())
    if not database.absolute().parent.is_dir():
        raise TrivoxError(f"There is no folder {database.absolute().parent}: make it first, or give --database.")
    write(folder, database, host or [], port, datetime.now(UTC), _say, log_denied=log_denied)
    _say_next(folder, database)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _check_path(path: Path) -> None:
    """Refuse what would end a word in one of the files."""
    if any(sign.isspace() or sign in "%\"'\\" or not sign.isprintable() for sign in str(path)):
        raise UsageError(f"{str(path)!r} holds spaces or signs that mosquitto and systemd cannot take: give another.")


def _say_next(folder: Path, database: Path) -> None:
    if owner_of(database)[0] == 0:
        _say(f"{database} belongs to root, and so the bridge would run as root: give it to a user of its own.")
    units = f"{folder}/systemd/*.service"
    _say(f"Written to {folder}. The first time:")
    _say(f"  sudo cp {units} /etc/systemd/system/ && sudo systemctl daemon-reload")
    _say(f"  sudo systemctl enable --now {BROKER_UNIT} {BRIDGE_UNIT}")
    _say("After that, whenever somebody was enrolled or revoked:")
    _say(f"  sudo systemctl reload {BROKER_UNIT}")
    _say(f"Consoles get {folder}/consoles/ca.der, and what {folder}/consoles/broker.json says.")
