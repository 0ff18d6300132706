"""Run the embedded broker: amqtt on loopback, for trials only; production needs mosquitto."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
from typing import Any

from amqtt.broker import Broker  # type: ignore[import-untyped]

from bridge.errors import TrivoxError

LOOPBACK = "127.0.0.1"


def run_broker(port: int) -> None:
    """Serve on loopback until SIGTERM or Ctrl-C. Raises TrivoxError if the port cannot be used."""
    asyncio.run(_serve(port))


def _config(port: int) -> dict[str, Any]:
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


async def _serve(port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    broker = Broker(_config(port))
    try:
        await broker.start()
    except Exception as error:
        cause = error.__cause__ or error.__context__ or error
        is_busy = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
        problem = "is in use: end the program that listens there (`ss -ltnp` names it), or"
        problem = problem if is_busy else f"cannot be used ({error}):"
        raise TrivoxError(f"Port {port} on {LOOPBACK} {problem} give another --port.") from error
    sys.stderr.write(f"The embedded broker listens on mqtt://{LOOPBACK}:{port} (this machine only); Ctrl-C stops it.\n")
    await stopped.wait()
    await broker.shutdown()
