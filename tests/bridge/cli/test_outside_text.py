"""Test that text from consoles, valid or not, breaks no command or metric and controls no terminal."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from bridge.admin.commands import EnrollConsoles, IngestMessages, Rebuild, SetCheckoutPoint
from bridge.service.metrics import BridgeCollector
from bridge.service.vitals import Vitals
from bridge.service.writer import ReceivedMessage
from bridge.wire.health import read_figures
from tests.bridge.office import MINUTE_MS, Office, at
from tests.support.facts import consoles
from tests.support.writing import writing

if TYPE_CHECKING:
    from pathlib import Path

NINE = at("2026-11-02T09:00+00:00")
HUGE = "9" * 400
HEALTH = [
    f'{{"heap_free":{HUGE}}}',
    f'{{"at_ms":{HUGE}}}',
    f'{{"loop_lag_max_ms":{HUGE}}}',
    f'{{"outbox":{{"first":1,"next":{HUGE}}}}}',
    '{"outbox":{"first":"a"}}',
    '{"outbox":[]}',
    '{"faults":3}',
    '{"faults":[3,null,{"a":1e999}]}',
    '{"x":1e999}',
    '{"firmware":"[/b]","board":"[red]x[/red]"}',
    '{"firmware":3,"board":null,"hardware_id":"[/]"}',
    '{"faults":"flash"}',
    '{"faults":["x\\ny\\u001b[31mz","[/b]"]}',
    '{"faults":["\\ud800"]}',
]


def heard(office: Office, health: str, *, at_ms: int | None = None) -> None:
    payload = '{"epoch":"00000001",' + health[1:]
    topic = "trivox/v1/demo/till-1/health"
    at_ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    line = f'{{"topic":"{topic}","payload":{payload},"received_at_ms":{at_ms}}}\n'
    office.do("ingest", office.file("recorded.ndjson", line))


def metrics_of(vitals: Vitals, folder: Path) -> dict[str, float]:
    families = BridgeCollector(vitals, folder / "trivox.db", "1", 10).collect()
    return {sample.name: sample.value for family in families for sample in family.samples}


@pytest.mark.parametrize("health", HEALTH)
def test_no_health_message_breaks_doctor_list_or_metrics(office: Office, health: str) -> None:
    heard(office, health)
    for words in (("doctor",), ("console", "list"), ("watch", "--once")):
        result = office.run(*words)
        assert (result.status, result.err) == (0, ""), words
        assert "\x1b[31m" not in result.out
        assert "f, l, a, s, h" not in result.out
    vitals = Vitals()
    vitals.console(("demo", "till-1")).note_health(read_figures(health), NINE)
    assert metrics_of(vitals, office.folder)["trivox_console_lost_events"] == 0


def test_texts_from_consoles_are_shown_unchanged_on_one_line(office: Office) -> None:
    heard(office, '{"firmware":"[/b]","faults":["x\\ny\\u001b[31mz"]}')
    assert "reports faults: x\\ny\\x1b[31mz; restart it" in office.do("doctor")
    listed = office.do("console", "list")
    assert "[/b]" in listed
    assert "x\\ny" in listed


def test_valid_figures_are_kept_next_to_invalid_ones() -> None:
    figures = read_figures(
        f'{{"heap_free":{HUGE},"outbox":{{"first":3,"next":45}},"faults":["a",1],"firmware":"1.0.0"}}'
    )
    assert (figures.heap_free, figures.outbox, figures.faults, figures.firmware) == (None, 42, ("a",), "1.0.0")
    long = read_figures(json.dumps({"board": "x" * 10_000, "faults": ["y"] * 10_000}))
    assert len(str(long)) < 1_000


def test_the_text_is_kept_as_sent(office: Office) -> None:
    heard(office, '{"x":1e999}')
    assert consoles(office.database, "health") == ['{"epoch":"00000001","x":1e999}']


# -- retained messages -------------------------------------------------------------------------------------------------


def take_health(office: Office, at_ms: int, arrived_at_ms: int, vitals: Vitals, *, is_retained: bool) -> None:
    """Have a writer take in a health message sent at `at_ms`."""
    payload = json.dumps({"epoch": "0000000a", "at_ms": at_ms}).encode()
    with writing(office.database, vitals=vitals, now_ms=lambda: arrived_at_ms) as writer:
        writer.enqueue([ReceivedMessage("trivox/v1/demo/till-1/health", payload, arrived_at_ms, 0, 1, is_retained)])


def test_a_retained_heartbeat_does_not_say_how_the_clock_is_now(office: Office) -> None:
    now_ms = time.time_ns() // 1_000_000
    vitals = Vitals()
    take_health(office, now_ms - 60 * MINUTE_MS, now_ms, vitals, is_retained=True)
    assert "trivox_console_clock_offset_seconds" not in metrics_of(vitals, office.folder)
    findings = office.do("doctor")
    assert "The clock of console" not in findings
    assert "heard just now" not in findings
    assert "This bridge has never heard console" in findings
    take_health(office, now_ms - 60 * MINUTE_MS, now_ms + 1, vitals, is_retained=False)  # the same text, now fresh
    assert metrics_of(vitals, office.folder)["trivox_console_clock_offset_seconds"] == -3600.001
    assert "clock of console demo/till-1 is 3600 s behind" in office.do("doctor")
    take_health(office, now_ms - 30 * MINUTE_MS, now_ms + 2, vitals, is_retained=True)
    assert metrics_of(vitals, office.folder)["trivox_console_clock_offset_seconds"] == -3600.001


# -- messages from commands --------------------------------------------------------------------------------------------


def test_metrics_count_what_commands_take_in(office: Office) -> None:
    event = {"boot": 1, "up_ms": 1, "at_ms": None, "type": "button_freed", "button": "yes"}
    batch = {"epoch": "0000000a", "first": 1, "base": 1, "events": [event, {"type": "danced"}]}
    lines = [
        json.dumps({"topic": "trivox/v1/demo/till-1/events", "payload": batch, "received_at_ms": NINE}),
        json.dumps({"topic": "trivox/v1/demo/till-1/events", "payload": "no batch", "received_at_ms": NINE}),
    ]
    recording = office.file("recorded.ndjson", "\n".join(lines))
    point = SetCheckoutPoint(site_id="demo", checkout_point_id="p", console_id="named-only", new=True)
    with writing(office.database) as writer, recording.open("rb") as file:
        writer.perform(IngestMessages(name=recording.name), file=file)
        writer.perform(point)
    at = metrics_of(writer.vitals, office.folder)
    assert at["trivox_events_stored_total"] == 1
    assert at["trivox_events_rejected_total"] == 1
    assert at["trivox_messages_unreadable_total"] == 1
    assert at["trivox_console_last_seen_timestamp_seconds"] == NINE / 1000
    assert at["trivox_consoles"] == 1


def test_a_rebuild_on_a_running_bridge_leaves_the_metrics_of_newer_messages(office: Office) -> None:
    def health(heap_free: int) -> ReceivedMessage:
        payload = json.dumps({"epoch": "0000000a", "heap_free": heap_free}).encode()
        return ReceivedMessage("trivox/v1/demo/till-1/health", payload, NINE, 0, 1)

    with writing(office.database, enrolled_only=True) as writer:
        writer.enqueue([health(99)])
        writer.perform(EnrollConsoles(consoles=["demo/till-1"]))
        writer.enqueue([health(77)])
        assert writer.perform(Rebuild())["taken"] == 1
    assert metrics_of(writer.vitals, office.folder)["trivox_console_heap_free_bytes"] == 77
