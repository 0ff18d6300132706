"""Say what consoles say about themselves, signed as schema/README.md has it and without the bridge's own code."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

EPOCH = "9f2c1ab0"
HEALTH: dict[str, Any] = {
    "epoch": EPOCH,
    "hardware_id": "240ac4f1e208",
    "firmware": "1.0.0",
    "board": "esp32",
    "boot": 1,
    "up_ms": 1000,
    "at_ms": None,
    "outbox": {"first": 1, "next": 1},
    "heap_free": 61440,
    "rssi": -61,
    "loop_lag_max_ms": 38,
    "settings_revision": 0,
    "presses": {"yes": 0, "no": 0, "cant_say": 0, "seller": 0},
    "faults": [],
}
STATUS: dict[str, Any] = {"state": "online", "epoch": EPOCH, "hardware_id": "240ac4f1e208"}


def hmac_of(leaf: str, text: str, key: str) -> str:
    """Return the MAC of a word."""
    return hmac.new(bytes.fromhex(key), f"{leaf}\n{text}".encode(), hashlib.sha256).hexdigest()


def word(leaf: str, message: dict[str, Any], key: str | None = None) -> str:
    """Return the JSON of a word, with its MAC as the last member if a key is given."""
    text = json.dumps(message)
    if key is None:
        return text
    return f'{text[:-1]}, "mac": "{hmac_of(leaf, text, key)}"}}'


def health(key: str | None = None, **figures: Any) -> str:
    """Return a health message with these figures."""
    return word("health", HEALTH | figures, key)


def status(key: str | None = None, **fields: Any) -> str:
    """Return a status with these fields."""
    return word("status", STATUS | fields, key)


def reply(key: str | None = None, **fields: Any) -> str:
    """Return a reply with these fields."""
    return word("reply", fields, key)


def batch(key: str | None, base: int, *events: dict[str, Any], epoch: str = EPOCH) -> str:
    """Return a batch of events."""
    text = json.dumps(events)
    head = f'{{"epoch":"{epoch}","first":1,"base":{base},"events":{text}'
    if key is None:
        return head + "}"
    mac = hmac.new(bytes.fromhex(key), f'"{epoch}"\n1\n{base}\n{text}'.encode(), hashlib.sha256).hexdigest()
    return f'{head},"mac":"{mac}"}}'


def booted(boot: int = 1, up_ms: int = 300) -> dict[str, Any]:
    """Return the event of a start."""
    fields = {"reset": "power_on", "firmware": "1.0.0", "board": "esp32", "hardware_id": "240ac4f1e208"}
    return {"boot": boot, "up_ms": up_ms, "at_ms": None, "type": "booted", **fields}
