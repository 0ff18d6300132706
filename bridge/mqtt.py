"""The bridge at the broker: receives, has the writer commit, then acknowledges. Follows the broker through restarts.

All of MQTT happens in the thread that calls `run`; the writer's thread hands back what a commit allows.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from bridge.contract import LEAVES_TO_BRIDGE
from bridge.tapped_socket import TappedSocket
from bridge.writer import Arrived, Done, Writer

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.config import Broker
    from bridge.store import Store
    from bridge.tapped_socket import Take

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
RETRY_S = (0.2, 0.5, 1.0, 1.0, 2.0)
REFUSED_RETRY_S = 5.0
TICK_S = 1.0
MAX_BACKLOG = 20_000  # messages; more stay with the broker
MAX_UNCONFIRMED = 10_000  # publications that the broker has not confirmed

log = logging.getLogger("trivox.bridge")


class TappedClient(Client):
    """A paho client whose messages go to `take` without paho's doing, see tapped_socket."""

    take: Take

    def _create_socket(self) -> Any:
        inner: Any = super()._create_socket()
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an ack must not wait for the one before it
        return TappedSocket(inner, self.take)


class Bridge:
    """Takes what consoles send into the store, from `run` until `stop`."""

    def __init__(self, broker: Broker, store: Store, identity: str, *, enrolled_only: bool = False) -> None:
        self._broker = broker
        self._writer = Writer(store, self._hand_back, enrolled_only=enrolled_only)
        self._allowed: deque[Done] = deque()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.settimeout(0)
        self._wake_writer.settimeout(0)
        self._connection = 0
        self._is_connected = False
        self._is_stopping = False
        self._refused = ""
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
        client.max_inflight_messages_set(MAX_UNCONFIRMED)
        client.max_queued_messages_set(MAX_UNCONFIRMED)
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            client.tls_set(ca_certs=None if self._broker.ca_file is None else str(self._broker.ca_file))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.take = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def run(self) -> None:
        """Work until `stop`; raises what made the writer fail."""
        self._writer.start()
        try:
            attempt = 0
            while not self._is_stopping and self._writer.failure is None:
                attempt = 0 if self._stay_connected(attempt) else attempt + 1
                self._wait(REFUSED_RETRY_S if self._refused else RETRY_S[min(attempt, len(RETRY_S) - 1)])
        finally:
            self._end()
        if self._writer.failure is not None:
            raise self._writer.failure

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler or another thread."""
        self._is_stopping = True
        self._wake()

    def _end(self) -> None:
        self._writer.stop()
        if self._is_connected:
            self._hand_over()
            self._client.disconnect()
        sock = self._socket()
        if sock is not None:
            sock.close()
        self._wake_reader.close()
        self._wake_writer.close()

    # -- the connection ------------------------------------------------------------------------------------------

    def _stay_connected(self, attempt: int) -> bool:
        """Connect and work until the connection ends; whether there was one."""
        connection = self._connection
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except ssl.SSLCertVerificationError as error:
            if attempt == 0:
                log.warning(
                    "the certificate of %s is not trusted (%s): see --ca-file", self._broker.address, error.reason
                )
            return False
        except OSError as error:
            if attempt == 0:
                log.warning("no broker at %s (%s): waiting for it", self._broker.address, error)
            return False
        give_up_s = time.monotonic() + CONNECT_TIMEOUT_S
        while not self._is_stopping and self._writer.failure is None:
            sock = self._socket()
            if sock is None:
                break
            if not self._is_connected and time.monotonic() > give_up_s:
                log.warning("the broker at %s does not answer: trying again", self._broker.address)
                sock.close()
                break
            self._turn(sock)
        return self._connection != connection

    def _socket(self) -> TappedSocket | None:
        sock = self._client.socket()
        return sock if isinstance(sock, TappedSocket) and sock.fileno() >= 0 else None

    def _turn(self, sock: TappedSocket) -> None:
        """Wait until there is something to do, and do it."""
        is_reading = self._writer.backlog() < MAX_BACKLOG
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
        while not self._is_stopping and self._writer.failure is None and (left_s := end_s - time.monotonic()) > 0:
            if select.select([self._wake_reader], [], [], left_s)[0]:
                self._wake_reader.recv(4096)
                self._allowed.clear()

    # -- what paho calls -----------------------------------------------------------------------------------------

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            if self._refused != str(reason):
                log.warning("the broker at %s refuses the bridge (%s)", self._broker.address, reason)
            self._refused = str(reason)
            return
        self._connection += 1
        self._is_connected, self._refused = True, ""
        log.info("connected to %s", self._broker.address)
        client.subscribe([(f"trivox/v1/+/+/{leaf}", 1) for leaf in LEAVES_TO_BRIDGE])
        self._writer.want_settings()

    def _on_disconnect(self, *_args: Any) -> None:
        if self._is_connected and not self._is_stopping:
            log.warning("the broker at %s is gone: waiting for it", self._broker.address)
        self._is_connected = False

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], *_args: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("the broker does not let the bridge subscribe: give its user the right to read trivox/v1/#")

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
        """Publish and acknowledge what commits allowed, unless the connection that it belongs to is gone."""
        sock = self._socket()
        while self._allowed:
            done = self._allowed.popleft()
            if sock is None or not self._is_connected:
                continue
            for topic, payload, retain in done.publications:
                self._client.publish(topic, payload, qos=1, retain=retain)
            sock.acknowledge(mid for mid, connection in done.acknowledgements if connection == self._connection)
