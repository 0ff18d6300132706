"""`trivox gateway` at a test's broker, and what its metrics say."""

from __future__ import annotations

import os
import re
import signal
import urllib.request
from pathlib import Path
from typing import Self

from tests.support import forked
from tests.support.forked import Forked
from tests.support.programs import LIMIT_S, free_port, wait_until


class Gateway:
    """Started by `with` or `start`, at these ports; its log is in the folder."""

    def __init__(
        self,
        folder: Path,
        broker: str,
        *ports: Path | str,
        options: tuple[str, ...] = (),
        account: tuple[str, str] | None = None,
    ) -> None:
        self._log = folder / "gateway.log"
        self._metrics_port = free_port()
        named = [word for port in ports for word in ("--port", str(port))]
        where = ["--broker", broker, "--metrics-port", str(self._metrics_port)]
        self._words = ["gateway", *where, *named, *options]
        login = dict(zip(("TRIVOX_MQTT_USER", "TRIVOX_MQTT_PASSWORD"), account or (), strict=False))
        self._surroundings = {**os.environ, **login}
        self._process: Forked | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)

    def start(self) -> None:
        """Start it; returns once it looks for boards."""
        before = self.output().count("the gateway starts")
        self._process = forked.start(*self._words, log=self._log, environment=self._surroundings)
        wait_until("the gateway starts", lambda: self.output().count("the gateway starts") > before)

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """End it by a signal; its exit status."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(how)
        try:
            return process.wait(LIMIT_S)
        except BaseException:
            process.kill()
            raise

    def output(self) -> str:
        """All that it logged."""
        return self._log.read_text("utf-8") if self._log.exists() else ""

    def wait_told(self, words: str) -> None:
        """Wait until its log has these words."""
        wait_until(f"{words!r} is logged", lambda: words in self.output())

    def counted(self, metric: str, **labels: str) -> float:
        """The sum of a metric over all series that have these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=LIMIT_S) as answer:
            lines = answer.read().decode().splitlines()
        series = [re.fullmatch(rf"trivox_gateway_{metric}\{{(.*)\}} (\S+)", line) for line in lines]
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        return sum(float(one[2]) for one in series if one and all(label in one[1] for label in wanted))
