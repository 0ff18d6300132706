"""Answer questions for the addresses of names (DNS), which may move."""

import socket
import struct
import threading

_HEAD = ">HHHHHH"
_ANSWER, _NO_SUCH_NAME = 0x8180, 0x8183


class NameServer:
    """A server on `port` of loopback until `close`. `names` holds the addresses of each name; `asked` the questions.

    While `is_silent` it answers nothing.
    """

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.asked: list[str] = []
        self.is_silent = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """End the server."""
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, asker = self._socket.recvfrom(512)
            if not question:
                return
            name = _name_in(question)
            self.asked.append(name)
            if not self.is_silent:
                self._socket.sendto(_answer(question, self.names.get(name, [])), asker)


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
