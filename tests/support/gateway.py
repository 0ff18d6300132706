"""Run `trivox gateway` at the broker of a test, and read its metrics."""

from __future__ import annotations

import os
import re
import urllib.request
from pathlib import Path

from tests.support.programs import LIMIT_S, free_port, wait_until
from tests.support.service import Service


class RunningGateway(Service):
    """The gateway at some serial ports; its log is in `folder`."""

    def __init__(
        self,
        folder: Path,
        broker: str,
        *ports: Path | str,
        options: tuple[str, ...] = (),
        account: tuple[str, str] | None = None,
    ) -> None:
        self._metrics_port = free_port()
        port_options = [word for port in ports for word in ("--port", str(port))]
        where = ["--broker", broker, "--metrics-port", str(self._metrics_port)]
        login = dict(zip(("TRIVOX_MQTT_USER", "TRIVOX_MQTT_PASSWORD"), account or (), strict=False))
        super().__init__(
            *("gateway", *where, *port_options, *options),
            log=folder / "gateway.log",
            ready="the gateway starts",
            environment={**os.environ, **login},
        )

    def wait_told(self, words: str) -> None:
        """Wait until its log has these words."""
        wait_until(f"{words!r} is logged", lambda: words in self.output())

    def counted(self, metric: str, **labels: str) -> float:
        """Return the sum of a metric over all series with these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=LIMIT_S) as answer:
            lines = answer.read().decode().splitlines()
        series = [re.fullmatch(rf"trivox_gateway_{metric}\{{(.*)\}} (\S+)", line) for line in lines]
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        return sum(float(match[2]) for match in series if match and all(label in match[1] for label in wanted))
