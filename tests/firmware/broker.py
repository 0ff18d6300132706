"""A real mosquitto, and a stand-in for the bridge, to test the link with."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from tests.support.mosquitto import Mosquitto

USER, PASSWORD = "bench", "secret"
PREFIX = "trivox/v1/demo/till-1/"
SETTINGS: dict[str, Any] = {
    "revision": 3,
    "question": {"id": "office", "revision": 2, "kind": "office", "text": {"en": "Did you like our office?"}},
    "survey_window_ms": 5000,
    "long_press_ms": 600,
    "reopen_guard_ms": 200,
    "debounce_ms": 20,
    "stuck_ms": 3000,
    "heartbeat_ms": 1000,
    "ask_every": 5,
    "prompt": "track:7",
}


class LoginBroker(Mosquitto):
    """A mosquitto that asks for user and password; with TLS too if `certificates` are given."""

    def __init__(self, folder: Path, certificates: Path | None = None) -> None:
        super().__init__(folder, account=(USER, PASSWORD), certificates=certificates)


class StandInBridge:
    """A stand-in for the bridge: it answers each batch with an `ack`. `events`: (epoch, number) to event.

    With `acknowledges` False it does not answer. `batches` are all `events` messages as they came.
    """

    def __init__(self, broker: LoginBroker) -> None:
        self.events: dict[tuple[str, int], dict[str, Any]] = {}
        self.batches: list[dict[str, Any]] = []
        self.messages: list[tuple[str, Any]] = []
        self.acknowledges = True
        self.at_ms: int | None = None
        self._lock = threading.Lock()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe(PREFIX + "#", qos=1)
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, leaf: str, payload: Any, *, retain: bool = False) -> None:
        text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        self._client.publish(PREFIX + leaf, text, qos=1, retain=retain)

    def acknowledge(self, epoch: str, through: int) -> None:
        self.publish("ack", {"epoch": epoch, "through": through, "at_ms": self.at_ms or int(time.time() * 1000)})

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of that type, in order."""
        with self._lock:
            return [event for _, event in sorted(self.events.items()) if event["type"] == kind]

    def last(self, leaf: str) -> Any:
        with self._lock:
            return next((payload for name, payload in reversed(self.messages) if name == leaf), None)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        leaf = message.topic.removeprefix(PREFIX)
        if leaf in {"ack", "settings", "command"}:
            return
        payload = json.loads(message.payload)
        with self._lock:
            self.messages.append((leaf, payload))
            if leaf != "events":
                return
            self.batches.append(payload)
            epoch = payload["epoch"]
            for number, event in enumerate(payload["events"], payload["base"]):
                assert self.events.setdefault((epoch, number), event) == event
            through = payload["first"] - 1
            while (epoch, through + 1) in self.events:
                through += 1
        if self.acknowledges:
            self.acknowledge(epoch, through)
