"""Bound the connections of a server: a newcomer takes the place of the one that has kept silent for longest."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class OpenConnections:
    """The open connections, at most `limit`; those that are being served keep their place. Threads may share it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._silent: dict[socket.socket, None] = {}  # in the order in which they fell silent
        self._served = 0
        self._changed = threading.Condition()

    def admit(self, connection: socket.socket) -> None:
        """Add a connection, silent so far; wait while all others are being served."""
        with self._changed:
            self._changed.wait_for(lambda: self._silent or self._served < self._limit)
            if len(self._silent) + self._served >= self._limit:
                oldest = next(iter(self._silent))
                del self._silent[oldest]
                with suppress(OSError):  # it has ended by itself
                    oldest.shutdown(socket.SHUT_RDWR)
            self._silent[connection] = None

    @contextmanager
    def serving(self, connection: socket.socket) -> Iterator[bool]:
        """While a request is carried out, keep the connection's place; yield False if it has lost it already."""
        with self._changed:
            has_place = connection in self._silent
            if has_place:
                del self._silent[connection]
                self._served += 1
        try:
            yield has_place
        finally:
            if has_place:
                with self._changed:
                    self._served -= 1
                    self._silent[connection] = None
                    self._changed.notify()

    def remove(self, connection: socket.socket) -> None:
        """Remove a silent connection, as it ends."""
        with self._changed:
            self._silent.pop(connection, None)
            self._changed.notify()
