"""Something that listens where a broker was, and is none, or somebody else's."""

import contextlib
import socket
import threading

from mini_broker import CONNECT, PINGREQ, PUBLISH, SUBSCRIBE, packet

WRONGS = ("refuses the login", "resets", "is silent", "talks nonsense", "acknowledges nothing")
NO_BRIDGE = "has no bridge"
ADDRESS = "127.0.0.2"


class WrongBroker:
    """It takes connections on `port` of `ADDRESS` until `close`; `wrong` says what then is wrong with it.

    `sessions` counts the connections, `publishes` the messages of QoS 1.
    """

    def __init__(self, wrong: str, port: int) -> None:
        self._wrong = wrong
        self.sessions = self.publishes = 0
        self._peers: list[socket.socket] = []
        self._server = socket.create_server((ADDRESS, port))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and cut the connections."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            self._peers.append(peer)
            self.sessions += 1
            threading.Thread(target=self._session, args=(peer,), daemon=True).start()

    def _session(self, peer: socket.socket) -> None:
        if self._wrong == "resets":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            peer.close()
            return
        with peer, contextlib.suppress(OSError, EOFError), peer.makefile("rb") as stream:
            while True:
                kind, body = packet(stream)
                peer.sendall(self._answer(kind >> 4, kind, body))

    def _answer(self, kind: int, first: int, body: bytes) -> bytes:
        answers = {
            CONNECT: b"\x20\x02\x00" + (b"\x05" if self._wrong == "refuses the login" else b"\x00"),
            SUBSCRIBE: b"\x90\x06" + body[:2] + bytes(4),
            PINGREQ: b"\xd0\x00",
        }
        if kind == PUBLISH and first & 6:
            self.publishes += 1
            if self._wrong == NO_BRIDGE:
                size = int.from_bytes(body[:2], "big")
                answers[PUBLISH] = b"\x40\x02" + body[2 + size : 4 + size]
        if self._wrong == "talks nonsense":
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"
        return b"" if self._wrong == "is silent" else answers.get(kind, b"")
