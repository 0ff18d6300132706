"""A fleet console's MQTT 3.1.1 session with the broker, on an asyncio protocol, as small as possible.

This is our own code because ten thousand sessions live in one process: paho wants a thread or a turn of a loop for
each, other clients a task and queues; here a session is one object of a few hundred bytes, plus its transport. It does
what the firmware's own client does: clean session, a will, one write per packet, each QoS 1 message acknowledged.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import NamedTuple, cast

KEEPALIVE_S = 30
PING = b"\xc0\x00"
CONNACK, PUBLISH, SUBACK = 0x20, 0x30, 0x90
PUBLISH_0_RETAINED, PUBLISH_1, PUBLISH_1_RETAINED = 0x31, 0x32, 0x33
LEAVES = ("ack", "settings")
_MORE = 0x80
_LENGTH_BYTES_MAX = 4
_REFUSED = 0x80


class Login(NamedTuple):
    """The client's id, will and account; its topics are `prefix` and a leaf."""

    client_id: str
    prefix: str
    will: bytes = b""
    user: str | None = None
    password: str | None = None


def packet(first: int, *parts: bytes) -> bytes:
    """Return a whole packet, given its first byte and the parts of its body."""
    size = sum(map(len, parts))
    head = bytearray((first,))
    while size >= _MORE:
        head.append(size & 0x7F | _MORE)
        size >>= 7
    head.append(size)
    return b"".join((bytes(head), *parts))


def text(value: str | bytes) -> bytes:
    """Return a string as MQTT writes it, with its length in front."""
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


class FleetSession(asyncio.Protocol):
    """One connection.

    It calls `on_up()` once the broker has accepted login and subscription, `on_message(leaf, payload)` for each
    message, and `on_down(why)` at the end.
    """

    __slots__ = ("_buffer", "_last_id", "_login", "_transport", "_why", "is_up", "on_down", "on_message", "on_up")

    def __init__(
        self,
        login: Login,
        on_up: Callable[[], None],
        on_message: Callable[[str, bytes], None],
        on_down: Callable[[str], None],
    ) -> None:
        self._login = login
        self._buffer = b""
        self._last_id = 0
        self._transport: asyncio.Transport | None = None
        self._why = "the broker closed the connection"
        self.is_up = False
        self.on_up, self.on_message, self.on_down = on_up, on_message, on_down

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the login over the new TCP connection."""
        self._transport = cast("asyncio.Transport", transport)
        login = self._login
        flags, parts = 0x02, [text(login.client_id)]
        if login.will:
            flags |= 0x04 | 0x08 | 0x20  # will, QoS 1, retained
            parts += [text(f"{login.prefix}status"), text(login.will)]
        if login.user is not None:
            flags |= 0x80
            parts.append(text(login.user))
        if login.password is not None:
            flags |= 0x40
            parts.append(text(login.password))
        head = text("MQTT") + bytes((4, flags)) + struct.pack(">H", KEEPALIVE_S)
        self._write(packet(0x10, head, *parts))

    def data_received(self, data: bytes) -> None:
        """Handle each whole packet in the bytes received so far; keep the rest."""
        buffer = self._buffer + data if self._buffer else data
        start = 0
        while (found := _packet_at(buffer, start)) is not None:
            first, body, start = found
            self._handle(first, body)
        self._buffer = buffer[start:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the connection has ended, and why."""
        self.is_up = False
        self.on_down(str(exc or self._why))

    def publish(self, leaf: str, payload: bytes, *, retained: bool = False) -> None:
        """Send with QoS 1; only the console's own delivery sends a message again, never this session."""
        topic = text(f"{self._login.prefix}{leaf}")
        first = PUBLISH_1_RETAINED if retained else PUBLISH_1
        self._write(packet(first, topic, self._packet_id(), payload))

    def publish_unconfirmed(self, leaf: str, payload: bytes) -> None:
        """Send with QoS 0, retained; a lost message does not matter, since the next one replaces it."""
        self._write(packet(PUBLISH_0_RETAINED, text(f"{self._login.prefix}{leaf}"), payload))

    def ping(self) -> None:
        """Tell the broker that this end is still there."""
        self._write(PING)

    def drop(self) -> None:
        """End the connection without a goodbye, as a pulled plug does; the broker publishes the will."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Say goodbye; the broker does not publish the will."""
        if self._transport is not None:
            self._write(b"\xe0\x00")
            self._transport.close()

    def _packet_id(self) -> bytes:
        self._last_id = self._last_id % 0xFFFF + 1
        return struct.pack(">H", self._last_id)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _handle(self, first: int, body: bytes) -> None:
        kind = first & 0xF0
        if kind == PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            leaf = body[2:end].rpartition(b"/")[2].decode()
            if first & 0x06:
                self._write(packet(0x40, body[end : end + 2]))
                end += 2
            self.on_message(leaf, body[end:])
        elif kind == CONNACK:
            if body[1]:
                self._why = "the broker refused the login"
                self.drop()
                return
            filters = [text(f"{self._login.prefix}{leaf}") + b"\x01" for leaf in LEAVES]
            self._write(packet(0x82, self._packet_id(), *filters))
        elif kind == SUBACK:
            if body[-1] == _REFUSED:
                self._why = "the broker refused the subscription"
                self.drop()
                return
            self.is_up = True
            self.on_up()


def _packet_at(buffer: bytes, start: int) -> tuple[int, bytes, int] | None:
    """Return the packet at `start` as (first byte, body, start of the next packet); None if it is incomplete."""
    size = shift = 0
    for at in range(start + 1, min(start + 1 + _LENGTH_BYTES_MAX, len(buffer))):
        size |= (buffer[at] & 0x7F) << shift
        shift += 7
        if buffer[at] < _MORE:
            end = at + 1 + size
            return (buffer[start], buffer[at + 1 : end], end) if end <= len(buffer) else None
    return None
