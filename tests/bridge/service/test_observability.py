"""Test what the bridge shows to operators: metrics and log lines, both without secrets."""

from __future__ import annotations

import json
import logging
import socket
import struct
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.log import RATE_PERIOD_S, Formatter, RateLimiter
from bridge.service.vitals import Vitals
from bridge.surveys.facts import ConsoleDiscovered
from tests.bridge.shop import LOG_FACT, RealShop, batch, event, parse_line
from tests.support.programs import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "correct-horse-battery"  # noqa: S105 - of a broker of this test
MARK = "what-a-customer-wrote"
C1 = '{console_id="c1",site_id="s1"}'
OTHER = '{site_id="s1",console_id="c1"}'


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RealShop]:
    with RealShop(tmp_path, account=("bridge", PASSWORD)) as shop:
        yield shop


def of_c1(shop: RealShop, name: str) -> float | None:
    found = shop.metrics()
    return found.get(name + C1, found.get(name + OTHER))


def health(**more: object) -> bytes:
    said = {"epoch": "0000000a", "hardware_id": "ab", "settings_revision": 0, "faults": ["flash"], "rssi": -61}
    figures = {"outbox": {"first": 3, "next": 45}, "loop_lag_max_ms": 70, "heap_free": 40_000}
    return json.dumps({**said, **figures, **more}).encode()


def test_metrics_count_what_was_committed(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 64)
    shop.wait_acknowledged(64)
    shop.send(batch(1, 32))
    conflict = {"epoch": "0000000a", "first": 1, "base": 1, "events": [{**event(1), "up_ms": 1}]}
    shop.send(json.dumps(conflict).encode())
    bad = {"epoch": "0000000a", "first": 1, "base": 65, "events": [{"type": "danced"}, event(66)]}
    shop.send(json.dumps(bad).encode())
    shop.send(b"{")
    began = time.time()
    shop.send(health(at_ms=int(began * 1000) - 3_600_000), leaf="health")
    shop.send(b'{"state":"online"}', leaf="status")
    wait_until("everything is counted", lambda: shop.metrics().get("trivox_messages_total") == 8)
    wait_until("the last one too", lambda: of_c1(shop, "trivox_console_online"))
    wait_until("reasons too", lambda: shop.metrics().get('trivox_rejects_total{reason="envelope"}'))
    at = shop.metrics()
    assert at["trivox_events_stored_total"] == 65
    assert at["trivox_events_duplicates_total"] == 32
    assert at["trivox_events_conflicts_total"] == 1
    assert at["trivox_events_rejected_total"] == 1
    assert at["trivox_messages_unreadable_total"] == 1
    reasons = {name: value for name, value in at.items() if name.startswith("trivox_rejects_total{")}
    assert reasons == {
        'trivox_rejects_total{reason="conflict"}': 1,
        'trivox_rejects_total{reason="unknown type"}': 1,
        'trivox_rejects_total{reason="envelope"}': 1,
    }
    assert at["trivox_commit_seconds_count"] == at['trivox_commit_seconds_bucket{le="+Inf"}'] > 0
    assert at["trivox_commit_seconds_sum"] > 0
    assert (at["trivox_broker_connected"], at["trivox_database_writable"], at["trivox_backlog_messages"]) == (1, 1, 0)
    assert of_c1(shop, "trivox_console_outbox_events") == 42
    assert of_c1(shop, "trivox_console_online") == 1
    assert of_c1(shop, "trivox_console_faults") == 1
    assert of_c1(shop, "trivox_console_heap_free_bytes") == 40_000
    assert of_c1(shop, "trivox_console_rssi_dbm") == -61
    assert of_c1(shop, "trivox_console_loop_lag_max_seconds") == 0.07
    offset = of_c1(shop, "trivox_console_clock_offset_seconds")
    assert offset is not None
    assert began - time.time() - 1 <= offset + 3_600 <= 0
    seen = of_c1(shop, "trivox_console_last_seen_timestamp_seconds")
    assert seen is not None
    assert began - 1 <= seen <= time.time()


def test_losses_rise_with_a_gap_fall_when_it_is_filled_and_survive_a_restart(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send(batch(1, 10))
    shop.send(batch(21, 10, first=21))
    shop.wait_acknowledged(30)
    wait_until("ten are lost", lambda: of_c1(shop, "trivox_console_lost_events") == 10)
    assert shop.wait_logged("events of a console are lost")["events"] == "10"
    assert shop.stop_bridge() == 0
    shop.start_bridge()
    wait_until("it is known at once", lambda: of_c1(shop, "trivox_console_lost_events") == 10)
    shop.send(batch(11, 6, first=11))
    wait_until("four are lost", lambda: of_c1(shop, "trivox_console_lost_events") == 4)
    assert shop.wait_logged("arrived after all")["events"] == "6"


def test_every_line_is_one_event_of_note(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 32)
    shop.wait_acknowledged(32)
    for number in range(300):
        shop.send(b"{" * (number + 1))  # each is different
    wait_until("they are rejected", lambda: shop.metrics()["trivox_messages_unreadable_total"] == 300)
    assert shop.trivox("settings", "set", "--all", "ask_every=3").returncode == 0
    shop.broker.stop()
    shop.wait_logged("the broker is gone")
    assert shop.stop_bridge() == 0
    lines = shop.log.read_text().splitlines()
    for line in lines:
        assert LOG_FACT.sub("", line).strip() == "", line
        assert list(parse_line(line))[:3] == ["time", "level", "msg"]
        assert parse_line(line)["time"].endswith("Z")
    told = [parse_line(line) for line in lines]
    said = [line["msg"] for line in told if line.get("operation") != "RunNightlyJob"]
    expected = ("the bridge starts", "connected to the broker", "a console was heard for the first time")
    for words in (*expected, "a console sends under a new epoch", "command executed", "the bridge ends"):
        assert said.count(words) == 1, said
    assert 1 <= said.count("messages or events were rejected: run `trivox doctor`") < 10  # once a minute


def test_two_boards_and_an_old_copy_are_noticed(shop: RealShop) -> None:
    shop.start_bridge()
    for seq in range(1, 4):
        for epoch in ("0000000a", "0000000b"):
            shop.send(batch(seq, 1, epoch=epoch))
    shop.wait_acknowledged(3)
    assert shop.trivox("settings", "set", "--all", "ask_every=2").returncode == 0
    shop.send(health(settings_revision=12), leaf="health")
    told = shop.wait_logged("two boards may have its id")
    assert (told["level"], told["console_id"], told["epoch"]) == ("warning", "c1", "0000000a")
    assert shop.wait_logged("settings unknown here")["console_id"] == "c1"
    wait_until("all are counted", lambda: shop.metrics()["trivox_messages_total"] == 7)
    assert len(shop.lines("two boards may have its id")) == 1
    assert len(shop.lines("settings unknown here")) == 1


def test_nothing_secret_is_logged(shop: RealShop) -> None:
    payload = json.dumps({"epoch": "0000000a", "first": 1, "base": 1, "events": [{"type": MARK}], "mac": MARK})
    shop.start_bridge()
    shop.send(payload.encode())
    shop.send(MARK.encode(), leaf="status")
    wait_until("both are judged", lambda: shop.metrics()["trivox_messages_total"] == 2)
    metrics = shop.metrics()
    doctor = shop.trivox("doctor", "--broker", f"mqtt://127.0.0.1:{shop.broker.port}").stdout
    assert "answers" in doctor
    assert shop.stop_bridge() == 0
    shop.account = ("bridge", PASSWORD + "-of-old")
    shop.start_bridge(connected=False)
    shop.wait_logged("the broker refuses the bridge")
    refused = shop.trivox("doctor").stdout
    assert "refuses the bridge" in refused
    log = shop.log.read_text()
    for secret in (PASSWORD, MARK):
        for text in (log, doctor, refused, "\n".join(metrics)):
            assert secret not in text


def test_a_port_in_use_is_logged_and_stops_nothing(shop: RealShop) -> None:
    with socket.create_server(("127.0.0.1", shop.metrics_port)):
        shop.start_bridge()
        shop.send_events(1, 10)
        shop.wait_acknowledged(10)
    told = shop.wait_logged("no metrics")
    assert told["port"] == str(shop.metrics_port)
    assert "--metrics-port" in told["msg"]


def test_metrics_can_be_switched_off_and_listen_only_on_loopback(shop: RealShop) -> None:
    shop.metrics_port = 0
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    assert listening(shop.bridge.pid) == []
    assert shop.stop_bridge() == 0
    shop.metrics_port = free = free_port()
    shop.start_bridge()
    assert shop.metrics()
    assert listening(shop.bridge.pid) == [f"0100007F:{free:04X}"]


def listening(pid: int) -> list[str]:
    """Return the TCP addresses that a process listens on, as the kernel writes them."""
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]


def test_names_and_units_follow_prometheus(shop: RealShop) -> None:
    shop.start_bridge()
    with urllib.request.urlopen(f"http://127.0.0.1:{shop.metrics_port}/metrics", timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    assert len(families) > 20
    for family in families:
        assert family.name.startswith("trivox_")
        assert family.documentation.endswith(".")
        assert not family.name.endswith("_ms")


def test_no_request_for_metrics_breaks_the_form_of_the_log(shop: RealShop) -> None:
    shop.start_bridge()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", shop.metrics_port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets it
            client.sendall(b"GET /metrics HTTP/1.1\r\n")
    url = f"http://127.0.0.1:{shop.metrics_port}/metrics"
    wanted = {"Accept": "application/openmetrics-text; version=abc"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=wanted), timeout=60) as answer:
        assert b"trivox_build_info" in answer.read()
    with socket.create_connection(("127.0.0.1", shop.metrics_port)) as client:
        client.sendall(b"\x00\xff nonsense\r\n\r\n")
        client.settimeout(60)
        assert client.recv(100)
    assert shop.metrics()
    assert shop.stop_bridge() == 0
    for line in shop.log.read_text().splitlines():
        assert list(parse_line(line))[:3] == ["time", "level", "msg"], line


def test_half_open_requests_keep_nobody_from_the_metrics(shop: RealShop) -> None:
    shop.start_bridge()
    with ExitStack() as clients:
        for number in range(300):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", shop.metrics_port)))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"")
        assert shop.metrics()["trivox_broker_connected"] == 1
        assert shop.trivox("site", "set", "s1", "--timezone", "Europe/Sofia").returncode == 0
        assert len(list(Path(f"/proc/{shop.bridge.pid}/fd").iterdir())) < 100


def test_a_chain_has_series_of_some_consoles_and_sums_of_all(shop: RealShop) -> None:
    shop.start_bridge("--metrics-consoles", "3")
    for number in range(8):
        shop.send(b'{"state":"online"}', leaf="status", console=f"c{number}")
        shop.send(health(faults=["flash"] * (number % 2)), leaf="health", console=f"c{number}")
    wait_until("all are heard", lambda: shop.metrics().get("trivox_consoles_outbox_events") == 8 * 42)
    at = shop.metrics()
    names = [name for name in at if name.startswith("trivox_console_rssi_dbm{")]
    assert len(names) == 3
    assert (at["trivox_consoles"], at["trivox_consoles_without_series"]) == (8, 5)
    assert (at["trivox_consoles_online"], at["trivox_consoles_faulty"], at["trivox_consoles_flooding"]) == (8, 4, 0)


def test_a_value_cannot_break_a_line() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, 'he said "no"', None, None)
    record.facts = {"topic": 'a b\nlevel=error "x" \\', "none": None, "empty": ""}
    line = Formatter().format(record)
    assert "\n" not in line
    assert LOG_FACT.sub("", line).strip() == ""
    assert list(parse_line(line)) == ["time", "level", "msg", "topic", "empty"]


def test_what_happens_often_is_logged_rarely_with_its_count() -> None:
    now = [0.0]
    limiter = RateLimiter(lambda: now[0])
    assert limiter.allow("a") == 1
    assert [limiter.allow("a", 2), limiter.allow("a"), limiter.allow("b")] == [None, None, 1]
    now[0] = RATE_PERIOD_S
    assert limiter.allow("a") == 4


def test_of_many_similar_facts_some_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    vitals = Vitals()
    for number in range(10_000):
        vitals.handle(ConsoleDiscovered(("s1", f"c{number}")))
    assert 1 < len(caplog.records) <= 20
