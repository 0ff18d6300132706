"""`trivox gateway`: the serial lines of boards without radio, to MQTT."""

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
from bridge.errors import UsageError

if TYPE_CHECKING:
    from bridge.broker_login import BrokerLogin

METRICS_PORT = 9884  # beside the bridge's


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gateway")(gateway)


def gateway(
    port: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="A board's serial port; several times for several. Without: all on USB."),
    ] = None,
    broker: BrokerUrl = DEFAULT_BROKER,
    config: BrokerConfig = None,
    ca_file: CaFile = None,
    keys: Annotated[
        Path | None, typer.Option(help="A file of `trivox console keys`: each board logs in with its console's own.")
    ] = None,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where Prometheus is answered, on loopback; 0: nowhere.")
    ] = METRICS_PORT,
) -> None:
    """Connect boards without radio, on USB serial lines, to the broker; they may come and go."""
    log.set_up()
    run_gateway(read_broker(broker, os.environ, config, ca_file), keys, port or [], metrics_port)


def run_gateway(broker: BrokerLogin, keys: Path | None, paths: list[str], metrics_port: int) -> None:
    """Run until SIGTERM or Ctrl-C; without `paths` for the boards found on USB."""
    from bridge.ops.flash import credentials  # noqa: PLC0415 - the other commands start faster without
    from bridge.service.gateway.counters import GatewayCollector  # noqa: PLC0415 - … also without this
    from bridge.service.gateway.gateway import Gateway  # noqa: PLC0415 - … and paho
    from bridge.service.gateway.tty import is_port  # noqa: PLC0415 - … and pyserial
    from bridge.service.metrics import MetricsServer  # noqa: PLC0415 - … and this

    for path in paths:
        if not is_port(path):
            raise UsageError(f"{path} is no serial port: give a board's, such as /dev/ttyACM0.")
    if keys is not None:
        credentials.of_file(keys)  # what is wrong with it is told now

    def broker_of(site_id: str, console_id: str) -> BrokerLogin:
        if keys is None:
            return broker
        found = credentials.of_file(keys)(site_id, console_id)  # read anew: it may have been made anew
        return replace(broker, user=found.user, password=found.password)

    runner = Gateway(broker_of, paths)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop())
    metrics = MetricsServer(metrics_port, GatewayCollector(runner.counters))
    log.info("the gateway starts", version=version("trivox"), broker=broker.address, ports=", ".join(paths) or None)
    try:
        runner.run()
    finally:
        metrics.close()
        log.info("the gateway ends")
