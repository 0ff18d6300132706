"""`trivox gateway`: connect boards without radio to MQTT over their serial lines."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge import log
from bridge.broker_login import read_broker
from bridge.cli.options import DEFAULT_BROKER, BrokerConfig, BrokerUrl, CaFile
from bridge.cli.output import print_line
from bridge.errors import UsageError
from bridge.serial_port import is_port
from bridge.wire.identifiers import check_name

if TYPE_CHECKING:
    from bridge.broker_login import BrokerLogin
    from bridge.wire.serial_line import Identity

LOOPBACK = ("localhost", "127.0.0.1", "::1")
METRICS_PORT = 9884  # next to the bridge's


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gateway")(gateway)


def gateway(
    port: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="A board's serial port; repeat it for several. [default: all boards on USB]"),
    ] = None,
    broker: BrokerUrl = DEFAULT_BROKER,
    config: BrokerConfig = None,
    ca_file: CaFile = None,
    keys: Annotated[
        Path | None, typer.Option(help="A file made by `trivox console keys`: each board logs in as its own console.")
    ] = None,
    accept_board: Annotated[
        str | None,
        typer.Option(
            metavar="SITE/CONSOLE",
            help="Let another board be this console of --keys: the next that says so. A running gateway goes on.",
        ),
    ] = None,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port on loopback where Prometheus finds metrics; 0: none.")
    ] = METRICS_PORT,
) -> None:
    """Connect boards without radio to the broker, over USB. Boards may come and go."""
    if accept_board is not None:
        _accept_board(keys, accept_board)
        return
    log.set_up()
    run_gateway(read_broker(broker, os.environ, config, ca_file), keys, port or [], metrics_port)


def _accept_board(keys: Path | None, console: str) -> None:
    from bridge.ops.flash.credentials import FileIssuer  # noqa: PLC0415 - see below
    from bridge.service.gateway.board_bindings import BoardBindings  # noqa: PLC0415 - see below

    name = check_name("console", console)
    if keys is None:
        raise UsageError("--accept-board is about the consoles of a file of keys: give it with --keys.")
    FileIssuer(keys)(*name)
    BoardBindings(keys).accept_another("/".join(name))
    print_line(f"The next board at a gateway with {keys} that says that it is {console} is accepted, and kept to.")


def run_gateway(broker: BrokerLogin, keys: Path | None, paths: list[str], metrics_port: int) -> None:
    """Run until SIGTERM or Ctrl-C; without `paths`, serve all boards found on USB. Raises TrivoxError."""
    from bridge.ops.flash import credentials  # noqa: PLC0415 - other commands start faster without these
    from bridge.service.gateway.board_bindings import BoardBindings  # noqa: PLC0415 - see above
    from bridge.service.gateway.counters import GatewayCollector  # noqa: PLC0415 - see above
    from bridge.service.gateway.gateway import Gateway  # noqa: PLC0415 - see above; it loads paho
    from bridge.service.metrics_server import MetricsServer  # noqa: PLC0415 - see above

    for path in paths:
        if not is_port(path):
            raise UsageError(f"{path} is not a serial port: give a board's, such as /dev/ttyACM0 or COM5.")
    if keys is not None:
        credentials.FileIssuer(keys)  # reports now what is wrong with the file
        _check_login_of_boards(broker)

    bindings = None if keys is None else BoardBindings(keys)

    def broker_of(identity: Identity) -> BrokerLogin:
        if keys is None or bindings is None:
            return broker
        login = credentials.FileIssuer(keys)(*identity.name)  # the file may be new
        bindings.check(identity)
        return replace(broker, user=login.user, password=login.password)

    server = Gateway(broker_of, paths)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    metrics = MetricsServer(metrics_port, GatewayCollector(server.counters))
    log.info("the gateway starts", version=version("trivox"), broker=broker.address, ports=", ".join(paths) or None)
    try:
        server.run()
    finally:
        metrics.close()
        log.info("the gateway ends")


def _check_login_of_boards(broker: BrokerLogin) -> None:
    """Refuse to send consoles' passwords to a port that speaks TLS, and say what --keys puts aside."""
    from bridge.service.broker_protocol import wrong_scheme  # noqa: PLC0415 - as in `run_gateway`

    if reason := wrong_scheme(broker):
        raise UsageError(f"No board could log in at {broker.address}: {reason}.")
    if broker.user is not None or broker.password is not None:
        log.warning("user and password of environment and --config are not used: each board has its own by --keys")
    if not broker.tls and broker.host not in LOOPBACK:
        log.warning("the consoles' passwords cross the network unencrypted: use mqtts://", broker=broker.address)
