"""Test many consoles at once, a console that sends too much, and messages that are not valid."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bridge.ops.doctor.database import examine
from bridge.service.vitals import FLOOD_MESSAGES
from bridge.store import Store, open_store, rejects
from tests.bridge.shop import RealShop, batch
from tests.support import facts, planted
from tests.support.intake import rebuild, take_messages
from tests.support.programs import wait_until

CONSOLES = 500
EVENTS = 64


def test_hundreds_of_consoles_come_back_at_once_and_send_all_twice(shop: RealShop) -> None:
    """Their events arrive while the bridge is away, so that it gets them all at its start."""
    shop.start_bridge()
    assert shop.stop_bridge() == 0
    for _ in range(2):  # as after a lost ack
        for number in range(CONSOLES):
            shop.send_events(1, EVENTS, f"c{number}")
    wait_until("the broker has it all", lambda: len(shop.confirmed) == len(shop.published), 120)
    shop.start_bridge()
    wait_until("all are acknowledged", lambda: list(shop.throughs().values()).count(EVENTS) == CONSOLES, 120)
    wait_until(
        "the rest is known before", lambda: shop.metrics()["trivox_events_duplicates_total"] == CONSOLES * EVENTS, 120
    )
    assert shop.stored() == CONSOLES * EVENTS
    assert facts.epochs(shop.database, "through") == [EVENTS] * CONSOLES
    assert sum(facts.rollups(shop.database, "yes")) == CONSOLES * EVENTS // 2
    at = shop.metrics()
    assert (at["trivox_consoles"], at["trivox_events_stored_total"]) == (CONSOLES, CONSOLES * EVENTS)


def test_settings_of_more_consoles_than_the_broker_confirms_at_once_all_arrive(tmp_path: Path) -> None:
    """Every connection publishes them all; what exceeds a client's queue must wait, not vanish."""
    count = 11_000
    with RealShop(tmp_path) as shop:
        store = open_store(shop.database, writing=True)
        planted.settings_sent(store, {f"c{number}": {"revision": 1, "console": number} for number in range(count)})
        store.close()
        shop.start_bridge()
        wait_until("every console's settings", lambda: len({one["console"] for one in shop.settings}) == count, 120)
        shop.send_events(1, 10)
        shop.wait_acknowledged(10)


def test_a_console_that_floods_is_reported_and_starves_nobody(shop: RealShop) -> None:
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
    shop.wait_acknowledged(100, "honest")
    told = shop.wait_logged("a console floods")
    assert told["console_id"] == "flooder"
    name = 'trivox_console_flooding{console_id="flooder",site_id="s1"}'
    at = shop.metrics()
    assert at.get(name, at.get(name.replace('console_id="flooder",site_id="s1"', 'site_id="s1",console_id="flooder"')))
    assert "s1/flooder floods the broker" in shop.trivox("doctor").stdout
    assert shop.through("flooder") == 1
    flood.disconnect()
    flood.loop_stop()
    assert len(shop.lines("a console floods")) < 10  # once a minute


@pytest.mark.parametrize("size", [1_000_000, 9_000_000])
def test_oversized_payloads_are_kept_once_each_and_delay_nobody(shop: RealShop, size: int) -> None:
    shop.start_bridge()
    for _ in range(2):
        for number in range(10):
            shop.send(bytes([number]) * size)
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    kept = facts.rejects(shop.database, "reason", "raw", "count")
    assert len(kept) == 10
    for reason, raw, count in kept:
        assert (reason.partition(":")[0], len(raw), count) == ("size", 65_536, 2)
    assert shop.stop_bridge() == 0
    shop.start_bridge()  # the broker would send unacknowledged messages again
    shop.send_events(11, 10)
    shop.wait_acknowledged(20)
    assert sum(facts.rejects(shop.database, "count")) == 20
    assert "Rejected as size: 20" in shop.trivox("doctor").stdout


def test_rejects_cannot_fill_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "MAX_MESSAGES_OF_TOPIC", 5)
    monkeypatch.setattr(rejects, "MAX_BYTES", 3_500)
    monkeypatch.setattr(rejects, "ROW_BYTES", 0)

    def take(topic: str, *payloads: bytes) -> None:
        take_messages(store, [(f"trivox/v1/s1/{topic}/events", payload, 1) for payload in payloads], 1)

    def kept() -> list[Any]:
        """Return for each topic the number of rejects, their bytes, and how often they came."""
        rejects_by_topic = groupby(sorted(facts.rejects(store, "topic", "raw", "count")), itemgetter(0))
        groups = [(topic, list(group)) for topic, group in rejects_by_topic]
        return [
            (topic, len(group), sum(len(raw) for _, raw, _ in group), sum(count for *_, count in group))
            for topic, group in groups
        ]

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
    assert sum(facts.rejects(store, "count")) == 14
    with store.transaction(1):
        assert rebuild(store)["taken"] == 0
    assert sum(facts.rejects(store, "count")) == 14


def test_long_topics_cannot_fill_the_disk_either(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "MAX_BYTES", 1_000_000)
    for number in range(100):
        take_messages(store, [(f"trivox/v1/{number:060000}/a/events", b"x", 1)], 1)
        if number == 50:
            store.forget()  # as after a restart
    assert facts.size(store) < 2_000_000
    assert sum(facts.rejects(store, "count")) == 100
    assert all(len(one.sentence) < 1_000 for one in examine(store, 1))


def test_a_console_that_is_not_enrolled_is_reported_and_accepted_once_enrolled(shop: RealShop) -> None:
    shop.start_bridge("--enrolled-only")
    shop.send_events(1, 40, "stranger")
    name = 'trivox_rejects_total{reason="not enrolled"}'
    wait_until("it is rejected", lambda: shop.metrics().get(name) == 2)
    assert shop.wait_logged("rejected")["reason"] == "not enrolled"
    assert "trivox/v1/s1/stranger/events: enrol the console" in shop.trivox("doctor").stdout
    assert shop.through("stranger") == 0
    assert facts.consoles(shop.database) == []
    assert shop.trivox("console", "enroll", "s1/stranger").returncode == 0
    assert shop.stop_bridge() == 0
    assert "2 rejects taken" in shop.trivox("rebuild").stdout
    assert shop.stored() == 40
    shop.start_bridge("--enrolled-only")
    shop.send_events(1, 42, "stranger")
    shop.wait_acknowledged(42, "stranger")
    assert shop.stored() == 42


@pytest.mark.long
def test_what_exceeds_the_backlog_stays_with_the_broker(shop: RealShop) -> None:
    """While nothing can be written, the bridge disconnects before it holds too much, and comes back afterwards."""
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    with planted.locked(shop.database):
        for number in range(150):
            shop.send(bytes([number]) * 1_000_000)
        shop.send_events(11, 100)
        shop.wait_logged("too many messages are waiting")
        shop.wait_metric("trivox_broker_connected", 0)
        assert shop.metrics()["trivox_backlog_messages"] < 100
        assert shop.through() == 10
    shop.wait_acknowledged(110)
    assert shop.stored() == 110
    assert len(facts.rejects(shop.database)) == 150
