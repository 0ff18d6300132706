"""Wait until a board's port or its connection to the broker is ready, or it is time to end.

Where the system can't wait for serial ports together with connections (Windows), ports are looked at many times a
second.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, NamedTuple

from bridge.serial_port import CAN_WAIT_FOR_PORTS

if TYPE_CHECKING:
    import socket

    from bridge.service.gateway.broker_session import BrokerSession
    from bridge.service.gateway.tty import Tty

LOOK_S = 0.01


class Ready(NamedTuple):
    """What can be done without waiting; `is_port_gone` only where waiting tells, else reading does."""

    is_ending: bool
    port_reads: bool
    port_writes: bool
    session_reads: bool
    is_port_gone: bool = False


def wait(stop: socket.socket, tty: Tty, session: BrokerSession | None, limit_s: float, *, reads_port: bool) -> Ready:
    """Wait up to `limit_s`; the port is read only if `reads_port`, the connection only as the board takes it."""
    connection = -1 if session is None else session.fileno()
    reads = connection >= 0 and tty.has_room()
    writes = session is not None and connection >= 0 and session.wants_write()
    if CAN_WAIT_FOR_PORTS:
        return _wait_for_all(stop.fileno(), tty, connection, limit_s, (reads_port, reads, writes))
    readers = [stop.fileno(), *([connection] if reads else [])]
    has_arrived = reads_port and tty.has_arrived()
    readable, _, _ = select.select(
        readers, [connection] if writes else [], [], 0 if has_arrived else min(limit_s, LOOK_S)
    )
    return Ready(stop.fileno() in readable, reads_port and tty.has_arrived(), tty.has_unsent(), connection in readable)


def _wait_for_all(stop: int, tty: Tty, connection: int, limit_s: float, wanted: tuple[bool, bool, bool]) -> Ready:
    reads_port, reads, writes = wanted
    poll = select.poll()  # type: ignore[attr-defined, unused-ignore]
    gone = select.POLLHUP | select.POLLERR | select.POLLNVAL  # type: ignore[attr-defined, unused-ignore]
    read, write = select.POLLIN, select.POLLOUT  # type: ignore[attr-defined, unused-ignore]
    port = tty.fileno()
    poll.register(stop, read)
    poll.register(port, (read if reads_port else 0) | (write if tty.has_unsent() else 0))
    if connection >= 0:
        poll.register(connection, (read if reads else 0) | (write if writes else 0))
    found = dict(poll.poll(limit_s * 1000))
    events = found.get(port, 0)
    return Ready(
        stop in found,
        bool(events & read),
        bool(events & write),
        bool(found.get(connection, 0) & ~write),
        bool(events & gone) and not events & read,
    )
