"""Watch the broker for a console to come online, as the bridge will see it."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from bridge.broker_login import BrokerLogin

CONNECT_LIMIT_S = 5.0


class OnlineWatch:
    """A watch at the broker for one console, from its creation until `close`.

    `problem` says why the broker cannot be watched, as the end of a sentence, and is else empty.
    """

    def __init__(self, broker: BrokerLogin, site_id: str, console_id: str) -> None:
        self.problem = ""
        self._topic = f"trivox/v1/{site_id}/{console_id}/status"
        self._ready = threading.Event()
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
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_message = self._status_received
        try:
            client.connect(broker.host, broker.port)
        except OSError as error:
            self.problem = f"{broker.address} does not answer this machine ({error})"
            return
        client.loop_start()
        if not self._ready.wait(CONNECT_LIMIT_S) and not self.problem:
            self.problem = f"{broker.address} does not answer this machine"

    def close(self) -> None:
        """End the watch."""
        self._client.disconnect()
        self._client.loop_stop()

    def wait_until_online(self, hardware_id: str, limit_s: float) -> bool:
        """Return whether that board comes online within `limit_s`."""
        if self.problem:
            return False
        with self._changed:
            return self._changed.wait_for(lambda: hardware_id in self._hardware_ids, limit_s)

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        if reason.is_failure:
            self.problem = f"the broker refuses this machine's login ({reason})"
            self._ready.set()
        else:
            client.subscribe(self._topic, 1)

    def _subscribed(self, _client: Client, _data: Any, _mid: int, reasons: list[Any], *_: Any) -> None:
        if reasons and reasons[0].is_failure:
            self.problem = "this machine's login may not read the console's topics"
        self._ready.set()

    def _status_received(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            status = json.loads(message.payload)
            is_online, hardware_id = status["state"] == "online", str(status["hardware_id"])
        except (ValueError, KeyError, TypeError):
            return  # not a console's; the bridge will report it
        if is_online and not message.retain:  # a retained status is from before the restart
            with self._changed:
                self._hardware_ids.add(hardware_id)
                self._changed.notify_all()
