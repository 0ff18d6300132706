"""Ask name servers and NTP servers by UDP without blocking: `socket.getaddrinfo` would stall the buttons."""

import asyncio
import os
import socket
import struct

from micropython import const

from console.clock import ntp_utc_ms

_DNS_PORT = const(53)
_NTP_PORT = const(123)
_LIMIT_MS = const(2000)
_POLL_MS = const(5)
_ADDRESS_RECORD = const(1)


async def ask(address, port, question):
    """Send the packet `question` to a numeric address; return the answer, or None after two seconds."""
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        link.setblocking(False)
        link.connect(socket.getaddrinfo(address, port)[0][-1])
        link.send(question)
        for _ in range(_LIMIT_MS // _POLL_MS):
            await asyncio.sleep_ms(_POLL_MS)
            try:
                return link.recv(512)
            except OSError:  # no answer yet
                continue
        return None
    finally:
        link.close()


async def resolve(host, server):
    """Return the numeric address of `host` from the name server at `server`. Raises OSError if it has none."""
    if host == "localhost":
        return "127.0.0.1"
    number = os.urandom(2)
    name = b"".join(bytes((len(part),)) + part.encode() for part in host.split("."))
    question = number + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + name + b"\x00\x00\x01\x00\x01"
    answer = await ask(server, _DNS_PORT, question)
    address = None
    if answer and answer[:2] == number:
        address = address_in(answer, len(question))
    if address is None:
        raise OSError("no address for " + host)
    return address


def address_in(answer, at):
    """Return the first IPv4 address in a DNS answer whose records begin at `at`, or None."""
    while at + 12 <= len(answer):
        while answer[at] and answer[at] < 0xC0:  # noqa: PLR2004 - a name's parts, up to its end or a pointer
            at += answer[at] + 1
        at += 2 if answer[at] else 1
        kind, _, _, _, size = struct.unpack_from(">HHHHH", answer, at)
        at += 10
        if kind == _ADDRESS_RECORD and size == len(answer[at : at + 4]):
            return ".".join(str(byte) for byte in answer[at : at + 4])
        at += size
    return None


async def ntp(address, up_ms):
    """Return (UTC in ms since 1970, the up_ms of that moment), or None. `up_ms` is a function."""
    asked = up_ms()
    answer = await ask(address, _NTP_PORT, b"\x23" + bytes(47))
    answered = up_ms()
    if not answer or len(answer) < 48 or not 0 < answer[1] < 16:  # noqa: PLR2004 - stratum 1 to 15 knows the time
        return None
    return ntp_utc_ms(*struct.unpack_from(">II", answer, 40)), (asked + answered) // 2
