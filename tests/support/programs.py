"""Find `trivox`, get it a free port, and wait for what programs do."""

import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIVOX = str(Path(sys.executable).with_name("trivox"))
POLL_S = 0.01
POLL_MAX_S = 0.1
LIMIT_S = 120.0  # a busy machine is slow; only a failing test waits this long
RESERVED_MAX = 100

_reserved: deque[socket.socket] = deque()


def free_port() -> int:
    """Reserve a port of loopback: no program gets it by chance, and only one that asks for it can listen there."""
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # Linux lets another socket listen, as this does not
    keeper.bind(("127.0.0.1", 0))
    _reserved.append(keeper)
    if len(_reserved) > RESERVED_MAX:
        _reserved.popleft().close()
    return int(keeper.getsockname()[1])


def wait_until(what: str, condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Poll until the condition is true and return its value; the longer that takes, the longer the pauses."""
    begun_s = time.monotonic()
    while (waited_s := time.monotonic() - begun_s) < limit_s:
        if value := condition():
            return value
        time.sleep(min(max(POLL_S, waited_s / 20), POLL_MAX_S))
    raise AssertionError(f"after {limit_s} s still not: {what}")


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped (SIGSTOP)."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return words[0] == "T"
