"""The emulated board's USB serial port on this machine: a pty that comes and goes with the board."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from simulator.console.serial_line import SerialLine

PIECE = 4096


class UsbLine(SerialLine):
    """A `SerialLine` that says when a host opens or closes the port, as DTR does, and forgets all when it vanishes."""

    def __init__(self, record: Path, port: Path, on_open: Callable[[bool], None]) -> None:
        super().__init__(record, port)
        self._on_open = on_open
        self._was_open = False
        self._is_plugged = False

    def _has_host(self) -> bool:
        is_open = super()._has_host()
        if is_open != self._was_open:
            self._was_open = is_open
            self._on_open(is_open)
        return is_open

    def _vanish(self) -> None:
        super()._vanish()
        self._was_open = False
        self._down.clear()
        os.set_blocking(self._from_board[0], False)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._from_board[0], PIECE):
                pass
        os.set_blocking(self._from_board[0], True)
