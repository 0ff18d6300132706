"""The bridge at the broker: receives, has the writer commit, then acknowledges. Follows the broker through restarts.

All of MQTT happens in the thread that calls `run`; the writer's thread hands back what a commit allows.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from bridge import log
from bridge.service.publish_reader import TappedSocket
from bridge.service.vitals import MANY, Vitals
from bridge.service.writer import Arrived, Done, Writer
from bridge.wire.contract import LEAVES_TO_BRIDGE

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.broker_login import BrokerLogin
    from bridge.service.publish_reader import Take
    from bridge.store import Store

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
RETRY_S = (0.2, 0.5, 1.0, 1.0, 2.0)
REFUSED_RETRY_S = 5.0
TICK_S = 1.0
MAX_UNCONFIRMED = 5_000  # publications that the broker has not confirmed; more wait for those
LEAVE_AFTER_S = 15.0  # without room for what comes; a session that is not read dies anyway, and not in order


class TappedClient(Client):
    """A paho client whose messages go to `take` without paho's doing, see tapped_socket."""

    take: Take

    def _create_socket(self) -> Any:
        inner: Any = super()._create_socket()
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an ack must not wait for the one before it
        return TappedSocket(inner, self.take)


class MqttSession:
    """Takes what consoles send into the store, from `run` until `stop`."""

    def __init__(
        self,
        broker: BrokerLogin,
        store: Store,
        identity: str,
        *,
        enrolled_only: bool = False,
        signed_only: bool = False,
    ) -> None:
        self._broker = broker
        self.vitals = Vitals(started_at_ms=time.time_ns() // 1_000_000, broker=broker.address)
        self._writer = Writer(
            store, self._hand_back, enrolled_only=enrolled_only, signed_only=signed_only, vitals=self.vitals
        )
        self._allowed: deque[Done] = deque()
        self._unconfirmed = 0
        self._full_since_s: float | None = None
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.settimeout(0)
        self._wake_writer.settimeout(0)
        self._connection = 0
        self._is_connected = False
        self._is_stopping = False
        self._arrived: list[Arrived] = []
        self._now_ms = 0
        self._client = self._make_client(f"trivox-bridge-{identity}")
        self.perform = self._writer.perform

    def _make_client(self, client_id: str) -> TappedClient:
        client = TappedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # no limit of paho's, which drops what is above it: see _hand_over
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            client.tls_set(ca_certs=None if self._broker.ca_file is None else str(self._broker.ca_file))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.take = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def run(self) -> None:
        """Work until `stop`; raises what made the writer fail."""
        self._writer.start()
        try:
            attempt = 0
            while not self._is_stopping and self._writer.failure is None:
                attempt = 0 if self._stay_connected() else attempt + 1
                self._wait(REFUSED_RETRY_S if self.vitals.refused else RETRY_S[min(attempt, len(RETRY_S) - 1)])
        finally:
            self._end()
        if self._writer.failure is not None:
            raise self._writer.failure

    def fail(self, error: BaseException) -> None:
        """End `run` with this error soon; from another thread."""
        self._writer.fail(error)
        self._wake()

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler or another thread."""
        self._is_stopping = True
        self._wake()

    def _end(self) -> None:
        self._writer.stop()
        if self._is_connected:
            if self._writer.failure is None:
                self._hand_over()
            self._client.disconnect()
        sock = self._socket()
        if sock is not None:
            sock.close()
        self._wake_reader.close()
        self._wake_writer.close()

    # -- the connection ------------------------------------------------------------------------------------------

    def _stay_connected(self) -> bool:
        """Connect and work until the connection ends; whether there was one."""
        connection = self._connection
        if not self._connect():
            return False
        give_up_s = time.monotonic() + CONNECT_TIMEOUT_S
        while not self._is_stopping and self._writer.failure is None:
            sock = self._socket()
            if sock is None:
                break
            if not self._is_connected and time.monotonic() > give_up_s:
                self._tell("the broker does not answer: trying again")
                sock.close()
                break
            if self._has_no_room():
                self._tell("more waits than can be kept: leaving the broker until the database is written")
                sock.close()
                break
            self._turn(sock)
        self._note_gone()
        return self._connection != connection

    def _connect(self) -> bool:
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except ssl.SSLCertVerificationError as error:
            self._tell("the certificate of the broker is not trusted: see --ca-file", error=error.reason)
            return False
        except OSError as error:
            self._tell("no broker answers: waiting for it", error=error)
            return False
        return True

    def _tell(self, message: str, **facts: Any) -> None:
        """Log something about the broker, limiter."""
        if self.vitals.limiter.allow(message) is not None:
            log.warning(message, broker=self._broker.address, **facts)

    def _has_no_room(self) -> bool:
        """Whether nothing could be read for so long that the session is better left."""
        if not self._writer.is_full():
            self._full_since_s = None
        elif self._full_since_s is None:
            self._full_since_s = time.monotonic()
        return self._full_since_s is not None and time.monotonic() - self._full_since_s > LEAVE_AFTER_S

    def _socket(self) -> TappedSocket | None:
        sock = self._client.socket()
        return sock if isinstance(sock, TappedSocket) and sock.fileno() >= 0 else None

    def _turn(self, sock: TappedSocket) -> None:
        """Wait until there is something to do, and do it."""
        is_reading = not self._writer.is_full()
        wake = self._wake_reader.fileno()
        readers = [wake, sock.fileno()] if is_reading else [wake]
        readable, _, _ = select.select(readers, [sock.fileno()] if sock.waiting() else [], [], TICK_S)
        if sock.fileno() in readable:
            self._now_ms = time.time_ns() // 1_000_000
            sock.fill()
            while sock.pending() and self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
                pass
            if self._arrived:
                self._writer.put(self._arrived)
                self._arrived = []
        if wake in readable:
            self._wake_reader.recv(4096)
        self._hand_over()
        self._client.loop_misc()
        if self._client.want_write():
            self._client.loop_write()
        sock.flush()

    def _wait(self, seconds: float) -> None:
        """Wait before the next attempt; what a commit allowed meanwhile is for a connection that is gone."""
        end_s = time.monotonic() + seconds
        while not self._is_stopping and self._writer.failure is None:
            left_s = end_s - time.monotonic()
            if left_s <= 0 and not self._writer.is_full():
                break
            if select.select([self._wake_reader], [], [], left_s if left_s > 0 else TICK_S)[0]:
                self._wake_reader.recv(4096)
            self._allowed.clear()

    # -- what paho calls -----------------------------------------------------------------------------------------

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self.vitals.refused = str(reason)
            self._tell("the broker refuses the bridge: correct user and password", reason=reason)
            return
        self._connection += 1
        self.vitals.connections += 1
        self._is_connected = True
        client.subscribe([(f"trivox/v1/+/+/{leaf}", 1) for leaf in LEAVES_TO_BRIDGE])
        self._writer.want_settings()

    def _on_disconnect(self, *_args: Any) -> None:
        self._note_gone()

    def _note_gone(self) -> None:
        if self._is_connected and not self._is_stopping:
            self._tell("the broker is gone: waiting for it")
        self._is_connected = self.vitals.is_connected = False

    def _on_publish(self, *_args: Any) -> None:
        self._unconfirmed -= 1

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], *_args: Any) -> None:
        """From now on messages come; before this, a new session has none."""
        if any(reason.is_failure for reason in reasons):
            self.vitals.refused = "no right to read trivox/v1/#"
            self._tell("the broker does not let the bridge subscribe: give its user the right to read trivox/v1/#")
            return
        self.vitals.is_connected, self.vitals.refused = True, ""
        if (
            self.vitals.limiter.allow("connected", burst=MANY) is not None
        ):  # bridges of one database throw out each other
            log.info("connected to the broker", broker=self._broker.address)

    def _on_message(self, topic: bytes, payload: bytes, mid: int, is_retained: bool) -> None:  # noqa: FBT001 - one of many
        text = topic.decode("utf-8", "replace")
        self._arrived.append(Arrived(text, payload, self._now_ms, mid, self._connection, is_retained))

    # -- what the writer hands back ------------------------------------------------------------------------------

    def _hand_back(self, done: Done) -> None:
        """A commit allows this; called in the writer's thread."""
        self._allowed.append(done)
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_writer.send(b"w")
        except BlockingIOError:
            return  # it will wake anyway

    def _hand_over(self) -> None:
        """Publish and acknowledge what commits allowed, as fast as the broker confirms it.

        What belongs to a connection that is gone is dropped: the broker and the consoles will ask again.
        """
        sock = self._socket()
        while self._allowed and self._unconfirmed < MAX_UNCONFIRMED:
            done = self._allowed.popleft()
            if sock is None or not self._is_connected:
                continue
            self._unconfirmed += len(done.publications)
            for topic, payload, retain in done.publications:
                self._client.publish(topic, payload, qos=1, retain=retain)
            sock.acknowledge(mid for mid, connection in done.acknowledgements if connection == self._connection)
