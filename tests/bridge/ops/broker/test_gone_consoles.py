"""What the broker retains of a console that was revoked or retired: nothing, whether the bridge ran then or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.secured import BrokerClient, SecuredShop
from tests.support.programs import wait_until

ONE, OTHER = "trivox/v1/shop/till-1", "trivox/v1/shop/till-2"
STATUS = '{"state":"online","epoch":"0000000a","hardware_id":"aa"}'


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SecuredShop]:
    with SecuredShop(tmp_path) as running:
        yield running


def retained(shop: SecuredShop) -> set[str]:
    """Return the topics under which the broker retains something."""
    with shop.known("aide.viewer") as reader:
        reader.listen("trivox/v1/shop/#")
        reader.listen("trivox/v1/bridge/+")  # the bridge's claim comes after everything else
        wait_until("all have come", lambda: any(topic.startswith("trivox/v1/bridge/") for topic, _ in reader.heard))
        return {topic for topic, payload in reader.heard if payload and "/bridge/" not in topic}


def speak(console: BrokerClient, topics: str) -> None:
    console.say(f"{topics}/status", STATUS, retain=True)
    console.say(f"{topics}/health", "{}", retain=True)


def test_nothing_stays_retained_of_a_revoked_console(shop: SecuredShop) -> None:
    doctor = (
        "doctor",
        "--config",
        str(shop.files / "bridge.toml"),
        "--broker",
        f"mqtts://localhost:{shop.bridge_port}",
    )
    shop.do("settings", "set", "--all", "survey_window_ms=9000")
    ours = {f"{OTHER}/status", f"{OTHER}/health", f"{OTHER}/settings"}
    with shop.known("shop/till-1") as stolen, shop.known("shop/till-2") as honest:
        speak(stolen, ONE)
        speak(honest, OTHER)
        wait_until("settings are there", lambda: len(retained(shop)) == 2 * len(ours))
        shop.do("console", "revoke", "shop/till-1")
        wait_until("it is cleared at once", lambda: retained(shop) == ours)
        shop.do("settings", "set", "--all", "survey_window_ms=8000")
        speak(stolen, ONE)  # its session ends only when the broker reads its files again
        wait_until("it is cleared again", lambda: retained(shop) == ours)
        shop.stop_bridge()
        shop.do("console", "retire", "shop/till-2")
        speak(stolen, ONE)
        assert "The broker still retains 5 messages of consoles that are gone" in shop.do(*doctor)
        shop.start_bridge()
        wait_until("the next bridge clears it", lambda: not retained(shop))
        assert "still retains" not in shop.do(*doctor)
        shop.do("console", "retire", "--undo", "shop/till-2")
        wait_until("its settings are back", lambda: retained(shop) == {f"{OTHER}/settings"})
