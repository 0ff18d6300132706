"""Receive every message at a broker."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple, Self

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.programs import LIMIT_S, wait_until


class Heard(NamedTuple):
    """A message; `retained` if it was published before the subscriber connected."""

    topic: str
    payload: bytes
    retained: bool


class MqttSubscriber:
    """A client that `with` connects; it reconnects when the broker restarts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._messages: list[Heard] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("trivox/v1/#", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._messages.append(
            Heard(message.topic, message.payload, message.retain)
        )

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(LIMIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        """Publish a message and wait until the broker has it; a payload of bytes stays as it is."""
        data = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        publication = self._client.publish(topic, data, qos=1, retain=retain)
        publication.wait_for_publish(LIMIT_S)
        assert publication.is_published(), f"the broker took nothing for {topic}"

    def all(self, ending: str) -> list[Heard]:
        """Return the messages on topics with this ending."""
        return [message for message in self._messages.copy() if message.topic.endswith(ending)]

    def payloads(self, ending: str) -> list[Any]:
        """Return the decoded payloads of the messages on topics with this ending."""
        return [msgspec.json.decode(message.payload) for message in self.all(ending)]

    def wait_last(self, ending: str, **fields: Any) -> Any:
        """Wait until the last message on such a topic has these values; return its payload."""

        def found() -> Any:
            last = (self.payloads(ending) or [None])[-1]
            return last if last and all(last.get(name) == value for name, value in fields.items()) else None

        return wait_until(f"…{ending} has {fields}", found)
