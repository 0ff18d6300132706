"""Model the network: connections that keep order, take time, and may be cut or silently go half open."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.chaos.virtual.timeline import VirtualTimeline

Packet = tuple[Any, ...]


class Network:
    """The network between one client and the broker."""

    def __init__(self, timeline: VirtualTimeline, chance: random.Random) -> None:
        self.timeline = timeline
        self.chance = chance
        self.is_up = True
        self.slow_ms = 0  # added to the time of each packet
        self.connections: list[VirtualConnection] = []

    def delay_ms(self) -> int:
        """Draw how long a packet takes."""
        return self.chance.choice((1, 1, 2, 3, 5, 8, 20)) + (self.chance.randrange(self.slow_ms) if self.slow_ms else 0)

    def set_up(self, *, is_up: bool) -> None:
        """Let Wi-Fi come or go; connections hang when it goes, and nobody is notified."""
        self.is_up = is_up
        if not is_up:
            self.hang()

    def hang(self) -> None:
        """Let all connections go half open."""
        for connection in self.connections:
            connection.is_hanging = True

    def cut(self) -> None:
        """Reset all connections; packets on their way are lost."""
        for connection in list(self.connections):
            connection.reset()


class VirtualConnection:
    """A connection of a client and the broker, each with a `…_takes(packet)` and a `…_ends()`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.is_open = True
        self.is_hanging = False
        self.client_takes: Callable[[Packet], None] = _nobody
        self.client_ends: Callable[[], None] = _nobody_ends
        self.broker_takes: Callable[[Packet], None] = _nobody
        self.broker_ends: Callable[[], None] = _nobody_ends
        self._arrives_ms = [0, 0]  # so that nothing overtakes
        network.connections.append(self)

    def to_broker(self, packet: Packet) -> None:
        """Send from the client; raise OSError if it knows that the connection has ended."""
        if not self.is_open:
            raise OSError(errno.ECONNRESET)
        self._carry(0, packet)

    def to_client(self, packet: Packet) -> None:
        """Send from the broker."""
        if self.is_open:
            self._carry(1, packet)

    def _carry(self, way: int, packet: Packet) -> None:
        timeline = self.network.timeline
        at_ms = self._arrives_ms[way] = max(self._arrives_ms[way], timeline.now_ms + self.network.delay_ms())
        timeline.at(at_ms, lambda: self._arrived(way, packet))

    def _arrived(self, way: int, packet: Packet) -> None:
        if self.is_open and not self.is_hanging:
            (self.client_takes if way else self.broker_takes)(packet)

    def reset(self) -> None:
        """End it, and notify both sides."""
        self._end()
        self.client_ends()
        self.broker_ends()

    def close_by_client(self) -> None:
        """Close it by the client; the broker learns it soon, if the network is up."""
        if self.is_open and not self.is_hanging:
            self._end()
            self.network.timeline.after(self.network.delay_ms(), self.broker_ends)
        else:
            self._end_silently()

    def _end(self) -> None:
        self.is_open = False
        if self in self.network.connections:
            self.network.connections.remove(self)

    def _end_silently(self) -> None:
        """End it so that the broker learns it only when the keepalive has run out."""
        was_open, self.is_open = self.is_open, False
        if was_open:
            self._end()
            self.network.timeline.after(45_000, self.broker_ends)


def _nobody(_packet: Packet) -> None:
    pass


def _nobody_ends() -> None:
    pass
