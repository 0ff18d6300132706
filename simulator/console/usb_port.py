"""The USB port of a board with MicroPython's REPL on it: the serial line, Ctrl-C, and the cable that is the power."""

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
    """A `SerialLine` whose far end may stop what the board runs.

    `interrupted` is called for each byte that is `interrupt`, which then is no input. `arrived` counts the bytes that
    came to the board since this was made.
    """

    def __init__(self, record: Path, port: Path, interrupted: Callable[[], None]) -> None:
        super().__init__(record, port)
        self.interrupt = NO_BYTE
        self.arrived = 0
        self._interrupted = interrupted
        self._pull_at: tuple[int, Callable[[], None]] | None = None
        self._is_cut = False

    def open(self) -> None:
        """Power has come."""
        self._is_cut = False
        super().open()

    def start_anew(self, *, vanishing: bool) -> None:
        """The board starts anew: what waited to be read is lost, and where USB is the chip's own the port goes too."""
        with self._hand:
            self._do(partial(self._start_anew, vanishing=vanishing))

    def pull_after(self, count: int, pulled: Callable[[], None]) -> None:
        """After `count` more bytes to the board nothing passes, and `pulled` is called, by a thread of its own."""
        self._pull_at = self.arrived + count, pulled

    def _start_anew(self, *, vanishing: bool) -> None:
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
            (last, pulled), self._pull_at = self._pull_at, None
            piece = piece[: last - self.arrived]
            self._is_cut = True
            threading.Thread(target=pulled, daemon=True).start()
        self.arrived += len(piece)
        while (place := next((n for n, byte in enumerate(piece) if byte == self.interrupt), None)) is not None:
            self._down += piece[:place]
            self._write(self._to_board[1], self._down)
            self._interrupted()
            piece = piece[place + 1 :]
        return piece
