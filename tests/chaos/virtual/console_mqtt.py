"""Stand in for `console.mqtt.Mqtt`, with the same limits and waits, but packets instead of bytes."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from tests.chaos.virtual.network import Packet, VirtualConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.chaos.virtual.board import VirtualPowerCycle

SILENCE_LIMIT_MS = 20000
PING_MS = 10000
OPEN_LIMIT_MS = 15000
IN_FLIGHT_LIMIT = 16


class VirtualMqtt:
    """One connection of a console to the broker."""

    def __init__(
        self,
        cycle: VirtualPowerCycle,
        client_id: str,
        prefix: str,
        on_message: Callable[[str, bytes | None], Awaitable[None]],
    ) -> None:
        self._cycle = cycle
        self._client_id = client_id
        self._prefix = prefix
        self._on_message = on_message
        self._connection: VirtualConnection | None = None
        self._incoming: list[Packet] = []
        self._arrived = cycle.loop.Event()
        self._in_flight: dict[int, int] = {}
        self._last_id = 0
        self._heard = self._pinged = 0
        self._failed = False
        self.refused = False
        self.oversize = 0

    async def open(self, address: str, will: str) -> None:
        cycle, broker = self._cycle, self._cycle.board.broker
        for _ in range(OPEN_LIMIT_MS // 1000):
            if cycle.board.network.is_up:
                break
            await cycle.loop.sleep_ms(1000)
        else:
            raise OSError(errno.ETIMEDOUT)
        await cycle.loop.sleep_ms(cycle.board.network.delay_ms())
        if not broker.is_up:
            raise OSError(errno.ECONNREFUSED)
        connection = self._connection = VirtualConnection(cycle.board.network)
        connection.client_takes = self._takes
        connection.client_ends = self._ends
        broker.accept(connection)
        connection.to_broker(("connect", self._client_id, True, (self._prefix + "status", will.encode())))
        self._heard = self._pinged = cycle.up_ms()
        for _ in range(OPEN_LIMIT_MS // 10):
            if self._incoming or self._failed:
                break
            await cycle.loop.sleep_ms(10)
        if not self._incoming:
            raise OSError(errno.ETIMEDOUT)
        self._incoming.pop(0)
        self._heard = self._pinged = cycle.up_ms()

    async def publish(self, leaf: str, payload: list[bytes], qos: int = 0, retain: bool = False) -> None:  # noqa: FBT001, FBT002
        number = 0
        message = b"".join(payload)
        if leaf == "events":
            self._cycle.board.ledger.sends(self._cycle, message.decode())
        if qos:
            while len(self._in_flight) >= IN_FLIGHT_LIMIT:
                await self._cycle.loop.sleep_ms(10)
            number = self._number()
            self._in_flight[number] = self._cycle.up_ms()
        await self._send(("publish", self._prefix + leaf, message, qos, retain, number, False))

    async def subscribe(self, leaves: tuple[str, ...]) -> None:
        await self._send(("subscribe", [self._prefix + leaf for leaf in leaves]))

    async def run(self) -> None:
        while True:
            while self._incoming:
                await self._take(self._incoming.pop(0))
                self._heard = self._cycle.up_ms()
            if self._failed:
                raise EOFError
            self._arrived.clear()
            await self._arrived.wait()

    async def tick(self) -> None:
        now_ms = self._cycle.up_ms()
        if now_ms - self._heard > SILENCE_LIMIT_MS:
            raise OSError("broker is silent")
        if any(now_ms - sent_ms > SILENCE_LIMIT_MS for sent_ms in self._in_flight.values()):
            raise OSError("broker does not acknowledge")
        if now_ms - self._pinged > PING_MS:
            self._pinged = now_ms
            await self._send(("pingreq",))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close_by_client()

    async def _take(self, packet: Packet) -> None:
        if packet[0] == "puback":
            self._in_flight.pop(packet[1], None)
        elif packet[0] == "publish":
            _, topic, payload, qos, _, number, _ = packet
            self._cycle.on_message(topic, payload)
            await self._on_message(topic[len(self._prefix) :], payload)
            self._cycle.on_message_handled(topic)
            if qos:
                await self._send(("puback", number))

    def _number(self) -> int:
        self._last_id = self._last_id % 65535 + 1
        return self._last_id

    async def _send(self, packet: Packet) -> None:
        if self._connection is None:
            raise OSError(errno.ENOTCONN)
        self._connection.to_broker(packet)
        await self._cycle.loop.sleep_ms(self._cycle.chance.choice((0, 0, 0, 1, 3)))

    def _takes(self, packet: Packet) -> None:
        self._incoming.append(packet)
        self._arrived.set()

    def _ends(self) -> None:
        self._failed = True
        self._arrived.set()


def transport_of(cycle: VirtualPowerCycle) -> Any:
    """Return the stand-in for the class `console.mqtt.Mqtt` in this power cycle."""
    return lambda _broker, client_id, prefix, on_message: VirtualMqtt(cycle, client_id, prefix, on_message)
