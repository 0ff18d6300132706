"""Send and receive messages as lines on the USB serial port, on a board without radio.

A line is `leaf TAB payload TAB crc32 LF` (schema/serial_line.json). `UsbSerial` has the same methods as `mqtt.Mqtt`.
"""

import asyncio
import binascii
import select
import sys
import time

from micropython import const

from console.blocks import blocks

_HELLO_MS = const(10000)  # so that a gateway that was started later learns which console this is
_UNHEARD_HELLO_MS = const(2000)  # … as long as nothing was received
_WRITE_LIMIT_MS = const(10000)
_POLL_MS = const(10)
LINE_LIMIT = 8192 + 64
# Bytes of a USB packet. The port's buffer holds a multiple, and a write waits until all of it has room, even for half a
# second: so only whole packets are written, and only if there is room for one.
_PACKET = const(64)
_PACKETS = const(8)  # to write before others run
_torn = False  # whether a line was begun and not ended; it outlasts a session


def line(leaf, payload):
    """Yield the line (bytes) of a message in pieces; `payload` is the pieces (bytes) of JSON without line feeds.

    Empty lines, which mean nothing, fill its last packet.
    """
    head = leaf.encode() + b"\t"
    yield head
    crc, size = binascii.crc32(head), len(head)
    for piece in payload:
        yield piece
        crc = binascii.crc32(piece, crc)
        size += len(piece)
    tail = b"\t%08x\n" % crc
    yield tail + b"\n" * (-(size + len(tail)) % _PACKET)


def is_ready(poller):
    """Return whether the one stream of `poller` is ready. Allocates nothing, as this is asked every few ms."""
    for _ in poller.ipoll(0):
        return True
    return False


def parse(data):
    """Return (leaf, payload as bytes) of a line without its LF, or None if its CRC is wrong."""
    body = bytes(data[:-9])
    if data[-9:-8] != b"\t" or data[-8:] != b"%08x" % binascii.crc32(body):
        return None
    leaf, tab, payload = body.partition(b"\t")
    return (leaf.decode(), payload) if tab else None


class UsbSerial:
    """The serial line to the gateway. `hello` is the payload of its first line; `dropped` counts damaged lines."""

    def __init__(self, hello, on_message):
        self._hello = hello
        self._on_message = on_message
        self._is_writing = False
        self._is_broken = False  # a line was written in part: nothing may follow it
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._readable = select.poll()
        self._readable.register(self._in, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._out, select.POLLOUT)
        self._hello_sent = 0
        self._is_heard = False
        self.refused = False
        self.dropped = 0

    async def open(self, _address, _will):
        """Send `hello`."""
        await self._send_hello()

    async def publish(self, leaf, payload, qos=0, retain=False):
        """Send a message (`payload` is pieces of bytes); return once it is written."""
        del qos, retain  # the gateway knows them from the leaf
        await self._send(line(leaf, payload))

    async def subscribe(self, leaves):
        """Do nothing: the gateway sends all that is for this console."""

    async def run(self):
        """Read lines until cancelled."""
        data = bytearray()
        pause_ms = _POLL_MS
        while True:
            await asyncio.sleep_ms(pause_ms)
            pause_ms = 0  # after a whole packet there may be more
            for _ in range(_PACKET):
                if not is_ready(self._readable):
                    pause_ms = _POLL_MS
                    break
                byte = self._in.read(1)
                if not byte:
                    raise EOFError
                if byte == b"\n":
                    await self._take(data)
                    data = bytearray()
                elif len(data) < LINE_LIMIT:
                    data.extend(byte)

    async def tick(self):
        """Send `hello` now and then; call it each second. Returns whether it did: then the status must follow."""
        pause_ms = _HELLO_MS if self._is_heard else _UNHEARD_HELLO_MS
        if time.ticks_diff(time.ticks_ms(), self._hello_sent) <= pause_ms:
            return False
        await self._send_hello()
        return True

    def close(self):
        """Do nothing: there is no connection to close."""

    async def _take(self, data):
        if not data:
            return  # the end of a line that an earlier session left unfinished
        message = parse(data)
        if message is None:
            self.dropped += 1
        else:
            self._is_heard = True
            await self._on_message(*message)

    async def _send_hello(self):
        self._hello_sent = time.ticks_ms()
        await self._send(line("hello", (self._hello.encode(),)))

    async def _send(self, pieces):
        global _torn
        while self._is_writing:  # the writer's wait has a limit, at which the link ends for all
            if self._is_broken:
                raise OSError("link broke")
            await asyncio.sleep_ms(5)
        self._is_writing = True
        if _torn:
            await self._write((b"\n" * _PACKET,))
        _torn = True
        await self._write(pieces)
        self._is_writing = _torn = False

    async def _write(self, pieces):
        began = time.ticks_ms()
        for number, packet in enumerate(blocks(pieces, _PACKET)):
            while not is_ready(self._writable):
                if time.ticks_diff(time.ticks_ms(), began) > _WRITE_LIMIT_MS:
                    self._is_broken = True
                    raise OSError("nobody reads the serial line")
                await asyncio.sleep_ms(2)
            self._out.write(packet)
            if number % _PACKETS == _PACKETS - 1:
                await asyncio.sleep_ms(0)
