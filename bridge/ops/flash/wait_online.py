"""Watches at the broker for a console to come online, as the bridge will see it."""

from __future__ import annotations

import json
import os
import threading
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from bridge.broker_login import BrokerLogin

CONNECT_LIMIT_S = 5.0


class OnlineWatch:
    """From its making until `close`; `trouble` is why the broker does not tell, as the end of a sentence."""

    def __init__(self, broker: BrokerLogin, site_id: str, console_id: str) -> None:
        self.trouble = ""
        self._topic = f"trivox/v1/{site_id}/{console_id}/status"
        self._ready, self._online = threading.Event(), threading.Event()
        self._hardware_ids: set[str] = set()
        self._changed = threading.Condition()
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"trivox-flash-{os.getpid()}-{site_id}-{console_id}",
            protocol=MQTTProtocolVersion.MQTTv311,
        )  # fmt: skip
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            client.tls_set(ca_certs=None if broker.ca_file is None else str(broker.ca_file))
        client.connect_timeout = CONNECT_LIMIT_S
        client.on_connect, client.on_subscribe, client.on_message = self._connected, self._subscribed, self._heard
        try:
            client.connect(broker.host, broker.port)
        except OSError as error:
            self.trouble = f"{broker.address} does not answer this machine ({error})"
            return
        client.loop_start()
        if not self._ready.wait(CONNECT_LIMIT_S) and not self.trouble:
            self.trouble = f"{broker.address} does not answer this machine"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def saw(self, hardware_id: str, limit_s: float) -> bool:
        """Whether that board comes online in this time."""
        if self.trouble:
            return False
        with self._changed:
            return self._changed.wait_for(lambda: hardware_id in self._hardware_ids, limit_s)

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        if reason.is_failure:
            self.trouble = f"the broker refuses this machine's login ({reason})"
            self._ready.set()
        else:
            client.subscribe(self._topic, 1)

    def _subscribed(self, _client: Client, _data: Any, _mid: int, reasons: list[Any], *_: Any) -> None:
        if reasons and reasons[0].is_failure:
            self.trouble = "this machine's login may not read the console's topics"
        self._ready.set()

    def _heard(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            status = json.loads(message.payload)
            is_online, hardware_id = status["state"] == "online", str(status["hardware_id"])
        except (ValueError, KeyError, TypeError):
            return  # somebody else's; the bridge will tell of it
        if is_online and not message.retain:  # what the broker had kept is of an earlier life
            with self._changed:
                self._hardware_ids.add(hardware_id)
                self._changed.notify_all()
