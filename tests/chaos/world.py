"""The world that is broken: consoles, a broker, a bridge on its file, and the networks between them, all real."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, Self

from simulator.console.console import Console
from simulator.errors import ConsoleError, SimulatorError
from tests.chaos.gateway import Gateway
from tests.chaos.listener import Listener
from tests.chaos.proxy import Proxy
from tests.chaos.table import throughs
from tests.chaos.witness import EpochName
from tests.support.mosquitto import Mosquitto
from tests.support.programs import TRIVOX, wait_until
from tests.support.time_server import TimeServer

SITE = "shop"
START_S = 300.0
FULL_BYTES = 4096  # what a file may still hold while the disk is full: less than any database
LIMIT = resource.RLIMIT_FSIZE
# What `trivox settings set` is told first: short, so that much happens; people keep clear of every boundary.
TIMINGS = {"survey_window_ms": 3000, "long_press_ms": 900, "reopen_guard_ms": 700, "stuck_ms": 5000}


@dataclass
class Till:
    """A console in its place."""

    console: Console
    is_late: bool  # its interrupts wait while its main loop does: of two presses of a button it may see one
    is_full: bool = False  # it is, or is about to be
    overflowed: bool = False  # was it ever full?
    filling: threading.RLock = field(default_factory=threading.RLock)  # held by who fills its flash, or frees it
    plays: threading.Event = field(default_factory=threading.Event)  # somebody presses as fast as he can
    stops: list[tuple[float, float]] = field(default_factory=list)  # when its process was stopped, see `Stops`

    @property
    def is_stopped(self) -> bool:
        """Does its process stand still? The system is asked, whoever stopped it, and whatever became of it since."""
        with suppress(SimulatorError):
            return is_stopped(self.console.pid)
        return False

    def awake(self) -> Console:
        """Its console; ConsoleError if that is stopped: it would obey later, when nobody expects it any more."""
        if self.is_stopped:
            raise ConsoleError(f"{self.console.console_id} is stopped.")
        return self.console


class Bridge:
    """`trivox bridge` on its file, started, killed and restored; one thread at a time does so."""

    def __init__(self, folder: Path, port: int, listener: Listener) -> None:
        self.database = folder / "trivox.db"
        self._folder = folder
        self._port = port
        self._log = folder / "bridge.log"
        self._busy = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._copy: Path | None = None
        self._copies = 0
        self.forgotten: dict[EpochName, int] = defaultdict(int)
        self.deaths: list[str] = []
        self.unkept: list[str] = []  # what it acknowledged, and its database does not hold
        self._listener = listener

    def running_pid(self) -> int | None:
        """The number of its process; None if it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it, unless it runs."""
        with self._busy:
            if self.running_pid() is not None:
                return
            self.kill()  # notes that it died
            where = ("--broker", f"mqtt://127.0.0.1:{self._port}", "--database", str(self.database))
            words = [TRIVOX, "bridge", *where, "--metrics-port", "0"]
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            threading.Thread(target=self._keep_log, args=(self._process.stdout,), daemon=True).start()

    def _keep_log(self, said: IO[bytes]) -> None:
        """In this process: the limit on its files is the database's, not the log's."""
        with said, self._log.open("ab", buffering=0) as log:
            for line in said:
                log.write(line)

    def kill(self) -> None:
        """End it by SIGKILL. That it had ended by itself is written down: it must not."""
        with self._busy:
            if self._process is None:
                return
            if self._process.poll() is not None:
                words = self._log.read_text("utf-8", "replace").strip().split("\n")[-1]
                self.deaths.append(f"the bridge ended by itself ({self._process.returncode}): {words}")
            self._process.kill()
            self._process.wait()
            self._process = None
            self.compare()

    def compare(self) -> None:
        """Whatever was heard to be acknowledged is in the database by then."""
        with self._busy:
            heard = self._listener.acknowledged()
            stored = self.throughs()
            for name, through in heard.items():
                if stored.get(name, 0) < through:
                    self.unkept.append(f"{'/'.join(name)}: {through} was acknowledged, stored was {stored.get(name)}")

    def disk(self, *, full: bool) -> None:
        """Let no file of its grow beyond a few bytes, or again as they like."""
        with self._busy:
            pid = self.running_pid()
            if pid is not None:
                most = FULL_BYTES if full else resource.RLIM_INFINITY
                resource.prlimit(pid, LIMIT, (most, resource.RLIM_INFINITY))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another program holds the database's write lock."""
        other = sqlite3.connect(self.database, isolation_level=None, check_same_thread=False, timeout=2)
        with closing(other):
            with suppress(sqlite3.OperationalError):  # it is locked already
                other.execute("BEGIN IMMEDIATE")
            yield

    def copy(self) -> None:
        """`trivox backup`, for `restore`."""
        self._copies += 1
        copy = self._folder / f"copy-{self._copies}.db"
        if trivox("backup", str(copy), "--database", str(self.database)).returncode == 0:
            self._copy = copy

    def restore(self, pause_s: float) -> None:
        """Kill it, `trivox restore` the last copy, start it."""
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
                else:  # a command writes the database just now: it is left as it is
                    assert "another command writes" in done.stderr, done.stderr
            self.start()

    def throughs(self) -> dict[EpochName, int]:
        """How far each epoch is acknowledged, by the database."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return throughs(connection)


class World:
    """Everything, running, from `with` to its end.

    `tills` are the consoles with radio, then those without, which have a gateway; `twin` is another of the first.
    """

    def __init__(self, folder: Path, consoles: int, picos: int = 0, heartbeat_ms: int = 1000) -> None:
        self.folder = folder
        self._heartbeat_ms = heartbeat_ms
        self.broker = Mosquitto(folder, persistent=True)
        self.broker_busy = threading.RLock()
        self.to_consoles = Proxy(self.broker.port)
        self.to_bridge = Proxy(self.broker.port)
        self.time_server = TimeServer()
        self.listener = Listener(self.broker.port)
        self.bridge = Bridge(folder, self.to_bridge.port, self.listener)
        self.right_until_s = float("inf")  # `time.monotonic` at which the first clock was made wrong
        boards = ("unix", "esp32", "pico_w")
        self.tills = [self._till(number, boards[number % 3]) for number in range(consoles)]
        self.picos = [self._till(number, "pico") for number in range(consoles, consoles + picos)]
        self.tills += self.picos
        ports = [till.console.serial_port for till in self.picos]
        self.gateway = Gateway(folder, self.to_consoles.port, ports)
        self.twin_seen = False
        self.twin = self._till(0, "unix", hardware_id="0123456789ab")

    def _till(self, number: int, board: str, hardware_id: str | None = None) -> Till:
        console_id = f"till-{number + 1}"
        architecture: Literal["amd64", "i386"] = "i386" if number % 4 == 1 else "amd64"
        interrupts: Literal["hard", "soft"] = "soft" if number % 2 else "hard"
        console = Console(
            self.folder / (console_id if hardware_id is None else f"{console_id}-twin"),
            site_id=SITE,
            console_id=console_id,
            board=board,
            architecture=architecture,
            broker=f"mqtt://127.0.0.1:{self.to_consoles.port}",
            ntp_host=f"127.0.0.1:{self.time_server.port}",
            interrupts=interrupts,
            hardware_id=hardware_id,
        )
        return Till(console, is_late=board == "esp32" or interrupts == "soft")

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        self.broker.start()
        self.listener.start()
        values = [f"{name}={value}" for name, value in {**TIMINGS, "heartbeat_ms": self._heartbeat_ms}.items()]
        self.bridge.start()
        wait_until("the bridge has made its database", self.bridge.database.exists, START_S)
        set_first = ("settings", "set", "--all", *values, "--database", str(self.bridge.database))
        wait_until("the settings are set", lambda: trivox(*set_first).returncode == 0, START_S)
        self.gateway.start()
        for till in self.tills:
            till.console.power_on()
        self.bridge.copy()
        wait_until("all consoles are heard", lambda: len(self.bridge.throughs()) >= len(self.tills), START_S)

    def command(self, *words: str) -> None:
        """A command for the bridge; that it can't be done now (a locked or full database) is no fault of the world."""
        trivox(*words, "--database", str(self.bridge.database))

    def everyone(self) -> list[Till]:
        """All boards, the twin too."""
        return [*self.tills, self.twin]

    def close(self) -> None:
        """End everything."""
        for till in self.everyone():
            with suppress(SimulatorError):
                till.console.power_off()
        self.gateway.kill()
        self.bridge.kill()
        self.listener.close()
        self.to_consoles.close()
        self.to_bridge.close()
        with self.broker_busy:
            self.broker.stop()
        self.time_server.close()


def is_stopped(pid: int) -> bool:
    """Does this process stand still (SIGSTOP)?"""
    try:
        words = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return words[0] == "T"


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False if there is no such process any more."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def trivox(*words: str, limit_s: float = 600.0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([TRIVOX, *words], capture_output=True, text=True, timeout=limit_s, check=False)
