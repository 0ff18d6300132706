"""Model a broker, MQTT 3.1.1 with QoS 1, that may deliver twice, late, out of order after a reconnection, or forget.

It never invents messages: whatever it delivers was published under that topic.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from tests.chaos.virtual.network import Packet, VirtualConnection
    from tests.chaos.virtual.timeline import VirtualTimeline

Message = tuple[str, bytes, int, bool]  # topic, payload, QoS, retained
WINDOW = 20


class Session:
    """The broker's state of a client, which has at most WINDOW unacknowledged messages."""

    def __init__(self, client_id: str, *, clean: bool) -> None:
        self.client_id = client_id
        self.clean = clean
        self.filters: list[str] = []
        self.queue: deque[Message] = deque()
        self.with_client: dict[int, Message] = {}
        self.last_id = 0
        self.connection: VirtualConnection | None = None
        self.will: tuple[str, bytes] | None = None

    def wants(self, topic: str) -> bool:
        """Return whether a filter matches the topic: a plain topic, or one with `+` for two levels."""
        if topic in self.filters:
            return True
        head, _, leaf = topic.rpartition("/")
        return head.count("/") == 3 and f"trivox/v1/+/+/{leaf}" in self.filters


class VirtualBroker:
    """A broker that delivers the share `duplicate_rate` of messages twice and loses `lost_puback_rate` of PUBACKs."""

    def __init__(self, timeline: VirtualTimeline, chance: random.Random) -> None:
        self._timeline = timeline
        self._chance = chance
        self.is_up = True
        self.duplicate_rate = self.lost_puback_rate = 0.0
        self.slow_ms = 0
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, bytes] = {}
        self._connections: list[VirtualConnection] = []

    def is_idle(self) -> bool:
        """Return whether nothing waits for a connected client."""
        return not any(each.connection and (each.queue or each.with_client) for each in self.sessions.values())

    def accept(self, connection: VirtualConnection) -> None:
        """Accept a client's connection."""
        self._connections.append(connection)
        connection.broker_takes = lambda packet: self._takes_first(connection, packet)

    def stop(self, *, forgets_queues: bool, forgets_sessions: bool) -> None:
        """Stop as if killed."""
        self.is_up = False
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.broker_ends = _nothing
            connection.reset()
        for client_id, session in list(self.sessions.items()):
            session.connection = None
            if session.clean or forgets_sessions:
                del self.sessions[client_id]
            elif forgets_queues:
                session.queue.clear()
                session.with_client.clear()
        if forgets_sessions:
            self.retained.clear()

    def _takes_first(self, connection: VirtualConnection, packet: Packet) -> None:
        _, client_id, clean, will = packet
        session = self.sessions.get(client_id)
        if session is not None and session.connection is not None:
            old, session.connection = session.connection, None
            old.broker_ends = _nothing
            old.reset()
        if session is None or clean or session.clean:
            session = self.sessions[client_id] = Session(client_id, clean=clean)
        session.connection, session.will = connection, will
        connection.broker_takes = lambda packet: self._takes(session, connection, packet)
        connection.broker_ends = lambda: self._lost(session, connection)
        connection.to_client(("connack",))
        again = list(session.with_client.values())
        session.with_client.clear()
        if self._chance.random() < 0.2:
            session.queue.extend(again)
        else:
            session.queue.extendleft(reversed(again))
        self._send_on(session)

    def _lost(self, session: Session, connection: VirtualConnection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        if session.connection is not connection:
            return
        session.connection = None
        if session.clean and self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]
        if session.will is not None and self.is_up:
            self._route((*session.will, 1, True))

    def _takes(self, session: Session, connection: VirtualConnection, packet: Packet) -> None:
        kind = packet[0]
        if kind == "publish":
            _, topic, payload, qos, retain, number, _ = packet
            self._route((topic, payload, qos, retain))
            if qos and self._chance.random() >= self.lost_puback_rate:
                connection.to_client(("puback", number))
        elif kind == "puback":
            session.with_client.pop(packet[1], None)
            self._send_on(session)
        elif kind == "subscribe":
            session.filters = packet[1]
            connection.to_client(("suback",))
            for topic, payload in self.retained.items():
                if session.wants(topic):
                    session.queue.append((topic, payload, 1, True))
            self._send_on(session)
        elif kind == "pingreq":
            connection.to_client(("pingresp",))

    def _route(self, message: Message) -> None:
        topic, payload, qos, retain = message
        if retain:
            self.retained[topic] = payload
        for session in self.sessions.values():
            if session.wants(topic) and (session.connection or (qos and not session.clean)):
                session.queue.append((topic, payload, qos, False))
                if qos and self._chance.random() < self.duplicate_rate:
                    session.queue.append((topic, payload, qos, False))
                self._send_on(session)

    def _send_on(self, session: Session) -> None:
        connection = session.connection
        while connection is not None and session.queue and len(session.with_client) < WINDOW:
            topic, payload, qos, retained = message = session.queue.popleft()
            number = 0
            if qos:
                number = session.last_id = session.last_id % 65535 + 1
                session.with_client[number] = message
            packet = ("publish", topic, payload, qos, retained, number, False)
            if self.slow_ms:
                self._timeline.after(
                    self._chance.randrange(self.slow_ms), lambda packet=packet: connection.to_client(packet)
                )
            else:
                connection.to_client(packet)


def _nothing() -> None:
    pass
