"""Hears at the broker what consoles say of themselves, and which settings they are sent."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.chaos.witness import Counters, EpochName, Rules

RETRY_S = 1


class Said(NamedTuple):
    """A board's health, of which epoch it was, and when it was heard (`time.monotonic`)."""

    epoch: EpochName
    at_s: float
    health: dict[str, Any]


class Listener:
    """From `start` to `close`, over the broker's restarts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._health: dict[str, Said] = {}
        self._rules: dict[tuple[str, str], dict[int, Rules]] = {}
        self._acknowledged: dict[EpochName, int] = {}
        self._forgot_at_ms = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=True)
        self._client.reconnect_delay_set(RETRY_S, RETRY_S)
        self._client.on_connect = lambda client, *_: client.subscribe("trivox/v1/#", qos=1)
        self._client.on_message = lambda _client, _data, message: self.hear(
            message.topic, message.payload, is_retained=message.retain
        )

    def start(self) -> None:
        """Begin; the broker listens."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()

    def close(self) -> None:
        """End it."""
        self._client.disconnect()
        self._client.loop_stop()

    def health(self) -> dict[str, Said]:
        """The last health of each board, by its hardware id."""
        with self._lock:
            return dict(self._health)

    def counters(self) -> dict[EpochName, Counters]:
        """What each board last said of its events and presses."""
        last = [(said.epoch, said.health) for said in self.health().values()]
        return {epoch: Counters(health["outbox"]["next"], dict(health["presses"])) for epoch, health in last}

    def acknowledged(self) -> dict[EpochName, int]:
        """How far each epoch was acknowledged at most, since `forget`."""
        with self._lock:
            return dict(self._acknowledged)

    def forget(self) -> None:
        """The database was put back: what was acknowledged before does not count, however late it is heard."""
        with self._lock:
            self._acknowledged.clear()
            self._forgot_at_ms = time.time_ns() // 1_000_000

    def rules(self) -> dict[tuple[str, str], dict[int, Rules]]:
        """The settings that were sent, by (site_id, console_id) and revision."""
        with self._lock:
            return {console: dict(revisions) for console, revisions in self._rules.items()}

    def hear(self, topic: str, payload: bytes, *, is_retained: bool = False) -> None:
        """Take a message."""
        _, _, site_id, console_id, leaf = topic.split("/")
        if leaf not in {"health", "settings", "ack"} or not payload:
            return
        said = json.loads(payload)
        with self._lock:
            if leaf == "ack":
                if said["at_ms"] > self._forgot_at_ms:
                    epoch = (site_id, console_id, said["epoch"])
                    self._acknowledged[epoch] = max(self._acknowledged.get(epoch, 0), said["through"])
            elif leaf == "health":
                if not is_retained:
                    name = (site_id, console_id, said["epoch"])
                    self._health[said["hardware_id"]] = Said(name, time.monotonic(), said)
            else:
                self._note(self._rules.setdefault((site_id, console_id), {}), said)

    def _note(self, revisions: dict[int, Rules], said: dict[str, Any]) -> None:
        question = (said["question"]["id"], said["question"]["revision"])
        names = ("survey_window_ms", "long_press_ms", "reopen_guard_ms", "debounce_ms", "stuck_ms")
        rules = Rules(**{name: said[name] for name in names}, question=question)
        other = revisions.get(said["revision"])
        if other is not None and other != rules:  # by a bridge that forgot
            rules = Rules(**{name: said[name] for name in names}, question=None)
        revisions[said["revision"]] = rules
