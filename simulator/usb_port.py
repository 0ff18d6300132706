"""The USB port of a board with MicroPython's REPL on it: the serial line, Ctrl-C, a path that stays, and the cable."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from simulator.serial_line import SerialLine

NO_BYTE = 0x100
_PIECE = 4096


class UsbPort(SerialLine):
    """A `SerialLine` behind the symbolic link `link`, which is there as long as the board is seen on USB.

    `interrupted` is called for each byte that is `interrupt`, which then is no input. `arrived` counts the bytes that
    came to the board since the port was made.
    """

    def __init__(self, record: Path, link: Path, interrupted: Callable[[], None]) -> None:
        super().__init__(record)
        self.link = link
        self.interrupt = NO_BYTE
        self._interrupted = interrupted
        self.arrived = 0
        self._pull: tuple[int, Callable[[], None]] | None = None

    def open(self) -> None:
        """Be seen."""
        super().open()
        self.plugged = True
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))

    def close(self) -> None:
        """Be gone: whoever has it open reads an end, as after pulling the cable."""
        self.link.unlink(missing_ok=True)
        super().close()

    def start_anew(self, *, vanishing: bool) -> None:
        """The board starts anew: what waited to be read is lost, and where USB is the chip's own the port goes too."""
        assert self._to_board is not None  # noqa: S101 - `open` came first
        if vanishing:
            self.close()
            self.open()
            return
        os.set_blocking(self._to_board[0], False)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._to_board[0], _PIECE):
                pass
        os.set_blocking(self._to_board[0], True)

    def pull_after(self, count: int, pulled: Callable[[], None]) -> None:
        """After `count` more bytes to the board nothing passes, and `pulled` is called, by a thread of its own."""
        self._pull = self.arrived + count, pulled

    def _put(self, end: int, piece: bytes) -> None:
        assert self._to_board is not None  # noqa: S101
        if end != self._to_board[1]:
            super()._put(end, piece)
            return
        if self._pull and self.arrived + len(piece) >= self._pull[0]:
            (last, pulled), self._pull = self._pull, None
            piece = piece[: last - self.arrived]
            self.plugged = False
            threading.Thread(target=pulled, daemon=True).start()
        self.arrived += len(piece)
        while piece:
            place = next((n for n, byte in enumerate(piece) if byte == self.interrupt), len(piece))
            super()._put(end, piece[:place])
            if place < len(piece):
                self._interrupted()
            piece = piece[place + 1 :]
