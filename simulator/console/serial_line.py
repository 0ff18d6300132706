"""Simulate the USB serial line of a board without radio: a pty that the host opens, and pipes to the process."""

import contextlib
import os
import queue
import random
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_PIECE = 4096
_PIPE_BYTES = 4096  # the smallest size that a pipe can have; a board holds less
_LOOK_MS = 20  # how often to check whether a host has opened the port
_LIMIT_S = 10.0


def _set_raw(terminal: int) -> None:
    import tty  # noqa: PLC0415 - Windows lacks it, and loads this module only to show a command's help

    tty.setraw(terminal)


def _limit_pipe(end: int) -> None:
    import fcntl  # noqa: PLC0415 - see above

    fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class SerialLine:
    """A pump between the pty and the process; all that the board writes is appended to the file `record`.

    `port` is the path that the host opens. It is there from power-on to power-off while the cable is plugged in, and
    comes back under the same name, as udev's links do. What the board writes while no host has the port open is lost,
    but for the last few KiB. A host that has it open and does not read makes the board wait, as USB does.
    """

    def __init__(self, record: Path, port: Path) -> None:
        self.port = port
        self._record = record
        self._master = -1
        self._to_board: tuple[int, int] = (-1, -1)
        self._from_board: tuple[int, int] = (-1, -1)
        self._wake: tuple[int, int] = (-1, -1)
        self._tasks: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()  # one thread at a time changes power or cable
        self._is_over = False
        self._is_plugged = True
        self._rate = 0.0
        self._chance = random.Random(0)
        self._up = bytearray()  # from the board, to be written to the host
        self._down = bytearray()

    def open(self) -> None:
        """Begin to pump, at power-on."""
        with self._lock:
            self._to_board, self._from_board, self._wake = os.pipe(), os.pipe(), os.pipe()
            os.set_blocking(self._to_board[1], False)
            _limit_pipe(self._from_board[1])
            self._is_over = False
            if self._is_plugged:
                self._appear()
            self._thread = threading.Thread(target=self._pump, daemon=True)
            self._thread.start()

    @contextlib.contextmanager
    def streams(self) -> Iterator[tuple[int, int]]:
        """Give the descriptors that are standard input and output of a process."""
        yield self._to_board[0], self._from_board[1]

    def close(self) -> None:
        """Stop pumping and remove the port, at power-off."""
        with self._lock:
            if self._thread:
                self._do(self._end)
                self._thread.join(_LIMIT_S)
                self._thread = None
                for end in (*self._to_board, *self._from_board, *self._wake):
                    os.close(end)

    def pull(self) -> None:
        """Pull the cable: the host's port vanishes, and data under way are lost; the board keeps its power."""
        with self._lock:
            self._is_plugged = False
            self._do(self._vanish)

    def plug(self) -> None:
        """Plug the cable in again."""
        with self._lock:
            self._is_plugged = True
            self._do(self._appear)

    def disturb(self, rate: float, seed: int = 0) -> None:
        """Change a share of the bytes, both ways, at random: `rate` is 0 for none, 1 for all."""
        self._chance = random.Random(seed)
        self._rate = rate

    def _do(self, task: Callable[[], None]) -> None:
        """Have the pumping thread do a task, if there is power, and wait for it."""
        if self._thread:
            done = threading.Event()
            self._tasks.put((task, done))
            os.write(self._wake[1], b"!")
            done.wait(_LIMIT_S)

    # -- all that follows runs in the pumping thread -----------------------------------------------------------------

    def _end(self) -> None:
        self._vanish()
        self._is_over = True

    def _appear(self) -> None:
        if self._master < 0:
            self._master, slave = os.openpty()
            _set_raw(slave)
            os.set_blocking(self._master, False)
            self.port.unlink(missing_ok=True)
            self.port.symlink_to(os.ttyname(slave))
            os.close(slave)  # then only a host has it open, and `_has_host` can see whether one does

    def _vanish(self) -> None:
        if self._master >= 0:
            self.port.unlink(missing_ok=True)
            os.close(self._master)
            self._master = -1
        self._up.clear()

    def _pump(self) -> None:
        with self._record.open("ab", buffering=0) as record:
            while not self._is_over:
                ready = self._ready()
                if self._wake[0] in ready:
                    os.read(self._wake[0], 1)
                    task, done = self._tasks.get()
                    task()
                    done.set()
                    continue
                if ready.get(self._from_board[0], 0) & select.POLLIN:
                    piece = os.read(self._from_board[0], _PIECE)
                    record.write(piece)
                    self._up += self._disturbed(piece)
                if ready.get(self._master, 0) & select.POLLIN:
                    self._down += self._disturbed(self._read())
                self._write(self._to_board[1], self._down)
                self._write(self._master, self._up)
                if not self._has_host():
                    self._up.clear()

    def _ready(self) -> dict[int, int]:
        """Wait for something to do; return the events of `poll` by descriptor."""
        poll = select.poll()
        poll.register(self._wake[0], select.POLLIN)
        if not self._up:
            poll.register(self._from_board[0], select.POLLIN)
        if self._down:
            poll.register(self._to_board[1], select.POLLOUT)
        if self._has_host():
            reads = 0 if self._down else select.POLLIN
            poll.register(self._master, reads | (select.POLLOUT if self._up else 0))
            return dict(poll.poll())
        return dict(poll.poll(_LOOK_MS)) | self._unread_input()

    def _unread_input(self) -> dict[int, int]:
        """Return the events of what a host wrote before it closed the port."""
        if self._master < 0 or self._down:
            return {}
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        return dict(poll.poll(0))

    def _has_host(self) -> bool:
        if self._master < 0:
            return False
        poll = select.poll()
        poll.register(self._master, 0)
        return not poll.poll(0)

    def _read(self) -> bytes:
        try:
            return os.read(self._master, _PIECE)
        except OSError:
            return b""  # the host has closed it

    @staticmethod
    def _write(end: int, data: bytearray) -> None:
        if data and end >= 0:
            with contextlib.suppress(BlockingIOError):
                del data[: os.write(end, data)]

    def _disturbed(self, piece: bytes) -> bytes:
        if not self._rate:
            return piece
        return bytes(self._chance.randrange(256) if self._chance.random() < self._rate else byte for byte in piece)
