"""The USB serial line of a board without radio: a pty whose far end the host opens, and pipes to the process."""

import contextlib
import os
import select
import selectors
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

_PIECE = 4096
_PATIENCE_S = 0.5  # as the USB stack of a board has


class SerialLine:
    """Pumps between the pty and the process. What nobody reads is lost, as it is on a real board; `record` keeps it."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._master = self._slave = -1
        self._to_board: tuple[int, int] | None = None
        self._from_board: tuple[int, int] | None = None
        self._stop: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._deaf: set[int] = set()
        self.plugged = True

    @property
    def port(self) -> str:
        """The path that the host opens; lives from power-on to power-off."""
        return os.ttyname(self._slave)

    def open(self) -> None:
        """Make the pty and begin to pump."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._to_board, self._from_board, self._stop = os.pipe(), os.pipe(), os.pipe()
        os.set_blocking(self._to_board[1], False)
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def streams(self) -> Iterator[tuple[int, int]]:
        """Standard input and output for a process."""
        assert self._to_board is not None  # noqa: S101 - `open` came first
        assert self._from_board is not None  # noqa: S101
        yield self._to_board[0], self._from_board[1]

    def close(self) -> None:
        """End it."""
        if self._thread and self._stop:
            os.write(self._stop[1], b"!")
            self._thread.join(10)
            self._thread = None
            for pair in (self._to_board, self._from_board, self._stop, (self._master, self._slave)):
                for end in pair or ():
                    os.close(end)

    def _pump(self) -> None:
        assert self._to_board is not None  # noqa: S101
        assert self._from_board is not None  # noqa: S101
        assert self._stop is not None  # noqa: S101
        ways = {self._master: self._to_board[1], self._from_board[0]: self._master}
        with selectors.DefaultSelector() as selector, self._record.open("ab", buffering=0) as record:
            for source in (*ways, self._stop[0]):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == self._stop[0]:
                        return
                    piece = os.read(key.fd, _PIECE)
                    if key.fd == self._from_board[0]:
                        record.write(piece)
                    if self.plugged:
                        self._put(ways[key.fd], piece)

    def _put(self, end: int, piece: bytes) -> None:
        """Write it all, if somebody reads; who has not read for a while is not waited for again."""
        while piece:
            if not select.select([], [end], [], 0 if end in self._deaf else _PATIENCE_S)[1]:
                self._deaf.add(end)
                return
            self._deaf.discard(end)
            piece = piece[os.write(end, piece) :]
