"""A server that never comes to an end: it answers a little, and then a little more, again and again."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

PAUSE_S = 0.02


class DrippingServer:
    """Serves one connection on a port of this machine while it is entered."""

    def __init__(self, first: bytes, again: bytes) -> None:
        self._first, self._again = first, again
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(self._first)
            while not self._is_over.wait(PAUSE_S):
                connection.sendall(self._again)
