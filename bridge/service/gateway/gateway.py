"""Serve the serial ports as boards are plugged in and removed, each port in a thread of its own."""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import TYPE_CHECKING

from serial.tools import list_ports  # type: ignore[import-untyped]  # pyserial brings no types

from bridge import log
from bridge.serial_port import is_plugged_in
from bridge.service.gateway.claims import Claims
from bridge.service.gateway.counters import PortCounters
from bridge.service.gateway.relay import Relay
from bridge.service.gateway.tty import PortError, SilentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.service.gateway.relay import BrokerOf

RP2040_MICROPYTHON = (0x2E8A, 0x0005)  # USB vendor and product ids; boards with radio have them too
LOOK_S = 0.5
REST_S = 30.0  # how long a silent or failed port is left alone, so that a technician's tools can use it
STOP_LIMIT_S = 15.0


def board_ports() -> list[str]:
    """List the ports of all boards on USB that run MicroPython."""
    return [port.device for port in list_ports.comports() if (port.vid, port.pid) == RP2040_MICROPYTHON]


class Gateway:
    """Serves the ports in `named`, or else all with boards, from `run` until `stop`; `missing` are not plugged in."""

    def __init__(self, broker_of: BrokerOf, named: Iterable[str]) -> None:
        self.counters: dict[str, PortCounters] = {}
        self._broker_of = broker_of
        self._named = set(named)
        self.missing: set[str] = set()
        self._claims = Claims()
        self._threads: dict[str, threading.Thread] = {}
        self._resting_until_s: dict[str, float] = {}
        self._stopped, stop = socket.socketpair()  # closing `_stop` wakes everybody who waits for `_stopped`
        self._stop: socket.socket | None = stop

    def run(self) -> None:
        """Work until `stop`."""
        while not select.select([self._stopped], [], [], LOOK_S)[0]:
            self._serve_new_ports()
        self.stop()
        end_s = time.monotonic() + STOP_LIMIT_S
        for thread in self._threads.values():
            thread.join(max(0.0, end_s - time.monotonic()))
        self._stopped.close()

    def stop(self) -> None:
        """Make `run` end soon, with a last status for each board; may be called from a signal handler."""
        stop, self._stop = self._stop, None
        if stop is not None:
            stop.close()

    def _serve_new_ports(self) -> None:
        """Start a thread for each port that has been plugged in."""
        present = {path for path in self._named if is_plugged_in(path)} if self._named else set(board_ports())
        self._log_missing(present)
        self._resting_until_s = {path: until for path, until in self._resting_until_s.items() if path in present}
        self._threads = {path: thread for path, thread in self._threads.items() if thread.is_alive()}
        for path in present - self._threads.keys():
            if self._resting_until_s.get(path, 0.0) <= time.monotonic():
                counters = self.counters.setdefault(path, PortCounters())
                thread = threading.Thread(target=self._serve, args=(path, counters), name=path, daemon=True)
                self._threads[path] = thread
                thread.start()

    def _log_missing(self, present: set[str]) -> None:
        """Log each missing port once, when it goes missing; an empty path means that no board is plugged in."""
        missing = self._named - present if self._named or present else {""}
        for path in sorted(missing - self.missing):
            problem = "the port is not there" if path else "no board is plugged in"
            log.info(f"{problem}: waiting for it", port=path or None)
        self.missing = missing

    def _serve(self, path: str, counters: PortCounters) -> None:
        relay = None
        try:
            relay = Relay(path, self._broker_of, self._claims, counters, self._stopped)
            counters.opened += 1
            relay.run()
        except PortError as error:
            if isinstance(error, SilentError):
                self._resting_until_s[path] = time.monotonic() + REST_S
            if self._claims.limiter.allow((path, str(error))) is not None:
                log.warning(str(error), port=path, **(relay.log_facts() if relay else {}), error=error.cause)
        except Exception:  # noqa: BLE001 - whatever one board sends, the others are served
            self._resting_until_s[path] = time.monotonic() + REST_S
            if self._claims.limiter.allow((path, "failed")) is not None:
                log.error("the gateway failed at this port, and tries again: report this", trace=True, port=path)
