"""Speak MQTT 3.1.1 on asyncio streams: clean session, few writes for each packet, several publishes in flight.

Every wait has a limit. Whatever ends the connection raises an exception (OSError, EOFError, asyncio.TimeoutError); then
the caller closes the client and makes a new one.
"""

import asyncio
import errno
import select
import socket
import struct
import time

from micropython import const

from console.blocks import blocks

_KEEPALIVE_S = const(30)
_PING_MS = const(10000)
_SILENCE_LIMIT_MS = const(20000)  # after this time without any packet, or without a PUBACK, the link is half open
_OPEN_LIMIT_MS = const(15000)
_WRITE_LIMIT_MS = const(10000)
_IN_FLIGHT_LIMIT = const(16)
_PAYLOAD_LIMIT = const(8192)
_TOPIC_LIMIT = const(128)
_OTHER_LIMIT = const(64)  # bytes of any packet that carries no message
_BLOCK = const(512)  # bytes in one write: few enough to delay nobody, and most messages have no more

_CONNECT = const(0x10)
_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBSCRIBE = const(0x82)
_SUBACK = const(0x90)
_REFUSED = const(0x80)
PINGREQ = b"\xc0\x00"


def text(value):
    """Return a string as MQTT encodes it: its length in two bytes, then UTF-8."""
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def packet(first, *parts):
    """Return a whole packet, made of its first byte and the parts of its body."""
    return header(first, sum(len(part) for part in parts)) + b"".join(parts)


def header(first, size):
    """Return the beginning of a packet: its first byte, and the size of its body."""
    head = bytearray((first,))
    while size >> 7:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head)


def tls_context(ca):
    """Return a TLS context that trusts only the authority in the file `ca` (DER, or PEM where the port reads it)."""
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    setattr(context, "verify_mode", tls.CERT_REQUIRED)  # noqa: B010 - the stubs don't know it
    with open(ca, "rb") as file:
        context.load_verify_locations(file.read())
    return context


async def connect(address, port):
    """Return a non-blocking TCP connection to a numeric address. The caller limits the wait. Raises OSError."""
    peer = socket.getaddrinfo(address, port)[0][-1]
    link = socket.socket()
    try:
        link.setblocking(False)
        try:
            link.connect(peer)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        poller = select.poll()
        poller.register(link, select.POLLOUT)
        while not poller.poll(0):
            await asyncio.sleep_ms(10)
    except BaseException:
        link.close()  # a port without finalisers would never free it
        raise
    return link


class Mqtt:
    """One connection to a broker. Topics are `prefix` plus a leaf; each message goes to `on_message(leaf, payload)`.

    `broker` has host, port, tls, ca, user and password, as in console.json. `oversize` counts messages that were too
    long; their payload is None.
    """

    def __init__(self, broker, client_id, prefix, on_message):
        self._broker = broker
        self._client_id = client_id
        self._prefix = prefix
        self._on_message = on_message
        self._socket = None
        self._is_writing = False
        self._is_broken = False  # a packet was written in part: nothing may follow it
        self._in_flight = {}  # packet id: ticks when it was sent
        self._last_id = 0
        self._heard = self._pinged = 0
        self.refused = False  # whether the broker refused us, or TLS failed, which is costly to try again
        self.oversize = 0

    async def open(self, address, will):
        """Connect to the broker at the numeric `address`; `will` is the last will, retained on the leaf `status`."""
        await asyncio.wait_for_ms(self._open(address, will), _OPEN_LIMIT_MS)

    async def _open(self, address, will):
        broker = self._broker
        self._socket = await connect(address, broker["port"])
        self.refused = bool(broker.get("tls"))
        if broker.get("tls"):
            self._socket = tls_context(broker["ca"]).wrap_socket(
                self._socket, server_hostname=broker["host"], do_handshake_on_connect=False
            )
        self._reader = asyncio.StreamReader(self._socket)
        self._writer = asyncio.StreamWriter(self._socket)
        user, password = broker.get("user"), broker.get("password")
        flags = 0x02 | 0x04 | 0x08 | 0x20  # clean session; a will, QoS 1, retained
        fields = [text(self._client_id), text(self._prefix + "status"), text(will)]
        for value, flag in ((user, 0x80), (password, 0x40)):
            if value is not None:
                flags |= flag
                fields.append(text(value))
        await self._send((packet(_CONNECT, text("MQTT"), struct.pack(">BBH", 4, flags, _KEEPALIVE_S), *fields),))
        answer = await self._read(4)
        self.refused = answer[0] != _CONNACK or answer[3] > 0
        if self.refused:
            raise OSError("broker refused the connection, code %d" % answer[3])
        self._heard = self._pinged = time.ticks_ms()

    async def publish(self, leaf, payload, qos=0, retain=False):
        """Send a message (`payload` is a list of bytes); return once it is written. Its PUBACK comes later."""
        topic = text(self._prefix + leaf)
        number = b""
        if qos:
            while len(self._in_flight) >= _IN_FLIGHT_LIMIT:  # `tick` ends this wait at the latest
                await asyncio.sleep_ms(10)
            number = self._number()
            self._in_flight[number] = time.ticks_ms()
        size = len(topic) + len(number) + sum(len(piece) for piece in payload)
        await self._send([header(_PUBLISH | qos << 1 | retain, size), topic, number] + payload)  # noqa: RUF005 - as in `packet`

    async def subscribe(self, leaves):
        """Subscribe to the leaves with QoS 1."""
        filters = [text(self._prefix + leaf) + b"\x01" for leaf in leaves]
        await self._send((packet(_SUBSCRIBE, self._number(), *filters),))

    async def run(self):
        """Read packets until the connection breaks."""
        while True:
            first = (await self._read(1))[0]
            size = shift = 0
            more = 128
            while more & 128:
                if shift > 3 * 7:
                    raise OSError("malformed packet")
                more = (await self._read(1))[0]
                size |= (more & 127) << shift
                shift += 7
            if first & 0xF0 == _PUBLISH:
                await self._take(first, size)
            elif size > _OTHER_LIMIT:
                raise OSError("malformed packet")
            else:
                self._answered(first, await self._read(size))
            self._heard = time.ticks_ms()

    def _answered(self, first, body):
        if first == _PUBACK:
            self._in_flight.pop(body, None)
        elif first == _SUBACK and _REFUSED in body[2:]:
            self.refused = True
            raise OSError("broker refused a subscription")

    async def _take(self, first, size):
        topic_size = struct.unpack(">H", await self._read(2))[0]
        qos = first >> 1 & 3
        size -= 2 + topic_size + (2 if qos else 0)
        if size < 0 or topic_size > _TOPIC_LIMIT:
            raise OSError("malformed packet")
        topic = (await self._read(topic_size)).decode()
        number = await self._read(2) if qos else b""
        if size > _PAYLOAD_LIMIT:
            self.oversize += 1
            while size:
                size -= len(await self._read(min(size, 256)))
            await self._pass_on(topic, None)
        else:
            await self._pass_on(topic, await self._read(size))
        if qos:
            await self._send((packet(_PUBACK, number),))

    async def _pass_on(self, topic, payload):
        if topic.startswith(self._prefix):
            await self._on_message(topic[len(self._prefix) :], payload)

    async def tick(self):
        """Keep the connection alive; call it each second. Raises OSError if the connection is half open."""
        now = time.ticks_ms()
        if time.ticks_diff(now, self._heard) > _SILENCE_LIMIT_MS:
            raise OSError("broker is silent")
        for sent in self._in_flight.values():
            if time.ticks_diff(now, sent) > _SILENCE_LIMIT_MS:
                raise OSError("broker does not acknowledge")
        if time.ticks_diff(now, self._pinged) > _PING_MS:
            self._pinged = now
            await self._send((PINGREQ,))

    def close(self):
        """Close the connection without a DISCONNECT, so that the broker sends the will."""
        if self._socket:
            self._socket.close()

    def _number(self):
        self._last_id = self._last_id % 65535 + 1
        return struct.pack(">H", self._last_id)

    async def _read(self, size):
        return await self._reader.readexactly(size) if size else b""

    async def _send(self, pieces):
        while self._is_writing:  # the writer's wait has a limit, at which the link ends for all
            if self._is_broken:
                raise OSError("link broke")
            await asyncio.sleep_ms(5)
        self._is_writing = True
        try:
            await asyncio.wait_for_ms(self._write(pieces), _WRITE_LIMIT_MS)
        except Exception:
            self._is_broken = True
            raise
        self._is_writing = False

    async def _write(self, pieces):
        for block in blocks(pieces, _BLOCK):
            self._writer.write(block)
            await self._writer.drain()
