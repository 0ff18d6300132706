"""Test batches with and without a MAC: what is stored with each event, and who reports it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bridge.keyring import Keyring
from bridge.ops.doctor.database import examine
from bridge.reports.days import given_days
from bridge.reports.report_query import ReportQuery
from bridge.reports.rows import report_rows
from bridge.store import Store
from bridge.surveys.in_transaction import IntakeResult
from bridge.wire.signature import Mac, mac_of, verify_mac
from tests.support import facts, planted
from tests.support.intake import rebuild, take_messages

VECTOR = Path(__file__).parents[3] / "schema" / "examples" / "valid" / "events--with_mac.json"
README = (Path(__file__).parents[3] / "bridge/ops/broker/README.md").read_text(encoding="utf-8")
VECTOR_KEY = bytes(range(32))
TOPIC = "trivox/v1/s1/c1/events"
NOW_MS = 1_763_800_000_000
QUESTION = {"question_id": "staff", "question_revision": 1}


def survey(number: int) -> list[dict[str, Any]]:
    up_ms = number * 10_000
    at = {"boot": 1, "up_ms": up_ms, "at_ms": NOW_MS + up_ms, **QUESTION}
    ended = {"survey": number, "opened_up_ms": up_ms, "outcome": "yes", "cause": "answered", "response_ms": 0}
    return [{**at, "type": "survey_opened"}, {**at, "type": "survey_closed", **ended}]


def batch(base: int, *events: Any, key: str | None = None, **more: Any) -> bytes:
    """Return a batch as a console sends it, signed with `key`; the MAC is made independently, by schema/README.md."""
    text = json.dumps(events)  # with spaces: the MAC is over the text as sent, not over its content
    if key is not None:
        lines = f'"0000000a"\n1\n{base}\n{text}'
        more["mac"] = hmac.new(bytes.fromhex(key), lines.encode(), hashlib.sha256).hexdigest()
    rest = "".join(f',"{name}":{json.dumps(value)}' for name, value in more.items())
    return f'{{"epoch":"0000000a","first": 1, "base":{base},"events": {text}{rest}}}'.encode()


def take(store: Store, *payloads: bytes) -> IntakeResult:
    return take_messages(store, [(TOPIC, payload, NOW_MS) for payload in payloads], NOW_MS)


def throughs(result: IntakeResult) -> list[int]:
    return [json.loads(payload)["through"] for _, payload in result.acks]


def macs(store: Store) -> list[int | None]:
    return facts.events(store, "mac")


def bad(store: Store) -> list[str]:
    """Return what doctor says of the consoles and their events."""
    found = [finding.sentence for finding in examine(store, NOW_MS) if finding.needs_action]
    return [sentence for sentence in found if "time zone" not in sentence]


def test_the_vector_of_the_schema_holds() -> None:
    payload = VECTOR.read_bytes()
    mac = json.loads(payload)["mac"]
    assert mac_of(payload, VECTOR_KEY) == mac
    assert verify_mac(payload, mac, VECTOR_KEY)
    assert not verify_mac(payload.replace(b'"outcome":"yes"', b'"outcome":"no"'), mac, VECTOR_KEY)
    assert not verify_mac(payload, mac, VECTOR_KEY[::-1])


def test_the_result_of_the_check_is_stored_with_each_event(store: Store) -> None:
    keyring = Keyring(store.path)
    key = keyring.issue("s1", "c1").key
    take(store, batch(1, *survey(1)))
    take(store, batch(3, *survey(3), key=key))
    take(store, batch(5, *survey(5), key="ab" * 32))
    take(store, batch(7, *survey(7)))
    keyring.remove("s1", "c1")
    take(store, batch(9, *survey(9), key=key))
    assert macs(store) == [None, None, Mac.VALID, Mac.VALID, Mac.FAILED, Mac.FAILED, Mac.MISSING, Mac.MISSING, 2, 2]
    assert facts.macs(store, "mac", "events") == [(0, 2), (1, 2), (2, 2), (3, 2)]
    assert facts.extras(store) == []
    with store.transaction(NOW_MS):
        rebuild(store)
    assert macs(store) == [None, None, Mac.VALID, Mac.VALID, Mac.FAILED, Mac.FAILED, Mac.MISSING, Mac.MISSING, 2, 2]


@pytest.mark.parametrize("mac", [None, 7, "", "é", "00" * 32, {"a": 1}])
def test_an_invalid_mac_fails_and_loses_no_event(store: Store, mac: Any) -> None:
    Keyring(store.path).issue("s1", "c1")
    result = take(store, batch(1, *survey(1), mac=mac, shelf=1))
    assert (result.stored, result.unreadable) == (2, 0)
    assert macs(store) == [Mac.FAILED, Mac.FAILED]


def test_a_console_that_signs_may_add_fields_and_write_digits_in_upper_case(store: Store) -> None:
    key = Keyring(store.path).issue("s1", "c1").key
    payload = batch(1, *survey(1), key=key, shelf=1)
    mac = json.loads(payload)["mac"]
    take(store, payload.replace(mac.encode(), mac.upper().encode()))
    assert macs(store) == [Mac.VALID, Mac.VALID]


def test_keys_are_read_again_when_they_change(store: Store) -> None:
    keyring = Keyring(store.path)
    old = keyring.issue("s1", "c1").key
    take(store, batch(1, *survey(1), key=old))
    new = keyring.issue("s1", "c1").key
    take(store, batch(3, *survey(3), key=old), batch(5, *survey(5), key=new))
    assert macs(store) == [1, 1, 0, 0, 1, 1]


def test_events_that_come_again_with_a_valid_mac_are_proved(store: Store) -> None:
    key = Keyring(store.path).issue("s1", "c1").key
    take(store, batch(1, *survey(1), key="ab" * 32), batch(3, *survey(3), key=key))
    result = take(store, batch(1, *survey(1), *survey(3), key=key))
    assert (result.duplicates, macs(store)) == (4, [1, 1, 1, 1])
    take(store, batch(1, *survey(1), *survey(3), key="ab" * 32))
    assert macs(store) == [1, 1, 1, 1], "a replay takes nothing away"


def test_an_event_taken_from_the_rejects_keeps_its_check(store: Store) -> None:
    key = Keyring(store.path).issue("s1", "c1").key
    newer = {**survey(1)[0], "type": "of_a_newer_console"}
    take(store, batch(1, newer, key=key))
    assert facts.rejects(store, "mac") == [Mac.VALID]
    planted.rejected_was(store, survey(1)[0])
    with store.transaction(NOW_MS):
        assert rebuild(store)["taken"] == 1
    assert macs(store) == [Mac.VALID]


def test_the_doctor_reports_events_that_are_not_proved(store: Store) -> None:
    keyring = Keyring(store.path)
    key = keyring.issue("s1", "c1").key
    take(store, batch(1, *survey(1)))
    assert "does not sign its events" in " ".join(bad(store))
    take(store, batch(3, *survey(3), key=key))
    assert bad(store) == []
    take(store, batch(5, *survey(5), key="ab" * 32), batch(7, *survey(7)))
    assert [sentence.split(",")[0] for sentence in bad(store)] == [
        "2 events of console s1/c1 came with a wrong MAC",
        "2 events of console s1/c1 came without a MAC",
    ]


def test_the_doctor_reports_a_missing_or_damaged_key(store: Store) -> None:
    keyring = Keyring(store.path)
    key = keyring.issue("s1", "c1").key
    path = keyring.folder / "s1" / "c1.json"
    path.write_text("{")
    take(store, batch(1, *survey(1), key=key))
    assert ["repair its file in that folder" in sentence for sentence in bad(store)] == [True]
    path.unlink()
    assert ["enrol it again" in sentence for sentence in bad(store)] == [True]
    assert macs(store) == [Mac.NO_KEY] * 2


def test_a_forged_first_makes_no_console_drop_its_events(store: Store) -> None:
    key = Keyring(store.path).issue("s1", "c1").key
    take(store, batch(1, *survey(1), key=key))
    for forged in (batch(901, *survey(450)), batch(901, *survey(450), key="ab" * 32)):
        result = take(store, forged.replace(b'"first": 1', b'"first": 901'))
        assert throughs(result) == [2]
    assert throughs(take(store, batch(3, *survey(2), key=key))) == [4]


@pytest.mark.parametrize("has_key", [True, False])
def test_a_forged_mac_changes_nothing_for_a_console_that_does_not_sign(store: Store, *, has_key: bool) -> None:
    if has_key:
        Keyring(store.path).issue("s1", "c1")
    take(store, batch(1, *survey(1)))
    take(store, batch(1, *survey(1), mac="00" * 32).replace(b"0000000a", b"0000000b"))
    store.forget()
    result = take(store, batch(9, *survey(9)).replace(b'"first": 1', b'"first": 9'))
    assert throughs(result) == [10], "its own losses are believed as before"
    assert [mac for mac in macs(store) if mac is not None] == [Mac.FAILED if has_key else Mac.NO_KEY] * 2


def test_a_bridge_that_takes_only_signed_events_acknowledges_no_others(store: Store) -> None:
    keyring = Keyring(store.path)
    key = keyring.issue("s1", "c1").key
    payloads = [batch(1, *survey(1)), batch(1, *survey(1), key="ab" * 32), batch(1, *survey(1), key=key)]

    def take_signed(*given: bytes) -> IntakeResult:
        return take_messages(store, [(TOPIC, payload, NOW_MS) for payload in given], NOW_MS, signed_only=True)

    result = take_signed(*payloads[:2])
    assert (result.stored, result.unreadable, result.acks) == (0, 2, [])
    assert [reason.partition(":")[0] for reason in facts.rejects(store, "reason")] == ["not signed"] * 2
    assert facts.consoles(store) == []
    result = take_signed(payloads[2])
    assert (result.stored, len(result.acks)) == (2, 1)
    assert any("--signed-only" in sentence for sentence in bad(store))
    with store.transaction(NOW_MS):
        assert rebuild(store)["taken"] == 0
    Path(keyring.path("s1", "c1")).write_text(json.dumps({"user": "s1.c1", "password": "b", "key": "ab" * 32}))
    with store.transaction(NOW_MS):
        assert rebuild(store)["taken"] == 1, "what was signed with a key that is known only now"


def test_reports_note_what_is_not_proved(store: Store) -> None:
    key = Keyring(store.path).issue("s1", "c1").key
    declared = {"boot": 1, "up_ms": 90_000, "at_ms": NOW_MS + 90_000, "type": "force_majeure_declared"}
    take(store, batch(1, *survey(1), *survey(3), key=key), batch(5, *survey(5)), batch(7, survey(7)[0], key=key))
    take(store, batch(8, {**declared, "survey": None, **QUESTION}, key="00" * 32))

    def notes(*by: str, **more: Any) -> list[str]:
        rows = report_rows(store, ReportQuery(given_days(date(2025, 11, 1), date(2025, 12, 1)), by, **more))
        return [note for row in rows for note in row["notes"] if "proved" in note]

    sentence = "not proved to be their console's: 2 of its surveys and force majeures (see `trivox doctor`)"
    assert notes("console") == notes("site", "day") == notes("seller", merge_revisions=True) == [sentence]
    assert notes("console", question_id="loyalty") == []
    query = README.split('sqlite-utils shop.db "select seller_id')[1].split('"')[0]
    assert store.all(f"select seller_id{query}") == [(None, 3, 2)], "as the README shows it"
    assert facts.surveys(store, "outcome") == ["yes", "yes", "yes", "open"]
