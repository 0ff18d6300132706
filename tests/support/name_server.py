"""Answer questions for the addresses of names (DNS), which may move."""

import socket
import struct

from tests.support.udp_server import UdpServer

_HEAD = ">HHHHHH"
_ANSWER, _NO_SUCH_NAME = 0x8180, 0x8183


class NameServer(UdpServer):
    """A server on `port` of loopback until `close`. `names` holds the addresses of each name; `asked` the questions.

    While `is_silent` it answers nothing.
    """

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.asked: list[str] = []
        self.is_silent = False
        super().__init__()

    def answers(self, question: bytes) -> list[bytes]:
        """Return the addresses of the name that is asked for, unless the server is silent."""
        name = _name_in(question)
        self.asked.append(name)
        return [] if self.is_silent else [_answer(question, self.names.get(name, []))]


def _name_in(question: bytes) -> str:
    parts, at = [], struct.calcsize(_HEAD)
    while size := question[at]:
        parts.append(question[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(parts)


def _answer(question: bytes, addresses: list[str]) -> bytes:
    flags = _ANSWER if addresses else _NO_SUCH_NAME
    number = struct.unpack_from(">H", question)[0]
    head = struct.pack(_HEAD, number, flags, 1, len(addresses), 0, 0)
    records = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address) for address in addresses]
    return head + question[len(head) :] + b"".join(records)
