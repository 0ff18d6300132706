"""Ask name servers and NTP servers by UDP without blocking: `socket.getaddrinfo` would stall the buttons."""

import asyncio
import os
import socket
import struct

from micropython import const

from console.clock import UTC_MAX_S, ntp_utc_ms
from console.version import BUILT_S

_DNS_PORT = const(53)
_NTP_PORT = const(123)
_LIMIT_MS = const(2000)
_POLL_MS = const(5)
_RESPONSE = const(0x80)  # the flag that tells an answer from a question
_POINTER = const(0xC0)  # in place of the rest of a name
_ADDRESS_RECORD = const(1)
_INTERNET = const(1)  # the class of a record
_ADDRESS_BYTES = const(4)

_NTP_BYTES = const(48)
_VERSION_MAX = const(4)
_SERVER_MODE = const(4)
_UNSYNCHRONISED = const(3)  # the leap indicator of a server whose clock was never set
_STRATUM_MAX = const(15)


class LeaveAlone(OSError):
    """The time server wants to be asked less often, or not at all (a "kiss of death")."""


async def ask(address, port, question, is_answer):
    """Send the packet `question` to a numeric address; return its answer, or None after two seconds.

    Only that address is heard, and of its packets the first for which `is_answer` is true.
    """
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        link.setblocking(False)
        link.connect(socket.getaddrinfo(address, port)[0][-1])
        link.send(question)
        for _ in range(_LIMIT_MS // _POLL_MS):
            await asyncio.sleep_ms(_POLL_MS)
            try:
                answer = link.recv(512)
            except OSError:  # no answer yet
                continue
            if is_answer(answer):
                return answer
        return None
    finally:
        link.close()


async def addresses(host, server):
    """Return the numeric addresses of `host` from the name server at `server`. Raises OSError if there are none."""
    if host == "localhost":
        return ["127.0.0.1"]
    name = b"".join(bytes((len(part),)) + part.encode() for part in host.split("."))
    question = os.urandom(2) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + name + b"\x00\x00\x01\x00\x01"

    def is_answer(packet):
        is_ours = packet[:2] == question[:2] and packet[12 : len(question)].lower() == question[12:].lower()
        return is_ours and packet[2] >= _RESPONSE

    answer = await ask(server, _DNS_PORT, question, is_answer)
    if answer is None:
        raise OSError("the name server %s does not answer" % server)
    found = addresses_in(answer, len(question))
    if not found:
        raise OSError("%s has no address: check the name in console.json" % host)
    return found


def addresses_in(answer, at):
    """Return the IPv4 addresses in a DNS answer whose records begin at `at`.

    Only the records of the answer itself count, not those about other name servers that may follow.
    """
    found = []
    if answer[3] & 15:  # the name server reports an error
        return found
    for _ in range(answer[6] << 8 | answer[7]):
        while at < len(answer) and 0 < answer[at] < _POINTER:
            at += answer[at] + 1
        at += 2 if answer[at : at + 1] > b"\x00" else 1
        if at + 10 > len(answer):
            break
        kind, group, _, _, size = struct.unpack_from(">HHHHH", answer, at)
        at += 10
        is_address = kind == _ADDRESS_RECORD and group == _INTERNET and size == _ADDRESS_BYTES
        if is_address and len(answer) >= at + size:
            found.append(".".join(str(byte) for byte in answer[at : at + size]))
        at += size
    return found


async def ntp(address, up_ms):
    """Return (UTC in ms since 1970, the up_ms of that moment). `up_ms` is a function.

    Raises OSError that says why there is no time.
    """
    nonce = os.urandom(8)  # in place of our time, which the server sends back as the origin
    asked = up_ms()
    answer = await ask(address, _NTP_PORT, b"\x23" + bytes(39) + nonce, lambda packet: answers(packet, nonce))
    answered = up_ms()
    if answer is None:
        raise OSError("the time server does not answer")
    return read_time(answer), (asked + answered) // 2


def answers(packet, nonce):
    """Return whether this is a server's answer to the question that held `nonce`."""
    if len(packet) < _NTP_BYTES or packet[24:32] != nonce:
        return False
    return packet[0] & 7 == _SERVER_MODE and 0 < packet[0] >> 3 & 7 <= _VERSION_MAX


def read_time(answer):
    """Return UTC in ms since 1970 from a server's answer. Raises OSError, or LeaveAlone, if it does not count."""
    if not answer[1]:
        raise LeaveAlone("the time server asks to be left alone: %r" % bytes(answer[12:16]))
    if answer[1] > _STRATUM_MAX or answer[0] >> 6 == _UNSYNCHRONISED:
        raise OSError("the time server does not know the time")
    seconds, fraction = struct.unpack_from(">II", answer, 40)
    if not seconds:  # whatever the fraction; the one second of 2036 that is so is asked for again
        raise OSError("the time server sends no time")
    utc_ms = ntp_utc_ms(seconds, fraction)
    if utc_ms < BUILT_S * 1000:
        raise OSError("the time server sends a time before this firmware was made")
    if utc_ms > UTC_MAX_S * 1000:
        raise OSError("the time server sends a time after 2100")
    return utc_ms
