"""The gateway of the boards without radio, started, stopped and killed."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from tests.support.programs import TRIVOX


class Gateway:
    """`trivox gateway` at these ports; it never runs where there are none. One thread at a time starts or kills it."""

    def __init__(self, folder: Path, broker_port: int, ports: list[str]) -> None:
        self._log = folder / "gateway.log"
        named = [word for port in ports for word in ("--port", port)]
        broker = f"mqtt://127.0.0.1:{broker_port}"
        self._words = [TRIVOX, "gateway", "--broker", broker, *named, "--metrics-port", "0"] if ports else []
        self._busy = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self.deaths: list[str] = []

    def running_pid(self) -> int | None:
        """The number of its process; None if it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it, unless it runs."""
        with self._busy:
            if self.running_pid() is None and self._words:
                self.kill()  # notes that it died
                with self._log.open("ab") as log:
                    self._process = subprocess.Popen(
                        self._words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                    )

    def kill(self) -> None:
        """End it by SIGKILL. That it had ended by itself is written down: it must not."""
        with self._busy:
            if self._process is None:
                return
            if self._process.poll() is not None:
                words = self._log.read_text("utf-8", "replace").strip().split("\n")[-1]
                self.deaths.append(f"the gateway ended by itself ({self._process.returncode}): {words}")
            self._process.kill()
            self._process.wait()
            self._process = None
