"""Break off a connection to a server that goes on too slowly: each wait has a limit, but not their number."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TookTooLongError(TimeoutError):
    """A connection was broken off."""


@contextmanager
def limited(sock: Callable[[], socket.socket | None], limit_s: float) -> Iterator[threading.Event]:
    """Shut a socket down if what is done within takes longer than `limit_s`. Raises TookTooLongError if that fails.

    Yields an event that is set then: what was cut off may look as if it had come to its end.

    `sock` returns the socket as soon as there is one. Without this, a server that sends a byte now and then keeps us
    for ever: in a status line, in headers, in endless `100 Continue`, in the size of a chunk.
    """
    is_over = threading.Event()

    def break_off() -> None:
        is_over.set()
        with suppress(OSError):
            if (used := sock()) is not None:
                used.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit_s, break_off)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    except (OSError, http.client.HTTPException) as error:
        if is_over.is_set():
            raise TookTooLongError from error
        raise
    finally:
        timer.cancel()
