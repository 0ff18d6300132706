"""A `trivox` command that serves until it is ended, to be started and killed."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.support import forked
from tests.support.forked import Forked
from tests.support.programs import LIMIT_S, wait_until


class Service:
    """Started by `with` or `start`; it serves once it logs `ready`. Its log goes on over restarts."""

    def __init__(self, *words: str, log: Path, ready: str, environment: Mapping[str, str] | None = None) -> None:
        self._words = words
        self._log = log
        self._ready = ready
        self._environment = environment
        self._process: Forked | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)

    def start(self) -> None:
        """Start it; returns once it serves."""
        before = self.output().count(self._ready)
        self._process = forked.start(*self._words, log=self._log, environment=self._environment)
        wait_until(f"{self._ready!r} is logged", lambda: self.output().count(self._ready) > before)

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
