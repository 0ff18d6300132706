"""A simulated board as a technician takes it from its box: MicroPython, an empty filesystem, and its REPL on USB."""

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from simulator.console.console import Console
from simulator.console.micropython_process import Process
from simulator.console.power import Cut, Gone
from simulator.console.usb_port import NO_BYTE, UsbPort
from simulator.errors import ConsoleError

_VANISHING = ("pico", "pico_w")  # their USB is the chip's own, so it goes with each reset; an ESP32 has a chip for it
PROMPT = ">>> "
_PROMPT_LIMIT_S = 30.0


class BareBoard(Console):
    """A board in `folder`, which runs what lies on its flash; a host puts it there over `port`.

    What `Console` can do it can too, once there is firmware on it. Wi-Fi is the simulator's network (`WIFI` in
    `simulator/console/console_json.py`), which leads to this machine as it is: neither cut nor hung.
    """

    def __init__(self, folder: Path, board: str, **others: Any) -> None:
        if board == "unix":
            raise ConsoleError("A bare board needs a filesystem at its root: take esp32, pico_w or pico.")
        super().__init__(folder, board=board, installed=True, **others)
        self._fixed["bare"] = True
        self._fixed["raw"] = False
        self._line: UsbPort = UsbPort(self._serial_path, self.folder / "usb", self._interrupt)

    @property
    def port(self) -> str:
        """The path of the host's side, a link that is there while the board is seen; it leads elsewhere each time."""
        return str(self._line.port)

    @property
    def arrived(self) -> int:
        """How many bytes have come from the host since this object was made."""
        return self._line.arrived

    def plug_in_holding(self, *buttons: str) -> None:
        """Power on with these buttons held, and let go of them once the prompt is there."""
        self._closed.update({str(self._pin(button)): 0 for button in buttons})
        self.power_on()
        deadline = time.monotonic() + _PROMPT_LIMIT_S
        while PROMPT not in self.runs()[-1].output:
            if time.monotonic() > deadline:
                raise ConsoleError(f"The board {self.board} did not come to its prompt; see {self._serial_path}.")
            time.sleep(0.05)
        for button in buttons:
            self.release(button)

    def pull_cable_after(self, count: int) -> threading.Event:
        """Pull the cable, from which comes the power too, after so many more bytes from the host; the event tells."""
        gone = threading.Event()

        def pulled() -> None:
            self.power_off()
            gone.set()

        self._line.pull_after(count, pulled)
        return gone

    def _files(self) -> dict[str, str]:
        return {}

    def _take(self, words: list[Any]) -> None:
        if words[0] == "interrupt":
            self._line.interrupt = words[1] if words[1] >= 0 else NO_BYTE
        elif words[0] == "raw":
            self._fixed["raw"] = words[1]
        else:
            super()._take(words)

    def _interrupt(self) -> None:
        with suppress(ConsoleError):  # it has no power, or has just ended
            self._supply.running().ask("interrupt")

    def _start(self, reset: str, cut: Cut | None, gone: Gone) -> Process:
        self._line.interrupt = NO_BYTE
        if reset != "soft":
            self._fixed["raw"] = False
        if reset not in {"soft", "power_on"}:
            self._line.start_anew(vanishing=self.board in _VANISHING)
        return super()._start(reset, cut, gone)
