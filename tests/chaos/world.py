"""Start the world that is broken: consoles, a broker, a bridge on its database, and the networks between them."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from simulator.console.console import Console
from simulator.errors import ConsoleError, SimulatorError
from tests.chaos.listener import WireListener
from tests.chaos.programs import FragileBridge, FragileGateway, trivox
from tests.chaos.proxy import Proxy
from tests.support.mosquitto import Mosquitto
from tests.support.programs import is_stopped, wait_until
from tests.support.time_server import TimeServer

SITE = "shop"
START_S = 300.0
# The first settings: short times, so that much happens. People stay clear of every boundary.
TIMINGS = {"survey_window_ms": 3000, "long_press_ms": 900, "reopen_guard_ms": 700, "stuck_ms": 5000}


@dataclass
class ChaosTill:
    """A console and what the harness has done to it."""

    console: Console
    has_late_interrupts: (
        bool  # its interrupts wait while its main loop does: of two presses of a button it may see only one
    )
    is_full: bool = False  # its flash is full, or is about to be
    overflowed: bool = False  # its flash was ever full
    flash_lock: threading.RLock = field(default_factory=threading.RLock)  # held while its flash is filled or freed
    play_requested: threading.Event = field(default_factory=threading.Event)  # somebody is to press as fast as possible
    stops: list[tuple[float, float]] = field(default_factory=list)  # when its process was stopped, see `Stops`

    @property
    def is_stopped(self) -> bool:
        """Whether its process is stopped, as the system says, whoever stopped it and whatever happened since."""
        with suppress(SimulatorError):
            return is_stopped(self.console.pid)
        return False

    def awake(self) -> Console:
        """Return its console; raise ConsoleError if that is stopped: it would obey later, when nobody expects it."""
        if self.is_stopped:
            raise ConsoleError(f"{self.console.console_id} is stopped.")
        return self.console


class ChaosWorld:
    """Everything that runs; use it as a context manager.

    `tills` are the consoles with radio, then those without, which have a gateway; `twin` is a second board with the
    id of the first.
    """

    def __init__(self, folder: Path, consoles: int, picos: int = 0, heartbeat_ms: int = 1000) -> None:
        self.folder = folder
        self._heartbeat_ms = heartbeat_ms
        self.broker = Mosquitto(folder, persistent=True)
        self.broker_busy = threading.RLock()
        self.to_consoles = Proxy(self.broker.port)
        self.to_bridge = Proxy(self.broker.port)
        self.time_server = TimeServer()
        self.listener = WireListener(self.broker.port)
        self.bridge = FragileBridge(folder, self.to_bridge.port, self.listener)
        self.right_until_s = float("inf")  # `time.monotonic` at which the first clock was made wrong
        boards = ("unix", "esp32", "pico_w")
        self.tills = [self._till(number, boards[number % 3]) for number in range(consoles)]
        self.picos = [self._till(number, "pico") for number in range(consoles, consoles + picos)]
        self.tills += self.picos
        ports = [till.console.serial_port for till in self.picos]
        self.gateway = FragileGateway(folder, self.to_consoles.port, ports)
        self.twin_seen = False
        self.twin = self._till(0, "unix", hardware_id="0123456789ab")

    def _till(self, number: int, board: str, hardware_id: str | None = None) -> ChaosTill:
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
        return ChaosTill(console, has_late_interrupts=board == "esp32" or interrupts == "soft")

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
        wait_until("all consoles have sent events", lambda: len(self.bridge.throughs()) >= len(self.tills), START_S)

    def command(self, *words: str) -> None:
        """Run a command on the bridge's database; it may fail, as the database may be locked or full."""
        trivox(*words, "--database", str(self.bridge.database))

    def everyone(self) -> list[ChaosTill]:
        """Return all tills, the twin included."""
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


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; return False if the process has ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
