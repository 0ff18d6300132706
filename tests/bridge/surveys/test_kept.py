"""What is kept beyond valid events is bounded for each console and in all, and what is beyond is counted."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge.ops.doctor.database import examine
from bridge.store import kept
from bridge.wire.json_content import canonical
from tests.bridge.surveys.test_ingest import NOW_MS, booted, closed, opened, take
from tests.support import facts
from tests.support.intake import rebuild, take_messages

if TYPE_CHECKING:
    from bridge.store import Store

BIG = "x" * 60_000
KIB = 1024


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in kept.MAX_BYTES_OF_TOPIC:
        monkeypatch.setitem(kept.MAX_BYTES_OF_TOPIC, kind, 200 * KIB)


def doctor(store: Store) -> str:
    return "\n".join(one.sentence for one in examine(store, NOW_MS))


def flood(store: Store, kind: str, number: int) -> None:
    """Send message `number` of a flood of this kind, each with 60 kB that are new."""
    filler = f"{number}{BIG}"
    if kind == "envelope":
        take(store, 1, booted(), unknown=filler)
    elif kind == "conflict":
        take(store, 1, {**booted(), "up_ms": 0, "odd": ""} if number == 0 else {**booted(up_ms=number), "odd": filler})
    elif kind == "rejected":
        take(store, number + 1, {"type": "danced", "how": filler})
    elif kind == "event":
        take(store, number + 1, {**booted(up_ms=number), "odd": filler})
    else:
        count = {"id": f"{number}", "kind": "visitors", "from_ms": 0, "to_ms": 1, "count": number, "odd": filler}
        take_messages(store, [("trivox/v1/s1/till/counts", json.dumps(count).encode(), NOW_MS)], NOW_MS)


@pytest.mark.parametrize("kind", ["envelope", "conflict", "rejected", "event", "counts"])
def test_no_flood_of_large_messages_fills_the_disk(store: Store, kind: str) -> None:
    for number in range(20):
        flood(store, kind, number)
        if number == 10:
            store.forget()  # as after a restart
    assert facts.size(store) < 1_000_000
    told = doctor(store)
    assert "more were counted only" in told
    assert "trivox/v1/s1/till/counts" in told if kind == "counts" else "trivox/v1/s1/c1/events" in told


def test_all_consoles_together_have_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_BYTES", 300 * KIB)
    for number in range(20):
        batch = {"epoch": "0000000a", "first": 1, "base": 1, "events": [{"type": "danced", "how": BIG}]}
        take_messages(store, [(f"trivox/v1/s1/c{number}/events", json.dumps(batch).encode(), NOW_MS)], NOW_MS)
    assert facts.size(store) < 1_000_000
    assert len(facts.rejects(store)) == 5


def test_an_event_without_its_unknown_fields_is_counted_once_and_still_judged(store: Store) -> None:
    events: list[dict[str, Any]] = [{**opened(number), "odd": BIG} for number in range(1, 6)]
    for seq, event in enumerate(events, 1):
        take(store, seq, event)
    answer = {**closed(20, 5, 5), "odd": BIG}
    take(store, 6, answer)
    assert facts.surveys(store, "outcome", survey=5) == ["yes"]
    again = take(store, 6, dict(reversed(answer.items())))
    assert (again.duplicates, again.conflicts) == (1, 0)
    other = take(store, 6, {**answer, "odd": "other"})
    assert (other.duplicates, other.conflicts) == (0, 1)
    before = facts.derived(store)
    with store.transaction(NOW_MS):
        rebuild(store)
    assert facts.derived(store) == before


def test_small_events_are_kept_as_sent_in_any_case(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_BYTES", 0)
    take(store, 1, {**booted(), "colour": "green"})
    assert facts.sent_events(store)[0]["colour"] == "green"


def test_unknown_fields_of_any_size_have_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kept.MAX_BYTES_OF_TOPIC, kept.UNKNOWN_FIELDS, 20 * KIB)
    for number in range(1, 101):
        take(store, number, {**booted(up_ms=number), "odd": "y" * 900})
    kept_as_sent = [event for event in facts.sent_events(store) if "odd" in event]
    assert len(kept_as_sent) in range(15, 25)
    assert "more were counted only" in doctor(store)


@pytest.mark.parametrize("first", [["whole_sha256"], {"type": "danced", "whole_sha256": 1}, "whole_sha256"])
def test_no_event_that_holds_the_name_of_the_digest_stops_the_next(store: Store, first: Any) -> None:
    take(store, 1, first)
    result = take(store, 1, booted())
    assert (result.duplicates, result.conflicts) == (0, 1)
    before = facts.derived(store)
    with store.transaction(NOW_MS):
        rebuild(store)
    assert facts.derived(store) == before


def test_nobody_can_say_in_advance_that_an_event_equals_another(store: Store) -> None:
    other = booted(up_ms=77)
    whole = hashlib.sha256(canonical(json.dumps(other).encode())).hexdigest()
    for seq, forged in enumerate((booted(), {"type": "danced"}), 1):
        take(store, seq, {**forged, "whole_sha256": whole})
        assert take(store, seq, other).conflicts == 1
        assert take(store, seq, {**forged, "whole_sha256": whole}).duplicates == 1


def test_room_is_given_back_once_a_newer_bridge_takes_the_events(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_BYTES", 100 * KIB)
    with monkeypatch.context() as older:
        older.setattr("bridge.wire.contract.parse_event", _unknown)
        take(store, 1, {**booted(), "odd": BIG})
    assert len(facts.rejects(store)) == 1
    with store.transaction(NOW_MS):
        assert rebuild(store)["taken"] == 1
    assert kept.reserve(store, "trivox/v1/s1/c1/events", kept.REJECTED, 90 * KIB)


def _unknown(_raw: bytes, _seq: int) -> None:
    from bridge.wire.contract import Impossible  # noqa: PLC0415 - only here

    raise Impossible("unknown type: booted")


@pytest.mark.parametrize("field", ["reset", "firmware", "board", "hardware_id"])
def test_words_of_a_console_have_a_longest_length(store: Store, field: str) -> None:
    result = take(store, 1, {**booted(), field: "y" * 257})
    assert result.rejected == 1
    assert "impossible value" in facts.rejects(store, "reason")[0]


def test_invented_boards_are_forgotten(store: Store) -> None:
    for number in range(200):
        health = {"hardware_id": f"{number:0250}", "settings_revision": 0}
        take_messages(store, [("trivox/v1/s1/c1/health", json.dumps(health).encode(), NOW_MS + number)], NOW_MS)
    assert facts.query(store, "SELECT count(*), max(hardware_id) FROM board") == [(50, f"{199:0250}")]
