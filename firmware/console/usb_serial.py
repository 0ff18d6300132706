"""The transport of a board without radio: the messages of MQTT as lines on its USB serial port.

A line is `leaf TAB payload TAB crc32 LF` (contract.md, "Serial line"). The same functions as `mqtt.Mqtt`.
"""

import asyncio
import binascii
import select
import sys
import time

from micropython import const

_HELLO_MS = const(10000)  # a gateway that came later learns who is here
_UNHEARD_HELLO_MS = const(2000)  # as long as nothing has come
_WRITE_LIMIT_MS = const(10000)
LINE_LIMIT = 8192 + 64
_PIECE = const(64)  # bytes: what a USB packet takes, so that a write never waits long, and no reading holds up others
_torn = False  # a line was begun and not ended: outlives a session


def line(leaf, payload):
    """The line, as bytes, for a message whose payload is a string in one line."""
    body = ("%s\t%s" % (leaf, payload)).encode()
    return body + b"\t%08x\n" % binascii.crc32(body)


def parse(data):
    """(leaf, payload as bytes) of a line without its LF, or None if it does not check."""
    body = bytes(data[:-9])
    if data[-9:-8] != b"\t" or data[-8:] != b"%08x" % binascii.crc32(body):
        return None
    leaf, tab, payload = body.partition(b"\t")
    return (leaf.decode(), payload) if tab else None


class UsbSerial:
    """The line to the gateway. `hello` is the payload of the first line; `dropped` counts lines that did not check."""

    def __init__(self, hello, on_message):
        self._hello = hello
        self._on_message = on_message
        self._is_writing = False
        self._is_broken = False  # in the midst of a line: nothing may follow it
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._readable = select.poll()
        self._readable.register(self._in, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._out, select.POLLOUT)
        self._said_hello = 0
        self._is_heard = False
        self.reached = True
        self.refused = False
        self.dropped = 0

    async def open(self, _address, _will):
        """Says who is here."""
        await self._say_hello()

    async def publish(self, leaf, payload, qos=0, retain=False):
        """Sends a message (`payload` is a string) and returns once it is written."""
        del qos, retain  # the gateway knows them by the leaf
        await self._send(line(leaf, payload))

    async def subscribe(self, leaves):
        """The gateway sends all that is for this console."""

    async def run(self):
        """Takes lines until it is cancelled."""
        data = bytearray()
        while True:
            await asyncio.sleep_ms(5)
            for _ in range(_PIECE):
                if not self._readable.poll(0):
                    break
                byte = self._in.read(1)
                if not byte:
                    raise EOFError
                if byte == b"\n":
                    self._take(data)
                    data = bytearray()
                elif len(data) < LINE_LIMIT:
                    data.extend(byte)

    async def tick(self):
        """Called each second; True if it said hello, and the status is to follow."""
        pause_ms = _HELLO_MS if self._is_heard else _UNHEARD_HELLO_MS
        if time.ticks_diff(time.ticks_ms(), self._said_hello) <= pause_ms:
            return False
        await self._say_hello()
        return True

    def close(self):
        """Nothing to end."""

    def _take(self, data):
        if not data:
            return  # the end of what another left unfinished
        message = parse(data)
        if message is None:
            self.dropped += 1
        else:
            self._is_heard = True
            self._on_message(*message)

    async def _say_hello(self):
        self._said_hello = time.ticks_ms()
        await self._send(line("hello", self._hello))

    async def _send(self, data):
        global _torn
        while self._is_writing:  # the one that writes has a limit, and if it meets it the link ends for all
            if self._is_broken:
                raise OSError("link broke")
            await asyncio.sleep_ms(5)
        self._is_writing = True
        if _torn:
            data = b"\n" + data
        _torn = True
        began = time.ticks_ms()
        for at in range(0, len(data), _PIECE):
            while not self._writable.poll(0):
                if time.ticks_diff(time.ticks_ms(), began) > _WRITE_LIMIT_MS:
                    self._is_broken = True
                    raise OSError("nobody reads the serial line")
                await asyncio.sleep_ms(5)
            self._out.write(data[at : at + _PIECE])
        self._is_writing = _torn = False
