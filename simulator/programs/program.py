"""Run a program that a test needs: start it, wait for the words that say it is ready, and end it; log its output."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from simulator.errors import SimulatorError

START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
POLL_S = 0.02

Value = TypeVar("Value")


class ProgramError(SimulatorError):
    """A program that a test needs is missing, did not start, failed, or ended by itself."""


class NotSeenError(SimulatorError, AssertionError):
    """A condition that a test waited for did not come true in time."""


class Program:
    """A program called `name` that writes to `log`; nothing runs until `start`.

    It may be started again after `stop`; its log goes on. It does not get the TRIVOX_… environment variables.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._start_offset = 0

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id, for a test that stops the process itself; raises ProgramError if it was not started."""
        if self._process is None:
            raise ProgramError(f"The {self.name} is not running: start it first.")
        return self._process.pid

    def start(self, words: Sequence[str], ready: str) -> None:
        """Start it with this command line; return once its output holds `ready`.

        Raises ProgramError with its last words if it ends instead, NotSeenError if it is not ready in 30 s.
        """
        self._start_offset = self.log.stat().st_size if self.log.exists() else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIVOX_")}
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
                )
        except OSError as error:
            raise ProgramError(f"The {self.name} can't be started: {error.strerror} ({words[0]}).") from error
        try:
            wait_until(
                lambda: ready in self._output_since_start() or not self.running,
                f"the {self.name} is ready",
                START_LIMIT_S,
            )
            self.check()
        except SimulatorError:
            self.stop()
            raise

    def check(self) -> None:
        """Raise ProgramError with its last words if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ProgramError(f"The {self.name} ended by itself: {self.last_words()} (its whole output: {self.log})")

    def stop(self) -> None:
        """End it; kill it if that takes longer than 10 s."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def output(self) -> str:
        """Return everything that it printed, over all starts."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def last_words(self) -> str:
        """Return the last line that it printed since its last start."""
        lines = [line.strip() for line in self._output_since_start().split("\n") if line.strip()]
        return lines[-1] if lines else "it printed nothing"

    def _output_since_start(self) -> str:
        return self.log.read_bytes()[self._start_offset :].decode("utf-8", "replace") if self.log.exists() else ""


def trivox() -> str:
    """Return the path of the command `trivox` of this Python; raises ProgramError if there is none."""
    path = Path(sys.executable).with_name("trivox")
    command = str(path) if path.exists() else shutil.which("trivox")
    if command is None:
        raise ProgramError(f"There is no command trivox beside {sys.executable}: install trivox for this Python.")
    return command


def shown(name: str) -> str:
    """Return how to type a program that is installed with this Python, in the current folder."""
    path = Path(sys.executable).with_name(name)
    return shlex.quote(str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path))


def wait_until(condition: Callable[[], Value], what: str, limit_s: float) -> Value:
    """Call `condition` until it is true, and return its value; raises NotSeenError after the limit."""
    end_s = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > end_s:
            raise NotSeenError(f"This did not come true within {limit_s:g} s: {what}.")
        time.sleep(POLL_S)
    return value
