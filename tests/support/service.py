"""Run a `trivox` command that serves until it is ended; tests start it, kill it and start it again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support import forked
from tests.support.forked import Forked
from tests.support.programs import LIMIT_S, wait_until


class Service:
    """A `trivox` command that is ready once it logs `ready`; its log goes on over restarts.

    Use it as a context manager, or call `start` and `end`. The `environment` is that of the next start; None is ours.
    """

    def __init__(self, *words: str, log: Path, ready: str, environment: Mapping[str, str] | None = None) -> None:
        self._words = words
        self._log = log
        self._ready = ready
        self.environment = environment
        self._process: Forked | subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)

    def start(self, *options: str, program: Sequence[str] = (), wait: bool = True) -> None:
        """Start it with these further options; return once it is ready, or at once if not told to `wait`.

        It is forked, which is quick; give the words of a `program` to start that instead.
        """
        ready_before = self.output().count(self._ready)
        words = (*self._words, *options)
        if program:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen([*program, *words], stdout=log, stderr=log, env=self.environment)
        else:
            self._process = forked.start(*words, log=self._log, environment=self.environment)
        if wait:
            wait_until(f"{self._ready!r} is logged", lambda: self.output().count(self._ready) > ready_before)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; return its exit status."""
        process, self._process = self._running_process(), None
        process.send_signal(number)
        try:
            return process.wait(LIMIT_S)
        except BaseException:
            process.kill()
            raise

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        self._running_process().send_signal(number)

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit status."""
        return self._running_process().wait(LIMIT_S)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._running_process().pid

    def output(self) -> str:
        """Return everything that it has logged, over all starts."""
        return self._log.read_text("utf-8") if self._log.exists() else ""

    def _running_process(self) -> Forked | subprocess.Popen[bytes]:
        assert self._process is not None, "it was not started"
        return self._process
