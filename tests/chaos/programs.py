"""Start, stop and kill the programs that faults hit: the bridge on its database, and the gateway."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from tests.chaos.database import throughs
from tests.chaos.listener import WireListener
from tests.chaos.observations import EpochName
from tests.support.programs import TRIVOX

FULL_BYTES = 4096  # the size to which a file may grow while the disk is full: smaller than any database
LIMIT = resource.RLIMIT_FSIZE


class FragileProgram:
    """A `trivox` command that faults kill and start again; one thread at a time does so.

    `deaths` has a sentence for each time that it ended by itself, which it must not.
    """

    def __init__(self, name: str, log: Path, words: list[str]) -> None:
        self._name = name
        self._log = log
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._busy = threading.RLock()
        self.deaths: list[str] = []

    def running_pid(self) -> int | None:
        """Return the number of its process; None if it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it unless it runs."""
        with self._busy:
            if self.running_pid() is None:
                self.kill()  # notes that it ended by itself
                self._process = subprocess.Popen(
                    [TRIVOX, *self._words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                )
                threading.Thread(target=self._copy_output, args=(self._process.stdout,), daemon=True).start()

    def kill(self) -> None:
        """End it by SIGKILL; note it in `deaths` if it had ended by itself."""
        with self._busy:
            if self._process is None:
                return
            if self._process.poll() is not None:
                last_line = self._log.read_text("utf-8", "replace").strip().split("\n")[-1]
                self.deaths.append(f"the {self._name} ended by itself ({self._process.returncode}): {last_line}")
            self._process.kill()
            self._process.wait()
            self._process = None

    def _copy_output(self, output: IO[bytes]) -> None:
        """Write its output to the log in this process, where no fault limits the size of files."""
        with output, self._log.open("ab", buffering=0) as log:
            for line in output:
                log.write(line)


class FragileGateway(FragileProgram):
    """`trivox gateway` at the ports of boards without radio; it never runs if there are none."""

    def __init__(self, folder: Path, broker_port: int, ports: list[str]) -> None:
        port_options = [word for port in ports for word in ("--port", port)]
        broker = f"mqtt://127.0.0.1:{broker_port}"
        words = ["gateway", "--broker", broker, *port_options, "--metrics-port", "0"]
        super().__init__("gateway", folder / "gateway.log", words)
        self._has_ports = bool(ports)

    def start(self) -> None:
        """Start it unless it runs or has no ports."""
        if self._has_ports:
            super().start()


class FragileBridge(FragileProgram):
    """`trivox bridge` on its database, which can be copied and put back to an older state.

    `forgotten` has the highest number of each epoch that was acknowledged before its database was put back;
    `unstored` has a sentence for each acknowledgement that the database does not hold.
    """

    def __init__(self, folder: Path, port: int, listener: WireListener) -> None:
        self.database = folder / "trivox.db"
        where = ["--broker", f"mqtt://127.0.0.1:{port}", "--database", str(self.database)]
        super().__init__("bridge", folder / "bridge.log", ["bridge", *where, "--metrics-port", "0"])
        self._folder = folder
        self._listener = listener
        self._copy: Path | None = None
        self._copies = 0
        self.forgotten: dict[EpochName, int] = defaultdict(int)
        self.unstored: list[str] = []

    def kill(self) -> None:
        """End it by SIGKILL, and compare what it acknowledged with its database."""
        with self._busy:
            if self._process is not None:
                super().kill()
                self.compare()

    def compare(self) -> None:
        """Check that everything acknowledged so far is in the database."""
        with self._busy:
            acknowledged = self._listener.acknowledged()
            stored = self.throughs()
            for name, through in acknowledged.items():
                if stored.get(name, 0) < through:
                    self.unstored.append(f"{'/'.join(name)}: {through} was acknowledged, stored was {stored.get(name)}")

    def set_disk_full(self, *, full: bool) -> None:
        """Let its files grow no further, or without limit again."""
        with self._busy:
            pid = self.running_pid()
            if pid is not None:
                size = FULL_BYTES if full else resource.RLIM_INFINITY
                resource.prlimit(pid, LIMIT, (size, resource.RLIM_INFINITY))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the database's write lock, as another program would."""
        other = sqlite3.connect(self.database, isolation_level=None, check_same_thread=False, timeout=2)
        with closing(other):
            with suppress(sqlite3.OperationalError):  # it is locked already
                other.execute("BEGIN IMMEDIATE")
            yield

    def copy(self) -> None:
        """Make a copy by `trivox backup`, for `restore`."""
        self._copies += 1
        copy = self._folder / f"copy-{self._copies}.db"
        if trivox("backup", str(copy), "--database", str(self.database)).returncode == 0:
            self._copy = copy

    def restore(self, pause_s: float) -> None:
        """Kill it, put the last copy back by `trivox restore`, and start it."""
        with self._busy:
            self.kill()
            if self._copy is not None:
                before = self.throughs()
                done = trivox("restore", str(self._copy), "--database", str(self.database))
                if done.returncode == 0:
                    for name, through in before.items():
                        self.forgotten[name] = max(self.forgotten[name], through)
                    self._listener.forget()
                    time.sleep(pause_s)
                else:  # a command is writing to the database, which stays as it is
                    assert "another command writes" in done.stderr, done.stderr
            self.start()

    def throughs(self) -> dict[EpochName, int]:
        """Return how far each epoch is acknowledged, by the database."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return throughs(connection)


def trivox(*words: str, limit_s: float = 600.0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return its result."""
    return subprocess.run([TRIVOX, *words], capture_output=True, text=True, timeout=limit_s, check=False)
