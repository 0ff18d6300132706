"""A program that a test needs: started, waited for by what it says, and ended with the test; its output in a file."""

import os
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
    """A program that a test needs is not here, did not start, or ended by itself."""


class NotSeenError(SimulatorError, AssertionError):
    """What a test waited for did not come in time."""


class Program:
    """A program called `name` that writes to `log`; nothing runs until `start`.

    It may be started again after `stop`; its log goes on. Variables TRIVOX_… of the surroundings do not reach it.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._begins_at = 0

    @property
    def running(self) -> bool:
        """Has it been started, and has it not ended since?"""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of its process, for whoever stops it; raises ProgramError if it was not started."""
        if self._process is None:
            raise ProgramError(f"The {self.name} does not run: start it first.")
        return self._process.pid

    def start(self, words: Sequence[str], ready: str) -> None:
        """Start it by these words; returns once it has said `ready`.

        Raises ProgramError with its last words if it ends instead, or says nothing such in 30 s.
        """
        self._begins_at = self.log.stat().st_size if self.log.exists() else 0
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("TRIVOX_")}
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=surroundings
                )
        except OSError as error:
            raise ProgramError(f"The {self.name} can't be started: {error.strerror} ({words[0]}).") from error
        try:
            wait_until(lambda: ready in self._said() or not self.running, f"the {self.name} is ready", START_LIMIT_S)
            self.check()
        except SimulatorError:
            self.stop()
            raise

    def check(self) -> None:
        """Raise ProgramError with its last words if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ProgramError(f"The {self.name} ended by itself: {self.last_words()} (all it said: {self.log})")

    def stop(self) -> None:
        """End it, by force if it takes longer than 10 s."""
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
        """All that it said, over all starts."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def last_words(self) -> str:
        """The last line that it said since its last start."""
        lines = [line.strip() for line in self._said().split("\n") if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def _said(self) -> str:
        return self.log.read_bytes()[self._begins_at :].decode("utf-8", "replace") if self.log.exists() else ""


def trivox() -> str:
    """The command `trivox` beside this Python; raises ProgramError if there is none."""
    beside = Path(sys.executable).with_name("trivox")
    found = str(beside) if beside.exists() else shutil.which("trivox")
    if found is None:
        raise ProgramError(f"There is no command trivox beside {sys.executable}: install trivox for this Python.")
    return found


def wait_until(condition: Callable[[], Value], what: str, limit_s: float) -> Value:
    """Ask `condition` again and again until it is true; answers what it answered, or raises NotSeenError."""
    end_s = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > end_s:
            raise NotSeenError(f"After {limit_s:g} s still not so: {what}.")
        time.sleep(POLL_S)
    return value
