"""Listen at the broker beside console and bridge: all messages of one console, both ways, and the events in them.

The journal also says whether the broker can be heard (`broker`): while it can't, what it said last may be out of date.
"""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from simulator.bench.journal import Journal

TO_CONSOLE = {"ack", "settings", "command", "firmware"}
_PAYLOAD_LIMIT = 8192


class WireTap:
    """A subscriber to one console's topics, from its making until `close`; it reconnects when the broker is back."""

    def __init__(self, broker: str, ca: Path | None, site_id: str, console_id: str, journal: Journal) -> None:
        address = urlsplit(broker)
        self._topic = f"trivox/v1/{site_id}/{console_id}/"
        self._journal = journal
        self._highest_seq: dict[str, int] = {}  # of the events written, by epoch
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        if user := os.environ.get("TRIVOX_MQTT_USER"):
            self._client.username_pw_set(user, os.environ.get("TRIVOX_MQTT_PASSWORD"))
        if ca:
            self._client.tls_set(ca_certs=str(ca))
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: journal.write("broker", connected=False)
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 5)
        self._client.connect(address.hostname or "", address.port or (8883 if ca else 1883))
        self._client.loop_start()

    def close(self) -> None:
        """Stop listening."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self._journal.write("broker", connected=not code.is_failure)
        client.subscribe(self._topic + "#", qos=1)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        leaf = message.topic.removeprefix(self._topic)
        try:
            payload = json.loads(message.payload) if message.payload else None
        except ValueError:
            payload = message.payload[:_PAYLOAD_LIMIT].decode(errors="replace")
        way = "down" if leaf in TO_CONSOLE else "up"
        self._journal.write(
            "wire", leaf=leaf, way=way, payload=payload, bytes=len(message.payload), retained=message.retain
        )
        if leaf == "events" and isinstance(payload, dict):
            self._write_events(payload)

    def _write_events(self, batch: dict[str, Any]) -> None:
        """Write a batch's events into the journal, each once however often it is sent."""
        epoch, base = batch.get("epoch"), batch.get("base")
        events = batch.get("events")
        if not isinstance(epoch, str) or not isinstance(base, int) or not isinstance(events, list):
            return
        for seq, event in enumerate(events, base):
            if isinstance(event, dict) and seq > self._highest_seq.get(epoch, 0):
                self._highest_seq[epoch] = seq
                self._journal.write("event", epoch=epoch, seq=seq, event=event)
