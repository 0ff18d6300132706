from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.wire.contract import (
    MAX_MESSAGE_BYTES,
    Impossible,
    SurveyClosed,
    Unreadable,
    parse_event,
    read_batch,
    read_topic,
)
from bridge.wire.json_content import same_content

CLOSED: dict[str, Any] = {
    "boot": 17,
    "up_ms": 741905,
    "at_ms": 1763780008908,
    "type": "survey_closed",
    "survey": 41,
    "opened_up_ms": 733120,
    "question_id": "staff",
    "question_revision": 3,
    "outcome": "yes",
    "cause": "answered",
    "response_ms": 8785,
}


def closed(**changed: Any) -> bytes:
    return json.dumps({**CLOSED, **changed}).encode()


def test_a_close_is_read() -> None:
    event = parse_event(closed(more=1), 42)
    assert isinstance(event, SurveyClosed)
    assert (event.survey, event.outcome, event.at_ms) == (41, "yes", 1763780008908)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"type": "survey_danced"}, "unknown type"),
        ({"outcome": "perhaps"}, "unknown outcome"),
        ({"boot": -1}, "impossible value"),
        ({"up_ms": -1}, "impossible value"),
        ({"up_ms": True}, "ill-typed field"),
        ({"up_ms": 1.5}, "ill-typed field"),
        ({"up_ms": "1"}, "ill-typed field"),
        ({"up_ms": 2**70}, "impossible value"),
        ({"at_ms": 10**15}, "impossible value"),
        ({"at_ms": "now"}, "ill-typed field"),
        ({"survey": 42}, "impossible value"),
        ({"survey": None}, "ill-typed field"),
        ({"opened_up_ms": 741906}, "impossible value"),
        ({"outcome": "silent"}, "impossible value"),
        ({"cause": "expired"}, "impossible value"),
        ({"outcome": "error", "cause": "expired"}, "impossible value"),
        ({"response_ms": None}, "missing field"),
        ({"response_ms": -1}, "impossible value"),
        ({"question_id": ""}, "impossible value"),
        ({"question_id": "x" * 65}, "impossible value"),
        ({"question_id": "a\x00b"}, "impossible value"),
        ({"question_revision": 0}, "impossible value"),
    ],
)
def test_an_impossible_close_is_rejected_with_its_reason(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Impossible, match=f"^{reason}: "):
        parse_event(closed(**changed), 42)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "stray_pressed", "button": "$.whatever" + "x" * 200, "reason": "guard"}, "unknown button"),
        ({"type": "stray_pressed", "button": "a - at `$.boot`", "reason": "guard"}, "unknown button"),
        ({"type": "stray_pressed", "button": "yes", "reason": "missing required field"}, "unknown reason"),
        ({"type": "x" * 300}, "unknown type"),
        ({"type": "missing required field >= length"}, "unknown type"),
        ({"type": "self_tested", "passed": True, "buttons": ["z"], "lamps": []}, "unknown buttons"),
    ],
)
def test_the_reason_does_not_depend_on_what_the_sender_wrote(event: dict[str, Any], reason: str) -> None:
    with pytest.raises(Impossible) as found:
        parse_event(json.dumps({"boot": 1, "up_ms": 1, "at_ms": None, **event}).encode(), 42)
    assert str(found.value).partition(":")[0] == reason
    assert len(str(found.value)) < 250


@pytest.mark.parametrize("missing", [name for name in CLOSED if name != "response_ms"])
def test_a_missing_field_is_named(missing: str) -> None:
    raw = json.dumps({name: value for name, value in CLOSED.items() if name != missing}).encode()
    with pytest.raises(Impossible, match=r"^missing field: "):
        parse_event(raw, 42)


@pytest.mark.parametrize("raw", [b"5", b"null", b"[]", b'"x"', b"{}", b"[" * 5000])
def test_anything_but_an_event_is_rejected(raw: bytes) -> None:
    with pytest.raises(Impossible):
        parse_event(raw, 1)


def test_unknown_cause_and_reset_are_kept() -> None:
    assert parse_event(closed(cause="eclipse"), 42).cause == "eclipse"  # type: ignore[union-attr]
    silent = closed(outcome="silent", cause="eclipse", response_ms=None)
    assert parse_event(silent, 42).outcome == "silent"  # type: ignore[union-attr]
    booted = {"boot": 1, "up_ms": 0, "at_ms": None, "type": "booted", "reset": "lightning"}
    raw = json.dumps({**booted, "firmware": "1", "board": "unix", "hardware_id": "ab"}).encode()
    assert parse_event(raw, 1).reset == "lightning"  # type: ignore[union-attr]


def envelope(**changed: Any) -> bytes:
    return json.dumps({"epoch": "9f2c1ab0", "first": 41, "base": 41, "events": [{}], **changed}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"{",
        b"\xff",
        envelope(epoch="9F2C1AB0"),
        envelope(epoch="9f2c1ab0\n"),
        envelope(epoch=1),
        envelope(first=42),
        envelope(first=0),
        envelope(base=True),
        envelope(base=2**60),
        envelope(events=[]),
        envelope(events=[{}] * 257),
        envelope(events={}),
        envelope(pad="x" * MAX_MESSAGE_BYTES),
        b'{"epoch":"9f2c1ab0","first":1,"base":1,"events":[{"a":"\xff"}]}',
        b'{"epoch":"9f2c1ab0","first":1,"base":1,"events":[' + b"[" * 9000,
    ],
)
def test_an_invalid_envelope_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        read_batch(payload)


def test_an_envelope_keeps_its_unknown_fields() -> None:
    batch = read_batch(envelope(mac="ab", extra={"x": 1}))
    assert (json.loads(batch.extra), batch.mac) == ({"extra": {"x": 1}}, "ab")
    assert not read_batch(envelope(events=[{}] * 256)).extra


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "trivox/v1/a/b",
        "trivox/v2/a/b/events",
        "trivox/v1/A/b/events",
        "trivox/v1/a/b/events/",
        "trivox/v1/a/b/events\n",
        "trivox/v1/a/-b/events",
        "trivox/v1/a/b/settings",
        f"trivox/v1/{'a' * 33}/b/events",
        "trivox/v1/a/٣/events",
    ],
)
def test_an_unknown_topic_is_unreadable(topic: str) -> None:
    with pytest.raises(Unreadable):
        read_topic(topic)


def test_content_is_compared_as_json() -> None:
    assert same_content(b'{"a":1,"b":[true,null]}', b'{ "b" : [true, null], "a" : 1.0 }')
    assert not same_content(b'{"a":1}', b'{"a":true}')
    assert not same_content(b'{"a":1}', b'{"a":1,"b":null}')
