"""Run child processes that end together, each with its own log."""

import os
import re
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
REFUSALS = ("speaks TLS", "without TLS", "the broker refuses", "is not trusted", "does not let the bridge subscribe")
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class ProcessError(SimulatorError):
    """A child program did not start, failed, or ended by itself."""


class EndError(SimulatorError):
    """The user wants to end the program: SIGINT (Ctrl-C), SIGTERM or SIGHUP arrived."""


@dataclass(frozen=True)
class Child:
    """A running program and its log (None: it writes to our own output)."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None

    def last_words(self) -> str:
        """Return the last line that it wrote, or its exit status if it wrote nothing."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n") if self.log else []
        written = [line.strip() for line in lines if line.strip()]
        return written[-1].removeprefix("trivox: ") if written else f"exit status {self.process.returncode}"


class Children:
    """Programs that are started one after another and ended in reverse order; Ctrl-C does not reach them.

    Until `stop`, SIGINT, SIGTERM and SIGHUP make `check` raise EndError instead of ending this process.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []
        self._end_requested = False
        self._old_handlers = {number: signal.signal(number, self._request_end) for number in SIGNALS}

    def _request_end(self, *_: object) -> None:
        self._end_requested = True

    def start(self, name: str, words: Sequence[str], *, shown: bool = False) -> Child:
        """Start a program; its output goes to the log `name`.log, or is shown. Call this from the main thread."""
        self._logs.mkdir(parents=True, exist_ok=True)
        words = _ending_with_us(words)
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
        """Raise EndError if the user wants to end, ProcessError with its last words if a child has ended."""
        if self._end_requested:
            raise EndError("The program was told to end.")
        for child in self._children:
            if child.process.poll() is not None:
                where = f" (see {child.log})" if child.log else ""
                raise ProcessError(f"The {child.name} ended by itself: {child.last_words()}{where}")

    def wait_for_words(self, child: Child, words: str, limit_s: float = 30.0) -> None:
        """Wait until the child's log holds these words.

        Raises what `check` raises, and ProcessError after the limit or as soon as a broker does not take the child.
        """
        end_s = time.monotonic() + limit_s
        while child.log and words not in (text := child.log.read_text(encoding="utf-8", errors="replace")):
            self.check()
            refusal = next((line for line in text.splitlines() if any(word in line for word in REFUSALS)), None)
            if refusal is not None:
                raise ProcessError(f"The {child.name} cannot use the broker: {_message(refusal)} (see {child.log})")
            if time.monotonic() > end_s:
                raise ProcessError(f"The {child.name} did not become ready: {child.last_words()} (see {child.log})")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End all children, the youngest first; kill those that do not end in time. Restore the signal handlers."""
        while self._children:
            child = self._children.pop()
            if child.process.poll() is None:
                child.process.terminate()
            try:
                child.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)


def _message(line: str) -> str:
    """Return the message of a line in the log of a program that runs all day."""
    found = re.search(r'msg="((?:[^"\\]|\\.)*)"', line)
    return found[1].replace('\\"', '"') if found else line


def _ending_with_us(words: Sequence[str]) -> Sequence[str]:
    """Return the command with a prefix that makes the kernel end it when our thread ends, even by kill -9."""
    setpriv = shutil.which("setpriv")  # from util-linux, which every Debian has
    return [setpriv, "--pdeathsig", "TERM", "--", *words] if setpriv else words


def run(words: Sequence[str], limit_s: float = 60.0) -> None:
    """Run a command to its end; raises ProcessError with its error output if it fails."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
            check=False,
            process_group=0,
        )
    except subprocess.TimeoutExpired as error:
        raise ProcessError(f"`{' '.join(words)}` did not end in {limit_s:.0f} s.") from error
    if done.returncode:
        raise ProcessError(f"`{' '.join(words)}` failed: {' '.join(done.stderr.split()).removeprefix('trivox: ')}")


def free_port(wanted: int) -> int:
    """Return the wanted port on loopback if it is free, otherwise any free one; no other program gets it by chance.

    The port stays bound by this process. Linux lets another socket listen on a port that is only bound, so a program
    that is given the port can use it.
    """
    for port in (wanted, 0):
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", port))
        except OSError:
            holder.close()
            continue
        number = int(holder.getsockname()[1])
        holder.detach()  # it stays bound while this program runs
        return number
    raise ProcessError("No port is free on loopback; end a program that listens there.")


def chosen_port(given: int | None, usual: int) -> int:
    """Return the port that the user gave, else the usual one if that is free, else any that is.

    Raises ProcessError if the given one cannot be used.
    """
    port = free_port(usual if given is None else given)
    if given not in {None, port}:
        raise ProcessError(
            f"Port {given} is in use: end the program that listens there (`ss -ltnp` names it), or give another --port."
        )
    return port


def wait_for_port(host: str, port: int, children: Children, limit_s: float = 30.0) -> None:
    """Wait until a program listens there; raises ProcessError if none does in time or a child ends meanwhile."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        children.check()
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    raise ProcessError(f"Nothing listens at {host}:{port}; start the broker there, or give another --broker.")


def lock(file: Path, command: str = "trivox run") -> int:
    """Lock a file until this process ends, and return its descriptor; raises ProcessError if another holds the lock."""
    import fcntl  # noqa: PLC0415 - Windows lacks it, and shows the command's help all the same

    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ProcessError(f"Another `{command}` uses {file.parent}; end it, or use another folder.") from error
    return descriptor
