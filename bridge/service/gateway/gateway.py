"""The ports that boards come and go at, each with a thread of its own."""

from __future__ import annotations

import os
import select
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from serial.tools import list_ports  # type: ignore[import-untyped]  # pyserial brings no types

from bridge import log
from bridge.service.gateway.claims import Claims
from bridge.service.gateway.counters import Counters
from bridge.service.gateway.relay import Relay
from bridge.service.gateway.tty import PortError, SilentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.service.gateway.relay import BrokerOf

RP2040_MICROPYTHON = (0x2E8A, 0x0005)  # vendor and product on USB; boards with radio have them too
LOOK_S = 0.5
REST_S = 30.0  # a silent port is let go of for so long, so that a technician's tools can have it
END_LIMIT_S = 15.0


def plugged_in() -> list[str]:
    """The ports of all boards on USB that MicroPython runs on."""
    return [port.device for port in list_ports.comports() if (port.vid, port.pid) == RP2040_MICROPYTHON]


class Gateway:
    """Serves, from `run` until `stop`, ports: those `named`, or else all with boards; `missing` are not there."""

    def __init__(self, broker_of: BrokerOf, named: Iterable[str]) -> None:
        self.counters: dict[str, Counters] = {}
        self._broker_of = broker_of
        self._named = set(named)
        self.missing: set[str] = set()
        self._claims = Claims()
        self._threads: dict[str, threading.Thread] = {}
        self._rests_until_s: dict[str, float] = {}
        self._failure: BaseException | None = None
        self._is_over, self._stop = os.pipe()

    def run(self) -> None:
        """Work until `stop`; raises what made a port's thread fail."""
        poll = select.poll()
        poll.register(self._is_over, 0)
        while not poll.poll(LOOK_S * 1000):
            self._look()
        self.stop()
        end_s = time.monotonic() + END_LIMIT_S
        for thread in self._threads.values():
            thread.join(max(0.0, end_s - time.monotonic()))
        os.close(self._is_over)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End `run` soon, with a last status for each board; may be called from a signal handler."""
        stop, self._stop = self._stop, -1
        if stop >= 0:
            os.close(stop)

    def _look(self) -> None:
        """Serve what has been plugged in."""
        found = {path for path in self._named if is_there(path)} if self._named else set(plugged_in())
        self._tell_missing(found)
        self._rests_until_s = {path: until for path, until in self._rests_until_s.items() if path in found}
        self._threads = {path: thread for path, thread in self._threads.items() if thread.is_alive()}
        for path in found - self._threads.keys():
            if self._rests_until_s.get(path, 0.0) <= time.monotonic():
                counters = self.counters.setdefault(path, Counters())
                thread = threading.Thread(target=self._serve, args=(path, counters), name=path, daemon=True)
                self._threads[path] = thread
                thread.start()

    def _tell_missing(self, found: set[str]) -> None:
        """Once for each time that it is so."""
        missing = self._named - found if self._named or found else {""}
        for path in sorted(missing - self.missing):
            what = "the port is not there" if path else "no board is plugged in"
            log.info(f"{what}: waiting for it", port=path or None)
        self.missing = missing

    def _serve(self, path: str, counters: Counters) -> None:
        board = None
        try:
            board = Relay(path, self._broker_of, self._claims, counters, self._is_over)
            counters.opened += 1
            board.run()
        except PortError as error:
            if isinstance(error, SilentError):
                self._rests_until_s[path] = time.monotonic() + REST_S
            if self._claims.limiter.allow((path, str(error))) is not None:
                log.warning(str(error), port=path, **(board.who() if board else {}), error=error.cause)
        except BaseException as error:  # noqa: BLE001 - raised by run
            self._failure = error
            self.stop()


def is_there(path: str) -> bool:
    """Whether the port is plugged in."""
    try:
        return Path(path).exists()
    except OSError:
        return False
