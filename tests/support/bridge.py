"""`trivox bridge` at a test's broker, to be started and killed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Self

from tests.support import forked
from tests.support.forked import Forked
from tests.support.programs import LIMIT_S, wait_until

CONNECTED = "connected to the broker"


class Bridge:
    """Started by `with` or `start`; its database and its log, which goes on over restarts, are in the folder."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.database = folder / "trivox.db"
        self._log = folder / "bridge.log"
        self._words = ("bridge", "--broker", broker, "--database", str(self.database), "--metrics-port", "0")
        self._process: Forked | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)
        sys.stdout.write(self.output()[-4000:])

    def start(self) -> None:
        """Start it; returns once it is at the broker."""
        before = self.output().count(CONNECTED)
        self._process = forked.start(*self._words, log=self._log)
        wait_until("the bridge is at the broker", lambda: self.output().count(CONNECTED) > before)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
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
