"""Make an MQTT client that logs in at a broker as the login says; each caller adds what it does there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

if TYPE_CHECKING:
    from bridge.broker_login import BrokerLogin

CONNECT_TIMEOUT_S = 5.0

C = TypeVar("C", bound=Client)


def make_client(kind: type[C], broker: BrokerLogin, client_id: str, *, clean_session: bool = True) -> C:
    """Return a client of this kind, not connected yet."""
    client = kind(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=clean_session,
        protocol=MQTTProtocolVersion.MQTTv311,
        manual_ack=not clean_session,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        client.tls_set(ca_certs=None if broker.ca_file is None else str(broker.ca_file))
    return client
