"""One short look at a broker: whether it lets us in, what it has retained for consoles, what it says of itself."""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

    from bridge.broker_login import BrokerLogin

TIMEOUT_S = 5.0
QUIET_S = 0.5  # after the last of what is retained
VERSION, DROPPED = "$SYS/broker/version", "$SYS/broker/publish/messages/dropped"
TOPICS = ("trivox/v1/+/+/settings", VERSION, DROPPED)


@dataclass
class Seen:
    """What was seen; `trouble` is why there is nothing, as the end of a sentence."""

    trouble: str = ""
    version: str = ""
    dropped: int = 0
    certificate_ends_s: float | None = None  # seconds since 1970; None without TLS
    settings: dict[str, bytes] = field(default_factory=dict)
    is_subscribed: bool = False
    heard_s: float = 0.0

    def on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        """Ask for what is retained, once let in."""
        if reason.is_failure:
            self.trouble = f"refuses this login ({reason}): give TRIVOX_MQTT_USER and TRIVOX_MQTT_PASSWORD, or --config"
        else:
            client.subscribe([(topic, 0) for topic in TOPICS])

    def on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[Any], *_: Any) -> None:
        """Everything that is retained comes after this."""
        self.is_subscribed, self.heard_s = True, time.monotonic()
        if reasons and reasons[0].is_failure:
            self.trouble = "does not let this login read trivox/v1/#: give its user that right"

    def on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        """Something retained."""
        self.heard_s = time.monotonic()
        if message.topic == VERSION:
            self.version = message.payload.decode("utf-8", "replace")
        elif message.topic == DROPPED:
            self.dropped = int(message.payload) if message.payload.isdigit() else 0
        elif message.retain:
            self.settings[message.topic] = bytes(message.payload)


def probe(broker: BrokerLogin) -> Seen:
    """Look at a broker; takes a few seconds at most."""
    seen = Seen()
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=f"trivox-doctor-{os.getpid()}", protocol=MQTTProtocolVersion.MQTTv311
    )
    client.connect_timeout = TIMEOUT_S
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        client.tls_set(ca_certs=None if broker.ca_file is None else str(broker.ca_file))
    client.on_connect, client.on_subscribe, client.on_message = seen.on_connect, seen.on_subscribe, seen.on_message
    try:
        client.connect(broker.host, broker.port)
        seen.certificate_ends_s = _certificate_ends_s(client)
        _listen(client, seen)
    except ssl.SSLCertVerificationError as error:
        seen.trouble = f"has a certificate that is not trusted ({error.reason}): give --ca-file"
    except OSError as error:
        seen.trouble = f"does not answer ({error}): start it, or correct its address"
    client.disconnect()
    return seen


def _certificate_ends_s(client: Client) -> float | None:
    link = client.socket()
    shown = link.getpeercert() if isinstance(link, ssl.SSLSocket) else None
    return ssl.cert_time_to_seconds(str(shown["notAfter"])) if shown else None


def _listen(client: Client, seen: Seen) -> None:
    end_s = time.monotonic() + TIMEOUT_S
    while not seen.trouble and client.loop(0.1) == MQTTErrorCode.MQTT_ERR_SUCCESS:
        now_s = time.monotonic()
        if now_s > end_s or (seen.is_subscribed and now_s - seen.heard_s > QUIET_S):
            break
    if not (seen.is_subscribed or seen.trouble):
        seen.trouble = "does not speak MQTT: correct its address"
