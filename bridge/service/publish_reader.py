"""Read PUBLISH packets from the broker's socket before paho sees them, and read and write in large pieces.

Paho needs four system calls and 40 microseconds for each message, which would make it the bottleneck of the bridge. So
paho only manages the connection (log-in, TLS, subscriptions, keep-alive, publishing), and PUBLISH packets, nearly all
of the traffic, are cut out of the stream here. `acknowledge` acknowledges them, after the commit.
"""

from __future__ import annotations

import ssl
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    HandleMessage = Callable[[bytes, bytes, int, bool], None]
    """Called with topic, payload, packet identifier (0: nothing to acknowledge), and whether it was retained."""

READ_BYTES = 262_144
MAX_UNSENT_BYTES = 64 * 1024 * 1024
MAX_LENGTH_BYTES = 4
MAX_PACKET_BYTES = 4 * 1024 * 1024  # only the start of a larger message is kept, so that none fills the memory
START_BYTES = 128 * 1024
PUBLISH, QOS, RETAINED = 0x30, 0x06, 0x01
PUBACK = 0x4002  # its first two bytes: the type, and how many bytes follow


class PublishReader:
    """A socket for paho that never blocks.

    It passes messages to `handle_message`, serves `recv` from all other packets, and buffers writes until `flush`.
    """

    def __init__(self, inner: socket.socket, handle_message: HandleMessage) -> None:
        self._inner = inner
        self._handle_message = handle_message
        self._partial = bytearray()  # the start of a packet that has not arrived completely
        self._partial_size = 0  # bytes needed before it is worth looking again; 0: unknown
        self._skip = 0  # bytes still to come of a packet that is too large
        self._for_paho = bytearray()  # all other packets
        self._unsent = bytearray()
        self._is_over = False

    def fill(self) -> None:
        """Read what has arrived; call this when the socket is readable."""
        try:
            data = self._inner.recv(READ_BYTES)
            while data and isinstance(self._inner, ssl.SSLSocket) and self._inner.pending():
                data += self._inner.recv(READ_BYTES)  # TLS returns one record, and select does not see the others
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
        if not self._partial:
            self._partial += self._split(data)
            return
        self._partial += data
        if len(self._partial) >= self._partial_size:
            self._partial = bytearray(self._split(bytes(self._partial)))

    def _split(self, data: bytes) -> bytes:
        """Cut the stream into packets; return the incomplete rest."""
        at, size = 0, len(data)
        self._partial_size = 0
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
                    return self._take_start(head, data, at, start, end)
                self._partial_size = end - at
                break
            if head & 0xF0 == PUBLISH:
                self._take_publish(head, data, start, end)
            else:
                self._for_paho += data[at:end]
            at = end
        return data[at:] if at else data

    def _take_start(self, head: int, data: bytes, at: int, start: int, end: int) -> bytes:
        """Take the start of an oversized message once enough of it is there; return what is left."""
        if len(data) - start < START_BYTES:
            self._partial_size = start + START_BYTES - at
            return data[at:]
        self._take_publish(head, data, start, start + START_BYTES)
        self._skip = end - len(data)
        return b""

    def _take_publish(self, head: int, data: bytes, start: int, end: int) -> None:
        payload = start + 2 + (data[start] << 8 | data[start + 1])
        topic = data[start + 2 : payload]
        if head & QOS:
            mid = data[payload] << 8 | data[payload + 1]
            self._handle_message(topic, data[payload + 2 : end], mid, bool(head & RETAINED))
        else:
            self._handle_message(topic, data[payload:end], 0, bool(head & RETAINED))

    def acknowledge(self, identifiers: Iterable[int]) -> None:
        """Send a PUBACK for each packet identifier."""
        numbers = [number for identifier in identifiers for number in (PUBACK, identifier)]
        self._unsent += struct.pack(f"!{len(numbers)}H", *numbers)

    def pending(self) -> bool:
        """Return whether `recv` can return something; the end of the connection counts."""
        return self._is_over or bool(self._for_paho)

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes of packets other than PUBLISH; empty once the connection has ended."""
        if not self._for_paho and not self._is_over:
            raise BlockingIOError
        data = bytes(self._for_paho[:size])
        del self._for_paho[:size]
        return data

    def send(self, data: bytes | bytearray) -> int:
        """Buffer data until `flush`. Raises ConnectionError if the broker reads nothing."""
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise ConnectionError("the broker does not read")
        self._unsent += data
        return len(data)

    def has_unsent(self) -> bool:
        """Return whether there is something to `flush`."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Write as much as the socket accepts now."""
        try:
            while self._unsent:
                del self._unsent[: self._inner.send(self._unsent)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self._unsent.clear()
            self._is_over = True

    def fileno(self) -> int:
        """Return the file descriptor for select; -1 once closed."""
        return self._inner.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the signature of socket.socket
        """See socket.socket."""
        self._inner.setblocking(flag)

    def close(self) -> None:
        """Write as much as the socket still accepts, then close it."""
        self.flush()
        self._inner.close()
