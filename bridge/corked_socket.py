"""A socket for paho that reads and writes in large pieces; paho reads each message in four, and writes each alone."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

READ_BYTES = 262_144
MAX_WAITING_BYTES = 64 * 1024 * 1024


class CorkedSocket:
    """Serves `recv` from what `fill` has read, and keeps what is sent until `flush`; never blocks."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._read = b""
        self._at = 0
        self._waiting = bytearray()
        self._is_over = False

    def fill(self) -> None:
        """Read what has arrived; to be called when the socket is readable and nothing is `pending`."""
        try:
            data = self._inner.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            data = b""
        if not data:
            self._is_over = True
        self._read, self._at = data, 0

    def pending(self) -> bool:
        """Whether `recv` has something to give, the end of the connection included."""
        return self._is_over or self._at < len(self._read)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes of what was read; empty at the connection's end."""
        start = self._at
        if start >= len(self._read):
            if self._is_over:
                return b""
            raise BlockingIOError
        self._at = start + size
        return self._read[start : start + size]

    def send(self, data: bytes | bytearray) -> int:
        """Keep for `flush`."""
        if len(self._waiting) > MAX_WAITING_BYTES:
            raise ConnectionError("the broker does not read")
        self._waiting += data
        return len(data)

    def waiting(self) -> bool:
        """Whether there is something to `flush`."""
        return bool(self._waiting)

    def flush(self) -> None:
        """Write as much as goes out now."""
        try:
            while self._waiting:
                del self._waiting[: self._inner.send(self._waiting)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self._waiting.clear()
            self._is_over = True

    def fileno(self) -> int:
        """For select; -1 once closed."""
        return self._inner.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as socket.socket has it
        """See socket.socket."""
        self._inner.setblocking(flag)

    def close(self) -> None:
        """Write what still goes out, then close."""
        self.flush()
        self._inner.close()
