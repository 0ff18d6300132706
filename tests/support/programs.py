"""What every test needs that runs real programs: where ours is, a port for it, and waiting for what it does."""

import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIVOX = str(Path(sys.executable).with_name("trivox"))
POLL_S = 0.01
MOST_S = 0.1
LIMIT_S = 120.0  # a busy machine is slow; only what fails waits as long
KEPT = 100

_kept: deque[socket.socket] = deque()


def free_port() -> int:
    """A port of loopback, kept from all who take any port: just who asks for this one may listen there."""
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # Linux lets another listen where one is but bound
    keeper.bind(("127.0.0.1", 0))
    _kept.append(keeper)
    if len(_kept) > KEPT:
        _kept.popleft().close()
    return int(keeper.getsockname()[1])


def wait_until(what: str, condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Poll until the condition holds; its value. The longer it takes the seldomer, as asking takes work too."""
    begun_s = time.monotonic()
    while (waited_s := time.monotonic() - begun_s) < limit_s:
        if value := condition():
            return value
        time.sleep(min(max(POLL_S, waited_s / 20), MOST_S))
    raise AssertionError(f"after {limit_s} s still not: {what}")
