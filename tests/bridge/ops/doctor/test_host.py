"""What doctor says about bridge, broker, disk, consoles and clock; every sentence says what to do."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bridge.broker_login import BrokerLogin
from bridge.ops.doctor import host
from bridge.store import open_store
from tests.bridge.shop import RealShop
from tests.support import planted
from tests.support.programs import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "as-the-broker-has-it"  # noqa: S105 - of a broker of this test
HOUR_MS = 3_600_000


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RealShop]:
    with RealShop(tmp_path, account=("bridge", PASSWORD)) as shop:
        yield shop


def bad(shop: RealShop, *words: str) -> str:
    """Return the sentences that somebody has to act on."""
    done = shop.trivox("doctor", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return "".join(line for line in done.stdout.splitlines(keepends=True) if line.startswith("! "))


def test_nothing_is_wrong_with_a_running_bridge(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    text = shop.trivox("doctor").stdout
    for words in (
        "A bridge is running",
        "answers (mosquitto",
        "MB free",
        "is intact",
        "Console s1/c1 was heard just now",
    ):
        assert words in text
    assert "bridge" not in bad(shop)
    assert "broker" not in bad(shop)


def test_a_missing_bridge_and_broker_are_reported(shop: RealShop) -> None:
    shop.start_bridge()
    assert shop.stop_bridge() == 0
    assert "No bridge is running: start `trivox bridge`" in bad(shop)
    assert "give --broker" in shop.trivox("doctor").stdout
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    assert f"The broker at {nobody} does not answer" in bad(shop, "--broker", nobody)
    shop.start_bridge()
    shop.broker.stop()
    shop.wait_logged("the broker is gone")
    text = bad(shop)
    assert "has no connection to the broker" in text
    assert "does not answer" in text
    assert text.count("roker at mqtt://") == 1  # it is said once


def test_a_refused_login_is_reported_to_the_person_concerned(shop: RealShop) -> None:
    shop.start_bridge()
    shop.account = ("bridge", "another")
    text = bad(shop, "--broker", f"mqtt://127.0.0.1:{shop.broker.port}")
    assert "refuses this login" in text
    assert "TRIVOX_MQTT_USER" in text
    assert "refuses" not in bad(shop)  # the bridge itself is connected


def test_settings_that_the_broker_lost_are_found(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    assert shop.trivox("settings", "set", "--all", "ask_every=4").returncode == 0
    wait_until("settings", lambda: shop.settings)
    assert "newest settings" not in bad(shop)
    shop.client.publish("trivox/v1/s1/c1/settings", b"", qos=1, retain=True).wait_for_publish(60)
    text = bad(shop)
    assert "does not hold the newest settings of 1 console (for example trivox/v1/s1/c1/settings)" in text
    assert "restart the bridge" in text


def test_a_bridge_that_cannot_write_is_reported_with_the_reason(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    with planted.locked(shop.database):
        shop.send_events(11, 10)
        shop.wait_logged("cannot write the database")
        assert "another program has locked it: end that program" in bad(shop)
    shop.wait_acknowledged(20)
    assert "locked" not in bad(shop)


def test_consoles_that_all_differ_by_the_same_show_that_the_hosts_clock_is_wrong(shop: RealShop) -> None:
    shop.start_bridge()
    now_ms = time.time_ns() // 1_000_000
    for number in range(4):
        health = {
            "epoch": "0000000a",
            "hardware_id": "ab",
            "settings_revision": 0,
            "outbox": {"first": 1, "next": 3_001},
        }
        shop.send(json.dumps({**health, "at_ms": now_ms + HOUR_MS + number}).encode(), f"c{number}", "health")
    wait_until("they are heard", lambda: shop.metrics()["trivox_consoles"] == 4)
    text = bad(shop)
    assert "it is this machine's clock that is wrong" in text
    assert "Console s1/c0 holds 3000 events that are not acknowledged" in text


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def findings(database: Path) -> list[str]:
    broker = BrokerLogin("127.0.0.1", free_port())
    return [found.sentence for found in host.diagnose(database, 1, broker, lambda _: broker) if found.needs_action]


def test_a_nearly_full_disk_and_a_grown_log_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "a.db"
    open_store(database, writing=True).close()
    assert not any("MB free" in sentence for sentence in findings(database))
    monkeypatch.setattr(host.shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 5 * 1024 * 1024))
    monkeypatch.setattr(host, "LOG_LARGE", -1)
    sentences = findings(database)
    assert "The database's disk has 5 MB free: make room before it is full." in sentences
    assert any("a.db-wal has grown" in sentence for sentence in sentences)


@pytest.mark.parametrize(("is_synchronised", "count"), [(True, 0), (False, 1)])
def test_a_clock_that_no_time_server_sets_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_synchronised: bool, count: int
) -> None:
    monkeypatch.setattr(host, "is_clock_synchronised", lambda: is_synchronised)
    open_store(tmp_path / "a.db", writing=True).close()
    sentences = [sentence for sentence in findings(tmp_path / "a.db") if "timedatectl" in sentence]
    assert len(sentences) == count


def test_messages_that_the_broker_dropped_are_reported(shop: RealShop) -> None:
    """A broker with the default of 1,000 messages per session drops the rest silently, but counts them."""
    shop.broker.stop()
    config = shop.folder / "mosquitto.conf"
    text = config.read_text().replace("max_queued_messages 1000000", "max_queued_messages 5")
    config.write_text(text.replace("max_inflight_messages 1000", "max_inflight_messages 1") + "\nsys_interval 1\n")
    shop.broker.start()
    wait_until("the consoles are back", shop.client.is_connected)
    shop.start_bridge()
    assert shop.stop_bridge() == 0
    shop.send_events(1, 3_200)
    wait_until("the broker has them", lambda: len(shop.confirmed) == len(shop.published))
    url = f"mqtt://127.0.0.1:{shop.broker.port}"
    wait_until("it counts", lambda: "set max_queued_messages 1000000" in bad(shop, "--broker", url))
