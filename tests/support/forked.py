"""Start `trivox` by forking a process that has loaded its modules, in a tenth of the usual time.

The fork has a pid, signals, locks and limits like any process; only its name in the list of processes differs. This
file is also the program that forks: a process with threads, such as one that runs tests, could not do so safely.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

TRIVOX = str(Path(sys.executable).with_name("trivox"))
LATE = (  # modules that commands import only when they need them
    *("admin.bundle_folder", "ops.broker.folder", "ops.doctor.broker_probe", "ops.doctor.host"),
    *("ops.flash.credentials", "service.gateway.counters", "service.gateway.gateway", "service.metrics"),
    *("service.mqtt_session", "surveys.rebuild", "surveys.recorded_messages"),
)
WITHOUT_UNIX = "TESTS_WITHOUT_UNIX"
"""A variable: a command in whose environment it is runs without what only Unix has (see `without_unix.py`)."""
MESSAGE_BYTES = 1 << 18
NUMBER_BYTES = 8
PR_SET_PDEATHSIG = 1


class Forked:
    """A running `trivox` with these words, which writes to these files; a `Popen` as far as tests need it."""

    def __init__(
        self, *words: str, out: IO[bytes], err: IO[bytes], environment: Mapping[str, str] | None = None
    ) -> None:
        self.returncode: int | None = None
        message: dict[str, Any] = {
            "words": words,
            "environment": {**(environment or os.environ)},
            "folder": str(Path.cwd()),
        }
        self._numbers, write_end = os.pipe()
        forker = _forker(without_unix=WITHOUT_UNIX in message["environment"])
        socket.send_fds(forker, [json.dumps(message).encode()], [out.fileno(), err.fileno(), write_end])
        os.close(write_end)
        self.pid = self._read_number()

    def poll(self) -> int | None:
        """Return the exit status, negative after a signal; None if it still runs."""
        if self.returncode is None and select.select([self._numbers], [], [], 0)[0]:
            self.returncode = self._read_number()
            os.close(self._numbers)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return its exit status."""
        if self.returncode is None and not select.select([self._numbers], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("trivox", timeout or 0)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _read_number(self) -> int:
        """Read the next number from its parent: first its pid, then its exit status."""
        data = os.read(self._numbers, NUMBER_BYTES)
        if not data:
            raise EOFError("the parent of this trivox was killed")
        return int.from_bytes(data, "little", signed=True)


def start(*words: str, log: Path, environment: Mapping[str, str] | None = None) -> Forked:
    """Start `trivox` with these words; append its output to `log`."""
    with log.open("ab") as file:
        return Forked(*words, out=file, err=file, environment=environment)


def run(
    *words: str, environment: Mapping[str, str] | None = None, limit_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `trivox` with these words to its end; return its status and output."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        running = Forked(*words, out=out, err=err, environment=environment)
        try:
            status = running.wait(limit_s)
        finally:
            running.kill()
        output = []
        for file in (out, err):
            file.seek(0)
            output.append(file.read().decode())
    return subprocess.CompletedProcess(["trivox", *words], status, *output)


@cache
def _forker(*, without_unix: bool) -> socket.socket:
    """Return the socket to the program below, which starts when first needed and ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        words = [sys.executable, "-P", __file__, str(theirs.fileno()), *([WITHOUT_UNIX] if without_unix else [])]
        program = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def end() -> None:
        ours.close()
        program.wait()

    atexit.register(end)
    return ours


# -- the program that forks ------------------------------------------------------------------------------------------


def serve(link: socket.socket) -> None:
    """Start a process for each message, until the other end closes."""
    _load()
    signal.signal(signal.SIGCHLD, _reap)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other end
    while True:
        text, files, *_ = socket.recv_fds(link, MESSAGE_BYTES, 3)
        if not text:
            return
        if not os.fork():
            _end_with_parent()
            link.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _watch(json.loads(text), *files)
        for file in files:
            os.close(file)


def _hide_unix() -> None:
    """Make modules that are loaded from now on find what Windows has."""
    sys.path.append(str(Path(__file__).parents[2]))
    import_module("tests.support.without_unix").install()


def _load() -> None:
    """Load and make what a start does, some of it only when options are read; forks share it."""
    cli = import_module("bridge.cli.main")
    cli.build()
    for command in cli.installed():
        cli.parser(command.split())
    for name in LATE:
        import_module(f"bridge.{name}")
    with contextlib.redirect_stderr(io.StringIO()):
        cli.run(["bridge", "--broker", "none"])
    gc.freeze()


def _reap(*_: object) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _end_with_parent() -> None:
    """Have this process killed when its parent ends, however that ends: no test leaves a process behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(message: dict[str, Any], out: int, err: int, numbers: int) -> None:
    """Be the parent of one `trivox`: write its pid, and its status once it has ended."""
    pid = os.fork()
    if not pid:
        _end_with_parent()
        os.close(numbers)
        _be_trivox(message, out, err)
    os.write(numbers, pid.to_bytes(NUMBER_BYTES, "little", signed=True))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(numbers, status.to_bytes(NUMBER_BYTES, "little", signed=True))
    os._exit(0)


def _be_trivox(message: dict[str, Any], out: int, err: int) -> None:
    for file, standard in ((out, sys.stdout), (err, sys.stderr)):
        os.dup2(file, standard.fileno())
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(message["folder"])
    os.environ.clear()
    os.environ.update(message["environment"])
    sys.argv = [TRIVOX, *message["words"]]
    import_module("bridge.cli.main").main()


if __name__ == "__main__":
    if WITHOUT_UNIX in sys.argv:
        _hide_unix()
    serve(socket.socket(fileno=int(sys.argv[1])))
