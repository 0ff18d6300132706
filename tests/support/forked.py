"""`trivox` as a process of its own, forked from one that has loaded its modules: a tenth of the time a start takes.

It has a pid, signals, locks and limits as any other; only the list of processes shows it under another name. This file
is also the program that forks: a process with threads, as one that runs tests, could not do so safely.
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
LATE = (  # what commands import only when they need it
    *("admin.bundle_folder", "ops.broker.folder", "ops.doctor.broker_probe", "ops.doctor.host"),
    *("ops.flash.credentials", "service.gateway.counters", "service.gateway.gateway", "service.metrics"),
    *("service.mqtt_session", "surveys.rebuild", "surveys.recorded"),
)
MESSAGE_BYTES = 1 << 18
NUMBER_BYTES = 8
PR_SET_PDEATHSIG = 1


class Forked:
    """A running `trivox` with these words, which writes into these files; as a `Popen`, as far as tests need."""

    def __init__(
        self, *words: str, out: IO[bytes], err: IO[bytes], environment: Mapping[str, str] | None = None
    ) -> None:
        self.returncode: int | None = None
        message = {"words": words, "environment": {**(environment or os.environ)}, "folder": str(Path.cwd())}
        self._said, says = os.pipe()
        socket.send_fds(_forker(), [json.dumps(message).encode()], [out.fileno(), err.fileno(), says])
        os.close(says)
        self.pid = self._hear()

    def poll(self) -> int | None:
        """The exit status, if it has ended; that of a signal is negative."""
        if self.returncode is None and select.select([self._said], [], [], 0)[0]:
            self.returncode = self._hear()
            os.close(self._said)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended."""
        if self.returncode is None and not select.select([self._said], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("trivox", timeout or 0)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, how: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended this very moment
                os.kill(self.pid, how)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _hear(self) -> int:
        """The next number that its parent says."""
        said = os.read(self._said, NUMBER_BYTES)
        if not said:
            raise EOFError("the parent of this trivox was killed")
        return int.from_bytes(said, "little", signed=True)


def start(*words: str, log: Path, environment: Mapping[str, str] | None = None) -> Forked:
    """Start `trivox` with these words; what it says goes to the end of `log`."""
    with log.open("ab") as file:
        return Forked(*words, out=file, err=file, environment=environment)


def run(
    *words: str, environment: Mapping[str, str] | None = None, limit_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """What comes of `trivox` with these words."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        running = Forked(*words, out=out, err=err, environment=environment)
        try:
            status = running.wait(limit_s)
        finally:
            running.kill()
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(["trivox", *words], status, *said)


@cache
def _forker() -> socket.socket:
    """The line to the program below, which is started when it is first wanted and ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        words = [sys.executable, "-P", __file__, str(theirs.fileno())]
        program = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def end() -> None:
        ours.close()
        program.wait()

    atexit.register(end)
    return ours


# -- the program that forks ------------------------------------------------------------------------------------------


def serve(link: socket.socket) -> None:
    """Start what is asked for, until nobody can ask any more."""
    _load()
    signal.signal(signal.SIGCHLD, _reap)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who ask
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


def _load() -> None:
    """Have all that a start loads, some of it only when options are read, and share it with what is forked."""
    cli = import_module("bridge.cli.main")
    cli.build()
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
    """Be killed when the parent ends, however it does: no test leaves a process behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(message: dict[str, Any], out: int, err: int, says: int) -> None:
    """Be the parent of one `trivox`: say its pid, and when it has ended its status."""
    pid = os.fork()
    if not pid:
        _end_with_parent()
        os.close(says)
        _be_trivox(message, out, err)
    os.write(says, pid.to_bytes(NUMBER_BYTES, "little", signed=True))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(says, status.to_bytes(NUMBER_BYTES, "little", signed=True))
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
    serve(socket.socket(fileno=int(sys.argv[1])))
