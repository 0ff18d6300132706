"""Probe a broker briefly: whether it accepts the login, what it retains for consoles, what it reports about itself."""

from __future__ import annotations

import os
import secrets
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from bridge.service.broker_protocol import wrong_scheme
from bridge.service.mqtt_client import make_client
from bridge.wire.bridge_claim import ALL_CLAIMS, is_claim_topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paho.mqtt.client import MQTTMessage

    from bridge.broker_login import BrokerLogin

TIMEOUT_S = 5.0
QUIET_S = 0.5  # without a message: then all retained ones have come
VERSION, DROPPED = "$SYS/broker/version", "$SYS/broker/publish/messages/dropped"
TOPICS_A_PACKET = 256
TOPICS = ("trivox/v1/+/+/settings", VERSION, DROPPED, ALL_CLAIMS)


@dataclass
class ProbeResult:
    """The broker's answers; `problem` ends the sentence "The broker at …" if something is wrong, and is else empty."""

    problem: str = ""
    version: str = ""
    dropped: int = 0
    certificate_ends_s: float | None = None  # seconds since 1970; None without TLS
    topics: list[str] = field(default_factory=lambda: [*TOPICS])
    retained: dict[str, bytes] = field(default_factory=dict)  # for consoles, by topic
    claims: list[bytes] = field(default_factory=list)  # of bridges
    may_choose_client_id: bool = False  # False: the broker ties client ids to logins
    is_subscribed: bool = False
    last_message_s: float = 0.0

    def on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        """Subscribe to the retained messages, once the login is accepted."""
        if reason.is_failure:
            self.problem = f"refuses this login ({reason}): give TRIVOX_MQTT_USER and TRIVOX_MQTT_PASSWORD, or --config"
        else:
            for start in range(0, len(self.topics), TOPICS_A_PACKET):
                client.subscribe([(topic, 0) for topic in self.topics[start : start + TOPICS_A_PACKET]])

    def on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[Any], *_: Any) -> None:
        """Note whether the subscription was granted; retained messages come after it."""
        self.is_subscribed, self.last_message_s = True, time.monotonic()
        if reasons and reasons[0].is_failure:
            self.problem = "does not let this login read trivox/v1/#: give its user that right"

    def on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        """Keep a retained message, or a figure about the broker."""
        self.last_message_s = time.monotonic()
        if message.topic == VERSION:
            self.version = message.payload.decode("utf-8", "replace")
        elif message.topic == DROPPED:
            self.dropped = int(message.payload) if message.payload.isdigit() else 0
        elif message.retain and is_claim_topic(message.topic):
            self.claims.append(bytes(message.payload))
        elif message.retain:
            self.retained[message.topic] = bytes(message.payload)


def probe(broker: BrokerLogin, more_topics: Iterable[str] = ()) -> ProbeResult:
    """Probe a broker, also for what it retains under `more_topics`; this takes a few seconds at most."""
    result = ProbeResult(topics=[*TOPICS, *more_topics])
    client = make_client(Client, broker, f"trivox-doctor-{os.getpid()}")
    client.on_connect = result.on_connect
    client.on_subscribe, client.on_message = result.on_subscribe, result.on_message
    try:
        client.connect(broker.host, broker.port)
        result.certificate_ends_s = _certificate_ends_s(client)
        _listen(client, broker, result)
        if not result.problem:
            result.may_choose_client_id = is_let_in(broker) and _is_still_connected(client)
    except ssl.SSLCertVerificationError as error:
        result.problem = f"has a certificate that is not trusted ({error.reason}): give --ca-file"
    except OSError as error:
        reason = wrong_scheme(broker, error)
        result.problem = _refused(reason) or f"does not answer ({error}): start it, or correct its address"
    client.disconnect()
    return result


def is_let_in(broker: BrokerLogin) -> bool:
    """Return whether the broker lets one more client in with this login, under a client id that nobody else has."""
    client = _log_in(broker)
    if client is not None:
        client.disconnect()
    return client is not None


def lets_clients_choose_ids(broker: BrokerLogin) -> bool | None:
    """Return whether two clients with this login can be connected at once; None if it is not let in at all."""
    first = _log_in(broker)
    if first is None:
        return None
    may_choose = is_let_in(broker) and _is_still_connected(first)
    first.disconnect()
    return may_choose


def _log_in(broker: BrokerLogin) -> Client | None:
    """Return a client that the broker let in, or None."""
    answers: list[bool] = []
    client = make_client(Client, broker, f"trivox-doctor-{secrets.token_hex(8)}")
    client.on_connect = lambda *given: answers.append(not given[3].is_failure)
    end_s = time.monotonic() + TIMEOUT_S
    try:
        client.connect(broker.host, broker.port)
        while not answers and client.loop(0.1) == MQTTErrorCode.MQTT_ERR_SUCCESS and time.monotonic() < end_s:
            pass
    except OSError:
        return None
    return client if answers == [True] else None


def _is_still_connected(client: Client) -> bool:
    """Return whether the broker still serves a client, which shows in its answer to a packet."""
    answers: list[int] = []
    client.on_unsubscribe = lambda *_: answers.append(1)
    client.unsubscribe(VERSION)
    end_s = time.monotonic() + TIMEOUT_S
    while not answers and client.loop(0.1) == MQTTErrorCode.MQTT_ERR_SUCCESS and time.monotonic() < end_s:
        pass
    return bool(answers)


def _certificate_ends_s(client: Client) -> float | None:
    connection = client.socket()
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    return ssl.cert_time_to_seconds(str(certificate["notAfter"])) if certificate else None


def _listen(client: Client, broker: BrokerLogin, result: ProbeResult) -> None:
    end_s = time.monotonic() + TIMEOUT_S
    while not result.problem and client.loop(0.1) == MQTTErrorCode.MQTT_ERR_SUCCESS:
        now_s = time.monotonic()
        if now_s > end_s or (result.is_subscribed and now_s - result.last_message_s > QUIET_S):
            break
    if not (result.is_subscribed or result.problem):
        result.problem = _refused(wrong_scheme(broker)) or "does not speak MQTT: correct its address"


def _refused(reason: str) -> str:
    return reason and f"cannot be used like this: {reason}"
