"""Simulate a board fresh from its box: MicroPython, an empty filesystem, and the REPL on USB."""

import hashlib
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from simulator.console.console import Console
from simulator.console.micropython_process import BoardProcess
from simulator.console.power import OnEnd, PlannedCut
from simulator.console.usb_port import NO_BYTE, UsbPort
from simulator.errors import ConsoleError

_OWN_USB = ("pico", "pico_w")  # the chip does USB itself, so the port vanishes with each reset; an ESP32 has a USB chip
PROMPT = ">>> "
_PROMPT_LIMIT_S = 30.0


class BareBoard(Console):
    """A board in `folder` that runs what is on its flash; a host puts it there over `port`.

    Once firmware is on it, it can do what a `Console` can. Wi-Fi is the simulator's network (`WIFI` in
    `simulator/console/console_json.py`), which leads straight to this machine: it can't be cut or made to hang. Its
    hardware id is derived from `folder`, unless one or a console is given.
    """

    def __init__(self, folder: Path, board: str, **others: Any) -> None:
        if board == "unix":
            raise ConsoleError("A bare board needs a filesystem at its root: choose esp32, pico_w or pico.")
        if "console_id" not in others:  # it has no name yet, so two boards differ by where they lie
            digits = hashlib.sha256(str(Path(folder).resolve()).encode()).hexdigest()
            others.setdefault("hardware_id", digits[: 16 if board.startswith("pico") else 12])
        super().__init__(folder, board=board, installed=True, **others)
        self._fixed["bare"] = True
        self._fixed["raw"] = False
        self._line: UsbPort = UsbPort(self._serial_path, self.folder / "usb", self._interrupt)

    @property
    def port(self) -> str:
        """The path of the host's side: a link, there while the board can be seen, with a new target each time."""
        return str(self._line.port)

    @property
    def arrived(self) -> int:
        """The number of bytes that have come from the host since this object was made."""
        return self._line.arrived

    def plug_in_holding(self, *buttons: str) -> None:
        """Power on with these buttons held, and release them once the prompt is there."""
        self._closed.update({str(self._pin(button)): 0 for button in buttons})
        self.power_on()
        deadline = time.monotonic() + _PROMPT_LIMIT_S
        while PROMPT not in self.runs()[-1].output:
            if time.monotonic() > deadline:
                raise ConsoleError(f"The board {self.board} did not reach its prompt; see {self._serial_path}.")
            time.sleep(0.05)
        for button in buttons:
            self.release(button)

    def pull_cable_after(self, count: int) -> threading.Event:
        """Pull the cable, and cut the power with it, after `count` more bytes from the host; the event is set then."""
        pulled = threading.Event()

        def pull() -> None:
            self.power_off()
            pulled.set()

        self._line.pull_after(count, pull)
        return pulled

    def _files(self) -> dict[str, str]:
        return {}

    def _take(self, message: list[Any]) -> None:
        if message[0] == "interrupt":
            self._line.interrupt = message[1] if message[1] >= 0 else NO_BYTE
        elif message[0] == "raw":
            self._fixed["raw"] = message[1]
        else:
            super()._take(message)

    def _interrupt(self) -> None:
        with suppress(ConsoleError):  # it has no power, or has just ended
            self._supply.running_process().ask("interrupt")

    def _start(self, reset: str, cut: PlannedCut | None, on_end: OnEnd) -> BoardProcess:
        self._line.interrupt = NO_BYTE
        if reset != "soft":
            self._fixed["raw"] = False
        if reset not in {"soft", "power_on"}:
            self._line.restart(vanishing=self.board in _OWN_USB)
        return super()._start(reset, cut, on_end)
