"""Simulate the USB port of a board with a REPL: the serial line, Ctrl-C, and the cable that also brings the power."""

import contextlib
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from simulator.console.serial_line import SerialLine

NO_BYTE = 0x100
_PIECE = 4096


class UsbPort(SerialLine):
    """A `SerialLine` whose host can interrupt what the board runs.

    `on_interrupt` is called for each byte that equals `interrupt`; that byte is not passed on as input. `arrived`
    counts the bytes that have come to the board since this object was made.
    """

    def __init__(self, record: Path, port: Path, on_interrupt: Callable[[], None]) -> None:
        super().__init__(record, port)
        self.interrupt = NO_BYTE
        self.arrived = 0
        self._on_interrupt = on_interrupt
        self._pull_at: tuple[int, Callable[[], None]] | None = None
        self._is_cut = False

    def open(self) -> None:
        """Begin to pump, with the cable plugged in."""
        self._is_cut = False
        super().open()

    def restart(self, *, vanishing: bool) -> None:
        """Drop unread input, as the board restarts; if `vanishing`, replace the port too."""
        with self._lock:
            self._do(partial(self._restart, vanishing=vanishing))

    def pull_after(self, count: int, on_pull: Callable[[], None]) -> None:
        """Let nothing pass after `count` more bytes to the board, and call `on_pull` then, in a thread of its own."""
        self._pull_at = self.arrived + count, on_pull

    def _restart(self, *, vanishing: bool) -> None:
        if vanishing:
            self._vanish()
            self._appear()
        self._down.clear()
        os.set_blocking(self._to_board[0], False)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._to_board[0], _PIECE):
                pass
        os.set_blocking(self._to_board[0], True)

    def _read(self) -> bytes:
        piece = b"" if self._is_cut else super()._read()
        if self._pull_at and self.arrived + len(piece) >= self._pull_at[0]:
            (last, on_pull), self._pull_at = self._pull_at, None
            piece = piece[: last - self.arrived]
            self._is_cut = True
            threading.Thread(target=on_pull, daemon=True).start()
        self.arrived += len(piece)
        while (place := next((n for n, byte in enumerate(piece) if byte == self.interrupt), None)) is not None:
            self._down += piece[:place]
            self._write(self._to_board[1], self._down)
            self._on_interrupt()
            piece = piece[place + 1 :]
        return piece
