"""`trivox bridge` and `trivox broker`: what runs all day."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.commands.options import DATABASE, Database
from bridge.config import read_broker
from bridge.control import take_lock_to_serve
from bridge.control_server import Server
from bridge.store import open_store
from bridge.store.consoles import identity

if TYPE_CHECKING:
    from bridge.config import Broker

BROKER_PORT = 1883
SWITCH_S = 0.0005  # receiving and writing take turns often, so that neither makes the other late
DEFAULT_BROKER = "mqtt://127.0.0.1:1883"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("bridge")(bridge)
    app.command("broker")(broker)


def bridge(
    broker: Annotated[str, typer.Option(metavar="URL", help="mqtt://HOST:PORT, or mqtts:// for TLS.")] = DEFAULT_BROKER,
    database: Database = DATABASE,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML with user, password and ca_file; mode 0600.")
    ] = None,
    ca_file: Annotated[Path | None, typer.Option(help="What the broker's certificate is checked by.")] = None,
    enrolled_only: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--enrolled-only", help="Take in enrolled consoles alone.")
    ] = False,
) -> None:
    """Take what consoles send into the database."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ", level="INFO")
    logging.Formatter.converter = time.gmtime
    run_bridge(read_broker(broker, os.environ, config, ca_file), database, enrolled_only=enrolled_only)


def run_bridge(broker: Broker, database: Path, *, enrolled_only: bool) -> None:
    """Run until SIGTERM or Ctrl-C, as the one process that writes this database."""
    from bridge.mqtt import Bridge  # noqa: PLC0415 - the other commands start faster without paho

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # nothing is taken in yet
    lock = take_lock_to_serve(database)
    sys.setswitchinterval(SWITCH_S)
    store = open_store(database, writing=True)
    runner = Bridge(broker, store, identity(store), enrolled_only=enrolled_only)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop())
    server = Server(database, runner.perform)
    try:
        runner.run()
    finally:
        server.close()
        store.close()
        lock.release()


def broker(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port on loopback.")] = BROKER_PORT,
) -> None:
    """Run the embedded broker alone, on this machine only; production wants mosquitto."""
    from bridge.broker import run_broker  # noqa: PLC0415 - the other commands start faster without it

    logging.basicConfig(level="CRITICAL")  # it tells of every client that goes away, with a traceback
    run_broker(port)
