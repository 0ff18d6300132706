"""What doctor says of the bridge, the broker, the disk, the consoles and the clock; every sentence says what to do."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bridge.broker_login import BrokerLogin
from bridge.ops.doctor import host
from bridge.store import open_store
from tests.bridge.shop import Shop
from tests.support import planted
from tests.support.programs import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "as-the-broker-has-it"  # noqa: S105 - of a broker of this test
HOUR_MS = 3_600_000


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path, account=("bridge", PASSWORD)) as shop:
        yield shop


def bad(shop: Shop, *words: str) -> str:
    """The sentences that doctor wants something done about."""
    done = shop.trivox("doctor", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return "".join(line for line in done.stdout.splitlines(keepends=True) if line.startswith("! "))


def test_a_bridge_at_work_is_found_well(shop: Shop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    text = shop.trivox("doctor").stdout
    for words in ("A bridge runs", "answers (mosquitto", "MB free", "is whole", "Console s1/c1 was heard just now"):
        assert words in text
    assert "bridge" not in bad(shop)
    assert "broker" not in bad(shop)


def test_no_bridge_and_no_broker_are_told(shop: Shop) -> None:
    shop.start_bridge()
    assert shop.stop_bridge() == 0
    assert "No bridge runs: start `trivox bridge`" in bad(shop)
    assert "give --broker" in shop.trivox("doctor").stdout
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    assert f"The broker at {nobody} does not answer" in bad(shop, "--broker", nobody)
    shop.start_bridge()
    shop.broker.stop()
    shop.said("the broker is gone")
    told = bad(shop)
    assert "has no connection to the broker" in told
    assert "does not answer" in told


def test_a_login_that_is_refused_is_told_to_whom_it_concerns(shop: Shop) -> None:
    shop.start_bridge()
    shop.account = ("bridge", "another")
    told = bad(shop, "--broker", f"mqtt://127.0.0.1:{shop.broker.port}")
    assert "refuses this login" in told
    assert "TRIVOX_MQTT_USER" in told
    assert "refuses" not in bad(shop)  # the bridge itself is connected


def test_settings_that_the_broker_lost_are_found(shop: Shop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    assert shop.trivox("settings", "set", "--all", "ask_every=4").returncode == 0
    wait_until("settings", lambda: shop.settings)
    assert "newest settings" not in bad(shop)
    shop.client.publish("trivox/v1/s1/c1/settings", b"", qos=1, retain=True).wait_for_publish(60)
    told = bad(shop)
    assert "does not hold the newest settings of 1 console (for example trivox/v1/s1/c1/settings)" in told
    assert "restart the bridge" in told


def test_a_bridge_that_cannot_write_is_told_with_the_reason(shop: Shop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    with planted.locked(shop.database):
        shop.send_events(11, 10)
        shop.said("cannot write the database")
        assert "another program has locked it: end that program" in bad(shop)
    shop.acknowledged(20)
    assert "locked" not in bad(shop)


def test_consoles_that_all_differ_alike_show_that_the_host_is_wrong(shop: Shop) -> None:
    shop.start_bridge()
    now_ms = time.time_ns() // 1_000_000
    for number in range(4):
        said = {"epoch": "0000000a", "hardware_id": "ab", "settings_revision": 0, "outbox": {"first": 1, "next": 3_001}}
        shop.send(json.dumps({**said, "at_ms": now_ms + HOUR_MS + number}).encode(), f"c{number}", "health")
    wait_until("they are heard", lambda: shop.metrics()["trivox_consoles"] == 4)
    told = bad(shop)
    assert "it is this machine's clock that is wrong" in told
    assert "Console s1/c0 holds 3000 events that are not acknowledged" in told


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def findings(database: Path) -> list[str]:
    broker = BrokerLogin("127.0.0.1", free_port())
    return [one.sentence for one in host.look_at_all(database, 1, broker, lambda _: broker) if one.bad]


def test_a_disk_that_is_nearly_full_and_a_log_that_has_grown_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "a.db"
    open_store(database, writing=True).close()
    assert not any("MB free" in sentence for sentence in findings(database))
    monkeypatch.setattr(host.shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 5 * 1024 * 1024))
    monkeypatch.setattr(host, "LOG_LARGE", -1)
    told = findings(database)
    assert "The database's disk has 5 MB free: make room before it is full." in told
    assert any("a.db-wal has grown" in sentence for sentence in told)


@pytest.mark.parametrize(("is_kept", "words"), [(True, 0), (False, 1)])
def test_a_clock_that_no_time_server_keeps_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_kept: bool, words: int
) -> None:
    monkeypatch.setattr(host, "is_clock_kept", lambda: is_kept)
    open_store(tmp_path / "a.db", writing=True).close()
    told = [one for one in findings(tmp_path / "a.db") if "time server" in one and "timedatectl" in one]
    assert len(told) == words


def test_the_broker_says_what_it_dropped(shop: Shop) -> None:
    """A broker with the default of 1,000 messages a session drops the rest in silence, but counts them."""
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
