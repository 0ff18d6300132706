"""Many consoles at once, one that sends too much, and messages that are none."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bridge.doctor import examine
from bridge.ingest import take_messages
from bridge.rebuild import rebuild
from bridge.store import open_store, rejects
from bridge.vitals import FLOOD_MESSAGES
from tests.bridge.shop import Shop, batch
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLES = 500
EVENTS = 100


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path) as shop:
        yield shop


def all_through(shop: Shop, through: int, count: int) -> bool:
    with shop._guard:
        reached = {name for name, ack in shop.acks if ack["through"] >= through}
    return len(reached) >= count


def test_hundreds_of_consoles_come_back_at_once_and_send_all_twice(shop: Shop) -> None:
    """What they hold arrives while the bridge is away, so that it meets all of it at its start."""
    shop.start_bridge()
    assert shop.stop_bridge() == 0
    for _ in range(2):  # as after an ack that was lost
        for number in range(CONSOLES):
            shop.send_events(1, EVENTS, f"c{number}")
    wait_until("the broker has it all", lambda: len(shop.confirmed) == len(shop.published), 120)
    shop.start_bridge()
    wait_until("all are acknowledged", lambda: all_through(shop, EVENTS, CONSOLES), 120)
    wait_until("the rest is known before", lambda: shop.metrics()["trivox_events_duplicates_total"] == 50_000, 120)
    assert shop.stored() == CONSOLES * EVENTS
    assert shop.rows("SELECT count(*), sum(through) FROM epoch") == [(CONSOLES, CONSOLES * EVENTS)]
    assert shop.rows("SELECT sum(yes) FROM rollup_day") == [(CONSOLES * EVENTS // 2,)]
    at = shop.metrics()
    assert (at["trivox_consoles"], at["trivox_events_stored_total"]) == (CONSOLES, 50_000)


def test_settings_of_more_consoles_than_the_broker_confirms_at_once_all_get_there(tmp_path: Path) -> None:
    """Every connection publishes them all; what a client's queue cannot hold must wait, not vanish."""
    count = 11_000
    with Shop(tmp_path) as shop:
        store = open_store(shop.database, writing=True)
        with store.transaction(1):
            store.run("INSERT INTO site (site_id, first_seen_at_ms) VALUES ('s1', 1)")
            store.run_many(
                "INSERT INTO settings_sent (site_id, console_id, revision, payload, created_at_ms, published)"
                " VALUES ('s1', ?, 1, ?, 1, 1)",
                [(f"c{number}", json.dumps({"revision": 1, "console": number})) for number in range(count)],
            )
        store.close()
        shop.start_bridge()
        wait_until("every console's settings", lambda: len({one["console"] for one in shop.settings}) == count, 60)
        shop.send_events(1, 10)
        shop.acknowledged(10)


def test_a_console_that_floods_is_told_of_and_starves_nobody(shop: Shop) -> None:
    shop.start_bridge()
    flood = Client(CallbackAPIVersion.VERSION2, client_id="flood")
    flood.max_inflight_messages_set(0)
    flood.connect("127.0.0.1", shop.broker.port)
    flood.loop_start()
    wait_until("it is connected", flood.is_connected)
    payload = batch(1, 1)
    for _ in range(3 * FLOOD_MESSAGES):
        flood.publish("trivox/v1/s1/flooder/events", payload, qos=1)
    for base in range(1, 101):
        shop.send(batch(base, 1), "honest")
    shop.acknowledged(100, "honest")
    told = shop.said("a console floods")
    assert told["console_id"] == "flooder"
    name = 'trivox_console_flooding{console_id="flooder",site_id="s1"}'
    at = shop.metrics()
    assert at.get(name, at.get(name.replace('console_id="flooder",site_id="s1"', 'site_id="s1",console_id="flooder"')))
    assert "s1/flooder floods the broker" in shop.trivox("doctor").stdout
    assert shop.through("flooder") == 1
    flood.disconnect()
    flood.loop_stop()
    assert len(shop.lines("a console floods")) <= 2


@pytest.mark.parametrize("size", [1_000_000, 9_000_000])
def test_payloads_too_large_are_counted_once_each_and_hold_up_nobody(shop: Shop, size: int) -> None:
    shop.start_bridge()
    for _ in range(2):
        for number in range(10):
            shop.send(bytes([number]) * size)
    shop.send_events(1, 10)
    shop.acknowledged(10)
    kept = shop.rows("SELECT reason, length(raw), count FROM reject ORDER BY reject_key")
    assert len(kept) == 10
    for reason, length, count in kept:
        assert (reason.partition(":")[0], length, count) == ("size", 65_536, 2)
    assert shop.stop_bridge() == 0
    shop.start_bridge()  # what was not acknowledged to the broker would come again
    shop.send_events(11, 10)
    shop.acknowledged(20)
    assert shop.rows("SELECT sum(count) FROM reject") == [(20,)]
    assert "Rejected as size: 20" in shop.trivox("doctor").stdout


def test_rejects_cannot_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "MAX_MESSAGES_OF_TOPIC", 5)
    monkeypatch.setattr(rejects, "MAX_BYTES", 3_500)
    monkeypatch.setattr(rejects, "ROW_BYTES", 0)
    store = open_store(tmp_path / "a.db", writing=True)

    def take(topic: str, *payloads: bytes) -> None:
        take_messages(store, [(f"trivox/v1/s1/{topic}/events", payload, 1) for payload in payloads], 1)

    def kept() -> list[Any]:
        return store.all("SELECT topic, count(*), sum(length(raw)), sum(count) FROM reject GROUP BY topic ORDER BY 1")

    take("c1", *[b"{" * (number + 1) for number in range(8)])
    take("c1", b"{", b"{{{{{{{")
    assert kept() == [("trivox/v1/s1/c1/events", 6, 15, 10)]
    take("c2", b"x" * 1_900)
    take("c3", b"y" * 1_000)
    take("c4", b"z" * 1_000)
    store.forget()  # as after a restart
    take("c5", b"z" * 1_000)
    assert kept()[0] == ("", 1, 0, 3)
    assert sum(row[2] for row in kept()) <= 2_000
    assert store.one("SELECT sum(count) FROM reject") == (14,)
    with store.transaction(1):
        assert rebuild(store)["taken"] == 0
    assert store.one("SELECT sum(count) FROM reject") == (14,)
    store.close()


def test_long_topics_cannot_fill_the_disk_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "MAX_BYTES", 1_000_000)
    store = open_store(tmp_path / "a.db", writing=True)
    for number in range(100):
        take_messages(store, [(f"trivox/v1/{number:060000}/a/events", b"x", 1)], 1)
        if number == 50:
            store.forget()  # as after a restart
    ((pages, size),) = store.all("SELECT page_count, page_size FROM pragma_page_count, pragma_page_size")
    assert pages * size < 2_000_000
    assert store.one("SELECT sum(count) FROM reject") == (100,)
    assert all(len(one.sentence) < 1_000 for one in examine(store, 1))
    store.close()


def test_a_console_that_is_not_enrolled_is_shown_and_taken_once_it_is(shop: Shop) -> None:
    shop.start_bridge("--enrolled-only")
    shop.send_events(1, 40, "stranger")
    name = 'trivox_rejects_total{reason="not enrolled"}'
    wait_until("it is rejected", lambda: shop.metrics().get(name) == 2)
    assert shop.said("rejected")["reason"] == "not enrolled"
    assert "trivox/v1/s1/stranger/events: enroll the console" in shop.trivox("doctor").stdout
    assert shop.through("stranger") == 0
    assert shop.rows("SELECT count(*) FROM console") == [(0,)]
    assert shop.stop_bridge() == 0
    store = open_store(shop.database, writing=True)
    with store.transaction(1):
        store.run("INSERT INTO site (site_id, first_seen_at_ms) VALUES ('s1', 1)")
        store.run(
            "INSERT INTO console (site_id, console_id, enrolled, first_seen_at_ms, last_seen_at_ms)"
            " VALUES ('s1', 'stranger', 1, 1, 1)"
        )
    store.close()
    assert "2 rejects taken" in shop.trivox("rebuild").stdout
    assert shop.stored() == 40
    shop.start_bridge("--enrolled-only")
    shop.send_events(1, 42, "stranger")
    shop.acknowledged(42, "stranger")
    assert shop.stored() == 42


@pytest.mark.long
def test_more_than_memory_shall_hold_stays_with_the_broker(shop: Shop) -> None:
    """While nothing can be written, the bridge leaves the broker before it holds too much, and comes back after."""
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    with closing(apsw.Connection(str(shop.database))) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(150):
            shop.send(bytes([number]) * 1_000_000)
        shop.send_events(11, 100)
        shop.said("more waits than can be kept")
        shop.measured("trivox_broker_connected", 0)
        assert shop.metrics()["trivox_backlog_messages"] < 100
        assert shop.through() == 10
        other.execute("ROLLBACK")
    shop.acknowledged(110)
    assert shop.stored() == 110
    assert shop.rows("SELECT count(*) FROM reject") == [(150,)]
