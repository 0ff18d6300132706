"""Watch the broker for consoles to come online, as the bridge will see them."""

from __future__ import annotations

import json
import secrets
import threading
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from bridge.broker_login import BrokerLogin
from bridge.service.mqtt_client import CONNECT_TIMEOUT_S, make_client

_STATUSES = "trivox/v1/+/+/status"


class _StatusListener:
    """A connection that hears which consoles come online; `problem` says, as the end of a sentence, why it cannot."""

    def __init__(self, broker: BrokerLogin) -> None:
        self.problem = ""
        self.watches = 0
        self.changed = threading.Condition()
        self.online: set[tuple[str, str]] = set()  # topic and hardware id of each console that said so
        self._ready = threading.Event()
        self._client = client = make_client(Client, broker, f"trivox-flash-{secrets.token_hex(8)}")
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_message = self._status_received
        try:
            client.connect(broker.host, broker.port)
        except OSError as error:
            self.problem = f"{broker.address} does not answer this machine ({error})"
            return
        client.loop_start()
        if not self._ready.wait(CONNECT_TIMEOUT_S) and not self.problem:
            self.problem = f"{broker.address} does not answer this machine"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        if reason.is_failure:
            self.problem = f"the broker refuses this machine's login ({reason})"
            self._ready.set()
        else:
            client.subscribe(_STATUSES, 1)

    def _subscribed(self, _client: Client, _data: Any, _mid: int, reasons: list[Any], *_: Any) -> None:
        if reasons and reasons[0].is_failure:
            self.problem = "this machine's login may not read the consoles' topics"
        self._ready.set()

    def _status_received(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            status = json.loads(message.payload)
            is_online, hardware_id = status["state"] == "online", str(status["hardware_id"])
        except (ValueError, KeyError, TypeError):
            return  # not a console's; the bridge will report it
        if is_online and not message.retain:  # a retained status is from before the restart
            with self.changed:
                self.online.add((message.topic, hardware_id))
                self.changed.notify_all()


class OnlineWatch:
    """A watch at the broker for one console, from its creation until `close`.

    All watches with one login share a connection: a broker may let each login connect only once at a time.
    """

    _guard = threading.Lock()
    _listeners: dict[BrokerLogin, _StatusListener] = {}  # noqa: RUF012 - shared on purpose, under the guard

    def __init__(self, broker: BrokerLogin, site_id: str, console_id: str) -> None:
        self._broker = broker
        self._topic = f"trivox/v1/{site_id}/{console_id}/status"
        with self._guard:
            listener = self._listeners.get(broker)
            if listener is None:
                listener = self._listeners[broker] = _StatusListener(broker)
            listener.watches += 1
        self._listener = listener
        with listener.changed:
            listener.online = {entry for entry in listener.online if entry[0] != self._topic}

    @property
    def problem(self) -> str:
        """Say why the broker cannot be watched, as the end of a sentence; empty if it can."""
        return self._listener.problem

    def close(self) -> None:
        """End the watch."""
        with self._guard:
            self._listener.watches -= 1
            if not self._listener.watches:
                self._listeners.pop(self._broker).close()

    def wait_until_online(self, hardware_id: str, limit_s: float) -> bool:
        """Return whether that board comes online within `limit_s`."""
        if self.problem:
            return False
        listener, wanted = self._listener, (self._topic, hardware_id)
        with listener.changed:
            return listener.changed.wait_for(lambda: wanted in listener.online, limit_s)
