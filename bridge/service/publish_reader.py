"""A socket for paho that takes the messages out before paho sees them, and reads and writes in large pieces.

Paho reads a message in four system calls and takes 40 microseconds over it, which would make it the narrowest place of
the whole way. So it keeps the connection (log-in, TLS, subscriptions, keep-alive, publishing), and PUBLISH packets,
nearly all that comes, are cut out of the stream here. They are acknowledged by `acknowledge`, after the commit.
"""

from __future__ import annotations

import ssl
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    Take = Callable[[bytes, bytes, int, bool], None]
    """Called with topic, payload, packet identifier (0: nothing to acknowledge), and whether it was retained."""

READ_BYTES = 262_144
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_LENGTH_BYTES = 4
MAX_PACKET_BYTES = 4 * 1024 * 1024  # of a larger message only the start is taken, so that none fills the memory
START_BYTES = 128 * 1024
PUBLISH, QOS, RETAINED = 0x30, 0x06, 0x01
PUBACK = struct.Struct("!BBH")


class TappedSocket:
    """Hands messages to `take`, serves `recv` from the rest, and keeps what is sent until `flush`; never blocks."""

    def __init__(self, inner: socket.socket, take: Take) -> None:
        self._inner = inner
        self._take = take
        self._left = bytearray()  # the start of a packet that has not arrived whole
        self._need = 0  # how long that will be, as far as it is known
        self._skip = 0  # how much of a packet that is too large is still to come
        self._rest = bytearray()  # packets for paho
        self._waiting = bytearray()
        self._is_over = False

    def fill(self) -> None:
        """Read what has arrived; to be called when the socket is readable."""
        try:
            data = self._inner.recv(READ_BYTES)
            while data and isinstance(self._inner, ssl.SSLSocket) and self._inner.pending():
                data += self._inner.recv(READ_BYTES)  # TLS gives a record at a time, and select does not see the rest
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            data = b""
        if not data:
            self._is_over = True
            return
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if not self._left:
            self._left += self._split(data)
            return
        self._left += data
        if len(self._left) >= self._need:
            whole = bytes(self._left)
            self._left = bytearray(self._split(whole))

    def _split(self, data: bytes) -> bytes:
        """Cut the stream into packets; what is left of it."""
        at, size = 0, len(data)
        self._need = 0
        while at + 1 < size:
            length = data[at + 1]
            start = at + 2
            if length > 127:  # noqa: PLR2004 - the highest bit says that more bytes of the length follow
                length &= 127
                shift = 7
                while start < size:
                    byte = data[start]
                    length |= (byte & 127) << shift
                    start += 1
                    shift += 7
                    if byte < 128 or shift > 7 * MAX_LENGTH_BYTES:  # noqa: PLR2004 - see above
                        break
                else:
                    break
            end = start + length
            head = data[at]
            if end > size:
                if length > MAX_PACKET_BYTES and head & 0xF0 == PUBLISH:
                    return self._cut(head, data, at, start, end)
                self._need = end - at
                break
            if head & 0xF0 == PUBLISH:
                self._publish(head, data, start, end)
            else:
                self._rest += data[at:end]
            at = end
        return data[at:] if at else data

    def _cut(self, head: int, data: bytes, at: int, start: int, end: int) -> bytes:
        """Take the start of a message that is too large, once there is enough of it; what is left then."""
        if len(data) - start < START_BYTES:
            self._need = start + START_BYTES - at
            return data[at:]
        self._publish(head, data, start, start + START_BYTES)
        self._skip = end - len(data)
        return b""

    def _publish(self, head: int, data: bytes, start: int, end: int) -> None:
        payload = start + 2 + (data[start] << 8 | data[start + 1])
        topic = data[start + 2 : payload]
        if head & QOS:
            mid = data[payload] << 8 | data[payload + 1]
            self._take(topic, data[payload + 2 : end], mid, bool(head & RETAINED))
        else:
            self._take(topic, data[payload:end], 0, bool(head & RETAINED))

    def acknowledge(self, identifiers: Iterable[int]) -> None:
        """Send a PUBACK for each packet identifier."""
        self._waiting += b"".join([PUBACK.pack(0x40, 2, identifier) for identifier in identifiers])

    def pending(self) -> bool:
        """Whether `recv` has something to give, the end of the connection included."""
        return self._is_over or bool(self._rest)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes of what is not a message; empty at the connection's end."""
        if not self._rest and not self._is_over:
            raise BlockingIOError
        data = bytes(self._rest[:size])
        del self._rest[:size]
        return data

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
