"""What every test needs that runs real programs: where ours is, a port for it, and waiting for what it does."""

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIVOX = str(Path(sys.executable).with_name("trivox"))
POLL_S = 0.02


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, condition: Callable[[], Any], limit_s: float = 60.0) -> Any:
    """Poll until the condition holds; its value."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if value := condition():
            return value
        time.sleep(POLL_S)
    raise AssertionError(f"after {limit_s} s still not: {what}")
