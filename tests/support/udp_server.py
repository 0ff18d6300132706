"""Answer packets on a UDP port of loopback, for what a console asks over UDP."""

import socket
import threading
from collections.abc import Iterable

_MAX_BYTES = 512


class UdpServer:
    """A server on `port` until `close`, which sends what `answers` returns for a packet."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def answers(self, question: bytes) -> Iterable[bytes]:
        """Return the packets that answer a question."""
        raise NotImplementedError

    def close(self) -> None:
        """End the server."""
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, asker = self._socket.recvfrom(_MAX_BYTES)
            if not question:
                return
            for packet in self.answers(question):
                self._socket.sendto(packet, asker)
