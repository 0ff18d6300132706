"""Listen at the broker to the health of consoles, to acknowledgements, and to the settings that consoles are sent."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.chaos.observations import Counters, EpochName, PressRules

RETRY_S = 1


class HealthReport(NamedTuple):
    """A board's health message, its epoch, and when it arrived (`time.monotonic`)."""

    epoch: EpochName
    at_s: float
    health: dict[str, Any]


class WireListener:
    """A subscriber from `start` to `close`, over the broker's restarts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._health: dict[str, HealthReport] = {}
        self._rules: dict[tuple[str, str], dict[int, PressRules]] = {}
        self._acknowledged: dict[EpochName, int] = {}
        self._forgot_at_ms = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=True)
        self._client.reconnect_delay_set(RETRY_S, RETRY_S)
        self._client.on_connect = lambda client, *_: client.subscribe("trivox/v1/+/+/+", qos=1)
        self._client.on_message = lambda _client, _data, message: self.hear(
            message.topic, message.payload, is_retained=message.retain
        )

    def start(self) -> None:
        """Connect to the broker, which must be listening."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def health(self) -> dict[str, HealthReport]:
        """Return the last health of each board, by its hardware id."""
        with self._lock:
            return dict(self._health)

    def counters(self) -> dict[EpochName, Counters]:
        """Return what each board last reported of its events and presses."""
        last = [(report.epoch, report.health) for report in self.health().values()]
        return {epoch: Counters(health["outbox"]["next"], dict(health["presses"])) for epoch, health in last}

    def acknowledged(self) -> dict[EpochName, int]:
        """Return how far each epoch was acknowledged at most, since `forget`."""
        with self._lock:
            return dict(self._acknowledged)

    def forget(self) -> None:
        """Forget all acknowledgements so far, however late they arrive: the database was put back to an older state."""
        with self._lock:
            self._acknowledged.clear()
            self._forgot_at_ms = time.time_ns() // 1_000_000

    def rules(self) -> dict[tuple[str, str], dict[int, PressRules]]:
        """Return the settings that were sent, by (site_id, console_id) and revision."""
        with self._lock:
            return {console: dict(revisions) for console, revisions in self._rules.items()}

    def hear(self, topic: str, payload: bytes, *, is_retained: bool = False) -> None:
        """Take in a message."""
        _, _, site_id, console_id, leaf = topic.split("/")
        if leaf not in {"health", "settings", "ack"} or not payload:
            return
        message = json.loads(payload)
        with self._lock:
            if leaf == "ack":
                if message["at_ms"] > self._forgot_at_ms:
                    epoch = (site_id, console_id, message["epoch"])
                    self._acknowledged[epoch] = max(self._acknowledged.get(epoch, 0), message["through"])
            elif leaf == "health":
                if not is_retained:
                    name = (site_id, console_id, message["epoch"])
                    self._health[message["hardware_id"]] = HealthReport(name, time.monotonic(), message)
            else:
                self._add_rules(self._rules.setdefault((site_id, console_id), {}), message)

    def _add_rules(self, revisions: dict[int, PressRules], settings: dict[str, Any]) -> None:
        question = (settings["question"]["id"], settings["question"]["revision"])
        names = ("survey_window_ms", "long_press_ms", "reopen_guard_ms", "debounce_ms", "stuck_ms")
        rules = PressRules(**{name: settings[name] for name in names}, question=question)
        other = revisions.get(settings["revision"])
        if other is not None and other != rules:  # a bridge whose database was put back gave the revision again
            rules = PressRules(**{name: settings[name] for name in names}, question=None)
        revisions[settings["revision"]] = rules
