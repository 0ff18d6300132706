"""Play a broker of an older version: a proxy to a real mosquitto that changes the version which it reports."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from typing import Self

REPORTED = re.compile(rb"(mosquitto version )[0-9]\.[0-9]\.[0-9]{2}")
PIECE = 65_536


class OldVersion(socketserver.ThreadingTCPServer):
    """A broker on a free `port` of loopback that is the one at `target`, but says that its version is `version`."""

    def __init__(self, target: int, version: str) -> None:
        super().__init__(("127.0.0.1", 0), _VersionLink)
        self.target = target
        self.version = version.encode()
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()  # waits for the links
        self._thread.join()


class _VersionLink(socketserver.BaseRequestHandler):
    server: OldVersion

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as broker:
            back = threading.Thread(target=self._answer, args=(broker,))
            back.start()
            while piece := self.request.recv(PIECE):
                broker.sendall(piece)
            broker.shutdown(socket.SHUT_WR)
            back.join()

    def _answer(self, broker: socket.socket) -> None:
        while piece := broker.recv(PIECE):
            self.request.sendall(REPORTED.sub(rb"\g<1>" + self.server.version, piece))
