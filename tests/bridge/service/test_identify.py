"""A console flashes its lamps at a known instant, through a running bridge; a camera's clock is calibrated by that."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support import forked

if TYPE_CHECKING:
    import subprocess

    from paho.mqtt.client import MQTTMessage

    from tests.bridge.shop import RealShop


class ConsoleThatObeys:
    """Console s1/c1 of a shop: replies to each command, and notes it."""

    def __init__(self, shop: RealShop) -> None:
        self.commands: list[dict[str, Any]] = []
        self.reply: dict[str, Any] = {"ok": True}
        self._shop = shop
        shop.client.message_callback_add("trivox/v1/s1/c1/command", lambda *given: self._obey(given[2]))
        shop.client.subscribe("trivox/v1/s1/c1/command", 1)

    def _obey(self, message: MQTTMessage) -> None:
        command = json.loads(message.payload)
        self.commands.append(command)
        self._shop.send(json.dumps({"id": command["id"], **self.reply}).encode(), leaf="reply")


def trivox(shop: RealShop, *words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(*words, "--database", str(shop.database), environment=shop.environment())


def test_a_console_flashes_and_the_camera_is_calibrated_by_it(shop: RealShop) -> None:
    console = ConsoleThatObeys(shop)
    shop.start_bridge()
    shop.send_events(1, 2)
    shop.wait_acknowledged(2)
    for words in (
        ("site", "set", "s1", "--timezone", "Europe/Sofia"),
        ("checkout-point", "set", "s1", "counter-1", "--console", "c1"),
        ("camera", "set", "s1/counter-1", "--kind", "frigate", "--url", "https://nvr:8971"),
    ):
        assert trivox(shop, *words).returncode == 0
    early = trivox(shop, "audit", "calibrate", "s1/counter-1", "--seen-at", "12:00:00")
    assert (early.returncode, "No console has flashed" in early.stderr) == (1, True)

    before_ms = time.time_ns() // 1_000_000
    done = trivox(shop, "audit", "calibrate", "s1/counter-1")
    after_ms = time.time_ns() // 1_000_000
    assert done.returncode == 0, done.stderr
    assert "https://nvr:8971/api/counter-1/start/" in done.stdout
    (command,) = console.commands
    assert command["command"] == "identify"
    assert before_ms < command["expires_at_ms"] <= after_ms + 10_000
    words = done.stdout.split()
    flashed = datetime.fromisoformat(words[words.index("at", words.index("flash")) + 1].rstrip(","))
    precision_ms = int(words[words.index("take") + 1])
    flashed_ms = round(flashed.timestamp() * 1000)
    assert before_ms <= flashed_ms - precision_ms <= flashed_ms + precision_ms <= after_ms + 250

    seen = datetime.fromtimestamp((flashed_ms - 2100) / 1000, UTC)
    told = trivox(shop, "audit", "calibrate", "s1/counter-1", "--seen-at", seen.isoformat())
    assert f"On {flashed:%Y-%m-%d} the clock of the camera of s1/counter-1 is 2.1 s behind" in told.stdout
    by_clock = datetime.fromtimestamp((flashed_ms + 500) / 1000, flashed.tzinfo)
    told = trivox(shop, "audit", "calibrate", "s1/counter-1", "--seen-at", f"{by_clock:%H:%M:%S.%f}")
    assert "is 0.5 s ahead" in told.stdout
    (row,) = json.loads(trivox(shop, "camera", "list", "--format", "json").stdout)
    assert (row["clock_offset_ms"], row["clock_by"]) == (500, "light")
    wrong = trivox(shop, "audit", "calibrate", "s1/counter-1", "--seen-at", "noon")
    assert (wrong.returncode, "--seen-at must be a time" in wrong.stderr) == (2, True)

    console.reply = {"ok": False, "reason": "the console does not know the time yet"}
    refused = trivox(shop, "console", "identify", "s1/c1")
    assert (refused.returncode, "does not know the time yet" in refused.stderr) == (1, True)
    console.reply = {"ok": True}
    assert trivox(shop, "console", "identify", "s1/c1").stdout == "Console s1/c1 flashes its lamps.\n"
    unknown = trivox(shop, "console", "identify", "s1/c2")
    assert (unknown.returncode, "There is no console s1/c2" in unknown.stderr) == (2, True)
