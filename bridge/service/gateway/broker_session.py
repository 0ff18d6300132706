"""Connect a board to the broker with its own client id, last will and topics, as if it had a radio.

Everything runs in the thread of the board's port.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from bridge.wire.serial_line import Identity, Message

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.broker_login import BrokerLogin

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
FAREWELL_S = 2.0
UNCONFIRMED_MAX = 8  # a console sends four batches ahead of the bridge
LEAVES_TO_BOARD = ("ack", "settings", "command", "firmware")
RETAINED = ("status", "health")
STATUS = "status"


class RefusedError(Exception):
    """The broker refuses this session; `str()` says what to correct, `reason` is the broker's answer."""

    def __init__(self, sentence: str, reason: object) -> None:
        super().__init__(sentence)
        self.reason = reason


class BrokerSession:
    """A board's MQTT session; the constructor connects and raises OSError.

    `is_up` once messages can arrive; `arrived` holds those that did. `will` is the status that the broker publishes if
    the session ends without `close`.
    """

    def __init__(self, broker: BrokerLogin, identity: Identity, will: bytes) -> None:
        self.identity = identity
        self.is_up = False
        self.arrived: deque[Message] = deque()
        self._refusal: RefusedError | None = None
        self._unconfirmed: dict[int, Message] = {}
        self._began_s = time.monotonic()
        self._client = self._make_client(broker, identity)
        self._client.will_set(identity.topics + STATUS, will, qos=1, retain=True)
        try:
            self._client.connect(broker.host, broker.port, KEEPALIVE_S)
        except OSError:
            self._release()
            raise

    def _make_client(self, broker: BrokerLogin, identity: Identity) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=identity.client_id,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            client.tls_set(ca_certs=None if broker.ca_file is None else str(broker.ca_file))
        client.on_socket_open = _disable_nagle
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def fileno(self) -> int:
        """Return the file descriptor for poll; -1 once the connection is gone."""
        sock = self._client.socket()
        return -1 if sock is None else int(sock.fileno())

    def wants_write(self) -> bool:
        """Return whether something is waiting to be written."""
        return bool(self._client.want_write())

    def has_room(self) -> bool:
        """Return whether the broker keeps up, so that more may be published."""
        return self.is_up and len(self._unconfirmed) < UNCONFIRMED_MAX

    def publish(self, message: Message) -> None:
        """Publish a message of the board, with the QoS and retain flag that its leaf calls for."""
        retain = message.leaf in RETAINED
        qos = 0 if message.leaf == "health" else 1
        topic = self.identity.topics + message.leaf
        info = self._client.publish(topic, message.payload, qos=qos, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS or not info.is_published():
            self._unconfirmed[info.mid] = message

    def work(self, *, readable: bool) -> None:
        """Read, write, and keep the session alive. Raises RefusedError, or OSError once the connection is gone."""
        if readable:
            self._read()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        if self._refusal is not None:
            raise self._refusal
        if self.fileno() < 0:
            raise ConnectionError("the connection has ended")
        if not self.is_up and time.monotonic() - self._began_s > CONNECT_TIMEOUT_S:
            raise TimeoutError("the broker does not answer")

    def _read(self) -> None:
        while self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            sock = self._client.socket()
            if not isinstance(sock, ssl.SSLSocket) or not sock.pending():
                return  # … but read on while TLS holds data that poll does not see

    def unconfirmed(self) -> list[Message]:
        """Return what the broker has not confirmed, for the next session; not the status, which may have changed."""
        return [message for message in self._unconfirmed.values() if message.leaf != STATUS]

    def close(self, farewell: bytes | None) -> None:
        """Publish a last status, if given, wait up to two seconds for its confirmation, and end the session."""
        if self.is_up and farewell is not None:
            self.publish(Message(STATUS, farewell))
            end_s = time.monotonic() + FAREWELL_S
            while self._unconfirmed and self.fileno() >= 0 and time.monotonic() < end_s:
                writers = [self.fileno()] if self.wants_write() else []
                readable, _, _ = select.select([self.fileno()], writers, [], end_s - time.monotonic())
                if readable:
                    self._read()
                self._client.loop_write()
            self._client.disconnect()
        sock = self._client.socket()
        if sock is not None:
            sock.close()
        self._release()

    def _release(self) -> None:
        """Break reference cycles: else each attempt keeps its file descriptors until the garbage collector runs."""
        client = self._client
        client.on_connect = client.on_subscribe = client.on_publish = client.on_message = client.on_socket_open = None

    # -- what paho calls -----------------------------------------------------------------------------------------

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._refusal = RefusedError(
                "the broker refuses the gateway: correct user and password; a console's may have been revoked", reason
            )
        else:
            client.subscribe([(self.identity.topics + leaf, 1) for leaf in LEAVES_TO_BOARD])

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], *_args: Any) -> None:
        refused = next((reason for reason in reasons if reason.is_failure), None)
        if refused is not None:
            sentence = "the broker does not let the gateway read a console's topics: give its user that right"
            self._refusal = RefusedError(sentence, refused)
        self.is_up = refused is None

    def _on_publish(self, _client: Client, _data: Any, mid: int, *_args: Any) -> None:
        self._unconfirmed.pop(mid, None)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        leaf = message.topic.removeprefix(self.identity.topics)
        self.arrived.append(Message(leaf, bytes(message.payload)))


def _disable_nagle(_client: Client, _data: Any, sock: Any) -> None:
    """Send small packets at once, without waiting for each other."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
