"""Child processes that live and end together, each with a log of its own."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import SimulatorError

STOP_LIMIT_S = 10.0
POLL_S = 0.05
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessError(SimulatorError):
    """A program that others need did not start, did not do its work, or ended."""


class EndError(SimulatorError):
    """The user wants the end: SIGINT (Ctrl-C), SIGTERM or SIGHUP came."""


@dataclass(frozen=True)
class Child:
    """A running program and where its output goes (None: to ours)."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None

    def last_words(self) -> str:
        """The last line that it wrote, or how it ended."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n") if self.log else []
        spoken = [line.strip() for line in lines if line.strip()]
        return spoken[-1].removeprefix("trivox: ") if spoken else f"exit status {self.process.returncode}"


class Children:
    """Programs started one after another, ended in the opposite order; each in a group that Ctrl-C does not reach.

    While it lives, SIGINT, SIGTERM and SIGHUP make `check` raise EndError instead of ending this process.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []
        self._end_asked = False
        self._before = {number: signal.signal(number, self._ask_end) for number in SIGNALS}

    def _ask_end(self, *_: object) -> None:
        self._end_asked = True

    def start(self, name: str, words: Sequence[str], *, shown: bool = False) -> Child:
        """Start a program; its output goes to a log of its name, or is shown. Call it from the main thread."""
        self._logs.mkdir(parents=True, exist_ok=True)
        words = _ended_with_us(words)
        log = None if shown else self._logs / f"{name}.log"
        if log is None:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, process_group=0)
        else:
            with log.open("wb") as output:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, process_group=0
                )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise EndError when the user wants the end, ProcessError with the last words of a child that has ended."""
        if self._end_asked:
            raise EndError("The end was asked for.")
        for child in self._children:
            if child.process.poll() is not None:
                where = f" (see {child.log})" if child.log else ""
                raise ProcessError(f"The {child.name} ended by itself: {child.last_words()}{where}")

    def wait_for_words(self, child: Child, words: str, limit_s: float = 30.0) -> None:
        """Wait until a child has said so; raises what `check` raises, and ProcessError when it does not in time."""
        end_s = time.monotonic() + limit_s
        while child.log and words not in child.log.read_text(encoding="utf-8", errors="replace"):
            self.check()
            if time.monotonic() > end_s:
                raise ProcessError(f"The {child.name} does not get ready: {child.last_words()} (see {child.log})")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End all, the youngest first; those that do not end in time are killed. Signals are as before then."""
        while self._children:
            child = self._children.pop()
            if child.process.poll() is None:
                child.process.terminate()
            try:
                child.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _ended_with_us(words: Sequence[str]) -> Sequence[str]:
    """The words, so that the kernel ends the program when the thread that starts it ends, be it by kill -9."""
    setpriv = shutil.which("setpriv")  # of util-linux, which each Debian has
    return [setpriv, "--pdeathsig", "TERM", "--", *words] if setpriv else words


def run(words: Sequence[str], limit_s: float = 60.0) -> None:
    """Run a command to its end; raises ProcessError with what it said when it could not."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            process_group=0,
        )
    except subprocess.TimeoutExpired as error:
        raise ProcessError(f"`{' '.join(words)}` did not end in {limit_s:.0f} s.") from error
    if done.returncode:
        raise ProcessError(f"`{' '.join(words)}` could not: {' '.join(done.stderr.split()).removeprefix('trivox: ')}")


def free_port(wanted: int) -> int:
    """The wanted port on loopback if it is free, else any free one; none that somebody else gets by chance.

    Linux lets another socket listen where one is but bound; so whoever is told of it can.
    """
    for port in (wanted, 0):
        keeper = socket.socket()
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            keeper.bind(("127.0.0.1", port))
        except OSError:
            keeper.close()
            continue
        number = int(keeper.getsockname()[1])
        keeper.detach()  # bound as long as this program runs
        return number
    raise ProcessError("No port is free on loopback; end something that listens there.")


def wait_for_port(host: str, port: int, children: Children, limit_s: float = 30.0) -> None:
    """Wait until somebody listens there; raises ProcessError when nobody does in time or a child ends meanwhile."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        children.check()
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    raise ProcessError(f"Nobody answers at {host}:{port}; start the broker there, or give another --broker.")


def lock(file: Path, command: str = "trivox run") -> int:
    """Hold a lock file for the rest of this process; raises ProcessError when another holds it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ProcessError(f"Another `{command}` uses {file.parent}; end it, or run in another folder.") from error
    return descriptor
