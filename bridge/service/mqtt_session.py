"""Connect the bridge to the broker: receive messages, have the writer commit them, then acknowledge them.

The session follows the broker through restarts. All of MQTT runs in the thread that calls `run`; the writer's thread
hands over what a commit allows to be sent.
"""

from __future__ import annotations

import secrets
import select
import socket
import ssl
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import MQTTErrorCode

from bridge import log
from bridge.keyring import Keyring
from bridge.service.broker_protocol import wrong_scheme
from bridge.service.claim import another_bridge, shared_keys
from bridge.service.claim_inquiry import ClaimInquiry
from bridge.service.claim_keeper import ClaimKeeper
from bridge.service.mqtt_client import CONNECT_TIMEOUT_S, make_client
from bridge.service.publish_reader import PublishReader
from bridge.service.subscriptions import Subscriptions
from bridge.service.vitals import MANY, Vitals
from bridge.service.writer import Outgoing, ReceivedMessage, Writer
from bridge.wire.bridge_claim import is_claim_topic

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.broker_login import BrokerLogin
    from bridge.service.claim import Claim
    from bridge.service.publish_reader import HandleMessage
    from bridge.store import Store

KEEPALIVE_S = 30
RETRY_S = (0.2, 0.5, 1.0, 1.0, 2.0)
REFUSED_RETRY_S = 5.0
TICK_S = 1.0
MAX_UNCONFIRMED = 5_000  # publications that the broker has not confirmed yet; further ones wait
GOODBYE_S = 2.0
LEAVE_AFTER_S = 15.0  # after being full for so long; a session that is not read dies anyway, and not cleanly


class PublishReaderClient(Client):
    """A paho client whose incoming messages bypass paho and go to `handle_message`: see `publish_reader`."""

    handle_message: HandleMessage

    def _create_socket(self) -> Any:
        inner: Any = super()._create_socket()
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a PUBACK must not wait for the one before it
        return PublishReader(inner, self.handle_message)


class MqttSession:
    """The bridge's session with the broker: stores what consoles send, from `run` until `stop`.

    `session` is its client id there, and `claim` says for which sites it works.
    """

    def __init__(
        self,
        broker: BrokerLogin,
        store: Store,
        session: str,
        claim: Claim,
        *,
        enrolled_only: bool = False,
        signed_only: bool = False,
    ) -> None:
        self._broker = broker
        self._claim = claim
        self._keys = Keyring(store.path).folder
        self.vitals = Vitals(
            started_at_ms=time.time_ns() // 1_000_000,
            broker=broker.address,
            instance=claim.instance,
            sites=claim.sites,
            signed_only=signed_only,
        )
        self._writer = Writer(
            store, self._on_commit, enrolled_only=enrolled_only, signed_only=signed_only, vitals=self.vitals
        )
        self._outgoing: deque[Outgoing] = deque()
        self._unconfirmed = 0
        self._full_since_s: float | None = None
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.settimeout(0)
        self._wake_writer.settimeout(0)
        self._connection = 0
        self._is_connected = False
        self._is_serving = False  # true once the broker has the claim of this connection
        self._is_stopping = False
        self._received: list[ReceivedMessage] = []
        self._now_ms = 0
        self._client = self._make_client(session)
        self._keeper = ClaimKeeper(claim, self._client)
        self._subscriptions = Subscriptions(self._client, claim.sites)
        self.perform = self._writer.perform

    def _make_client(self, client_id: str) -> PublishReaderClient:
        client = make_client(PublishReaderClient, self._broker, client_id, clean_session=False)
        client.max_inflight_messages_set(0)  # paho drops what exceeds its own limit; `_send_outgoing` has one instead
        client.will_set(self._claim.topic, b"", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.handle_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def run(self) -> None:
        """Work until `stop`; raise the error that made the writer fail, if one did."""
        self._writer.start()
        try:
            attempt = 0
            while not self._is_ending():
                attempt = 0 if self._is_connection_kept() else attempt + 1
                self._wait(REFUSED_RETRY_S if self.vitals.refused else RETRY_S[min(attempt, len(RETRY_S) - 1)])
        finally:
            self._end()
        if self._writer.failure is not None:
            raise self._writer.failure

    def fail(self, error: BaseException) -> None:
        """Make `run` end soon with this error; may be called from another thread."""
        self._writer.fail(error)
        self._wake()

    def stop(self) -> None:
        """Make `run` end soon; may be called from a signal handler or another thread."""
        self._is_stopping = True
        self._wake()

    def _is_ending(self) -> bool:
        return self._is_stopping or self._writer.failure is not None

    def _end(self) -> None:
        self._writer.stop()
        if self._is_connected:
            if self._writer.failure is not None:
                self._outgoing.clear()  # the broker and the consoles will send again
            self._send_outgoing()
            self._say_goodbye()
            self._client.disconnect()
        sock = self._socket()
        if sock is not None:
            sock.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _is_connection_kept(self) -> bool:
        """Stay connected as long as possible; without memory, disconnect: the broker sends again what was received."""
        try:
            return self._stay_connected()
        except MemoryError:
            with suppress(MemoryError):  # even the log needs some
                self._warn("this machine has no memory left: disconnecting until it has")
            self._received = []
            if (sock := self._socket()) is not None:
                sock.close()
            self._note_disconnected()
            return False

    def _say_goodbye(self) -> None:
        """Take the claim back, and wait until the broker has read that."""
        if self._keeper.rival is not None:
            self._subscriptions.end()
        self._keeper.take_back()
        end_s = time.monotonic() + GOODBYE_S
        while self._keeper.is_pending() and (sock := self._socket()) is not None and time.monotonic() < end_s:
            self._work_once(sock)

    # -- the connection ------------------------------------------------------------------------------------------

    def _stay_connected(self) -> bool:
        """Connect and work until the connection ends; return whether one was established."""
        previous_connection = self._connection
        self._is_serving = False
        self._received = []
        if not (self._may_serve() and self._connect(self._client)):
            return False
        give_up_s = time.monotonic() + CONNECT_TIMEOUT_S
        while not self._is_ending():
            sock = self._socket()
            if sock is None:
                break
            if not self._is_connected and time.monotonic() > give_up_s:
                self._warn("the broker does not answer: trying again")
                sock.close()
                break
            if self._is_full_for_too_long():
                self._warn("too many messages are waiting: disconnecting until the database can be written")
                sock.close()
                break
            self._work_once(sock)
            if self._keeper.rival is not None:
                self._writer.fail(another_bridge(self._keeper.rival, self._broker.address))
        if not self._is_ending():  # else `_end` says good-bye
            self._note_disconnected()
        return self._connection != previous_connection

    def _may_serve(self) -> bool:
        """Ask whether another bridge serves the same consoles; return whether the session may begin now."""
        client = make_client(Client, self._broker, f"trivox-inquiry-{secrets.token_hex(8)}")
        inquiry = ClaimInquiry(client, self._claim, self._is_ending)
        if not self._connect(client):
            return False
        inquiry.run()
        if inquiry.refused:
            self._note_refused(inquiry.refused, "the broker refuses the bridge: correct user and password")
        elif not inquiry.is_complete:
            self._warn_unanswered("the broker does not answer: trying again")
        elif inquiry.rival is not None:
            self._writer.fail(another_bridge(inquiry.rival, self._broker.address))
        elif inquiry.shares_name:
            self._writer.fail(shared_keys(self._keys, self._broker.address))
        else:
            self._note_claim_rights(are_given=inquiry.is_heard)
            return True
        return False

    def _note_refused(self, reason: str, sentence: str) -> None:
        self.vitals.refused = reason
        self._warn(sentence, reason=reason)

    def _note_claim_rights(self, *, are_given: bool) -> None:
        """Without the right to claims the bridge serves all the same: its consoles must not wait for it."""
        self.vitals.can_claim = are_given
        if not are_given:
            self._warn(
                "the broker does not let the bridge write and read trivox/v1/bridge/+, so that a second bridge would "
                "not be noticed: give its user that right, or run `trivox broker-config` again"
            )

    def _connect(self, client: Client) -> bool:
        try:
            client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except ssl.SSLCertVerificationError as error:
            self._warn("the certificate of the broker is not trusted: see --ca-file", error=error.reason)
            return False
        except OSError as error:
            self._warn_unanswered("no broker answers: waiting for it", error)
            return False
        return True

    def _warn_unanswered(self, message: str, error: OSError | None = None) -> None:
        if not self._is_ending():
            self._warn(wrong_scheme(self._broker, error) or message, error=error)

    def _warn(self, message: str, **facts: Any) -> None:
        """Log a problem with the broker, at most once a minute."""
        if self.vitals.limiter.allow(message) is not None:
            log.warning(message, broker=self._broker.address, **facts)

    def _is_full_for_too_long(self) -> bool:
        """Return whether nothing could be read for so long that it is better to disconnect."""
        if not self._writer.is_full():
            self._full_since_s = None
        elif self._full_since_s is None:
            self._full_since_s = time.monotonic()
        return self._full_since_s is not None and time.monotonic() - self._full_since_s > LEAVE_AFTER_S

    def _socket(self) -> PublishReader | None:
        sock = self._client.socket()
        return sock if isinstance(sock, PublishReader) and sock.fileno() >= 0 else None

    def _work_once(self, sock: PublishReader) -> None:
        """Wait until there is something to do, and do it."""
        is_reading = not self._writer.is_full()
        wake = self._wake_reader.fileno()
        readers = [wake, sock.fileno()] if is_reading else [wake]
        writers = [sock.fileno()] if sock.has_unsent() else []
        readable, _, _ = select.select(readers, writers, [], self._keeper.wait_s(TICK_S))
        if sock.fileno() in readable:
            self._now_ms = time.time_ns() // 1_000_000
            sock.fill()
            while sock.pending() and self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
                pass
        if self._received and self._is_serving and not self._is_ending() and self._keeper.rival is None:
            self._writer.enqueue(self._received)
            self._received = []
        if wake in readable:
            self._wake_reader.recv(4096)
        self._send_outgoing()
        if self._is_connected:
            self._keeper.state_if_due()
        self._client.loop_misc()
        if self._client.want_write():
            self._client.loop_write()
        sock.flush()

    def _wait(self, seconds: float) -> None:
        """Wait before the next attempt; drop what commits release meanwhile, as its connection is gone."""
        end_s = time.monotonic() + seconds
        while not self._is_ending():
            left_s = end_s - time.monotonic()
            if left_s <= 0 and not self._writer.is_full():
                break
            if select.select([self._wake_reader], [], [], left_s if left_s > 0 else TICK_S)[0]:
                self._wake_reader.recv(4096)
            self._outgoing.clear()

    # -- what paho calls -----------------------------------------------------------------------------------------

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._note_refused(str(reason), "the broker refuses the bridge: correct user and password")
            return
        self._connection += 1
        self.vitals.connections += 1
        self._is_connected = True
        self._subscriptions.begin()
        self._keeper.begin()

    def _on_disconnect(self, *_args: Any) -> None:
        self._note_disconnected()

    def _note_disconnected(self) -> None:
        if self._is_connected and not self._is_ending():
            self._warn("the broker is gone: waiting for it")
        self._is_connected = self.vitals.is_connected = False

    def _on_publish(self, _client: Client, _data: Any, mid: int, *_args: Any) -> None:
        if not self._keeper.note_published(mid):
            self._unconfirmed -= 1
        elif self._keeper.is_confirmed and not self._is_serving:
            self._is_serving = True
            self._writer.publish_retained()
            self._note_connected()

    def _on_subscribe(self, _client: Client, _data: Any, mid: int, reasons: list[ReasonCode], *_args: Any) -> None:
        """Messages arrive from now on; a new session gets none before this."""
        self._subscriptions.note_answer(mid, reasons)
        if self._subscriptions.is_refused:
            self.vitals.refused = "no right to read trivox/v1/#"
            self._warn("the broker does not let the bridge subscribe: give its user the right to read trivox/v1/#")
            return
        self._note_connected()

    def _note_connected(self) -> None:
        if not (self._subscriptions.is_complete and self._is_serving):
            return
        self.vitals.is_connected, self.vitals.refused = True, ""
        if self.vitals.limiter.allow("connected", burst=MANY) is not None:
            log.info("connected to the broker", broker=self._broker.address)

    def _on_message(self, topic: bytes, payload: bytes, mid: int, is_retained: bool) -> None:  # noqa: FBT001 - see HandleMessage
        name = topic.decode("utf-8", "replace")
        if is_claim_topic(name):
            self._keeper.hear(name, payload, is_retained=is_retained)
        elif not self._claim.covers(name):  # from before the bridge was given fewer sites; others serve that console
            sock = self._socket()
            if sock is not None and mid:
                sock.acknowledge([mid])
        else:
            self._received.append(ReceivedMessage(name, payload, self._now_ms, mid, self._connection, is_retained))

    # -- what the writer hands over ------------------------------------------------------------------------------

    def _on_commit(self, outgoing: Outgoing) -> None:
        """Keep what a commit allows to be sent, but nothing for sites of others; called in the writer's thread."""
        ours = [publication for publication in outgoing.publications if self._claim.covers(publication.topic)]
        self._outgoing.append(outgoing._replace(publications=ours))
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_writer.send(b"w")
        except BlockingIOError:
            return  # it is full: the thread will wake anyway

    def _send_outgoing(self) -> None:
        """Publish and acknowledge what commits allowed, as fast as the broker confirms it.

        What belongs to an earlier connection is dropped: the broker and the consoles will send again.
        """
        sock = self._socket()
        while self._outgoing and self._unconfirmed < MAX_UNCONFIRMED:
            outgoing = self._outgoing.popleft()
            if sock is None or not self._is_connected:
                continue
            self._unconfirmed += len(outgoing.publications)
            for topic, payload, retain in outgoing.publications:
                self._client.publish(topic, payload, qos=1, retain=retain)
            sock.acknowledge(mid for mid, connection in outgoing.acknowledgements if connection == self._connection)
