"""Intake of messages: events become surveys, acknowledgements, conflicts and rejects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from bridge.admin.commands import EnrollConsoles, IngestMessages, Sweep
from bridge.service.outcome import TransactionOutcome
from bridge.store import Store
from bridge.store.consoles import find_console
from bridge.store.events import find_epoch
from bridge.surveys.facts import Fact, ForceMajeuresChanged, SurveysChanged
from bridge.surveys.in_transaction import IntakeResult
from bridge.surveys.ingest import Intake
from tests.support import planted
from tests.support.facts import consoles, events, extras, received, rejects, rollups, sent_events, surveys
from tests.support.intake import execute, rebuild, take_in, take_messages

NOW_MS = 1_763_800_000_000
DAY_MS = 86_400_000
QUESTION = {"question_id": "staff", "question_revision": 3}


def event(kind: str, up_ms: int, **more: Any) -> dict[str, Any]:
    return {"boot": 1, "up_ms": up_ms, "at_ms": NOW_MS + up_ms, "type": kind, **more}


def opened(up_ms: int, **more: Any) -> dict[str, Any]:
    return event("survey_opened", up_ms, **QUESTION, **more)


def closed(up_ms: int, survey: int, opened_up_ms: int, outcome: str = "yes", **more: Any) -> dict[str, Any]:
    cause = {"silent": "expired", "error": "fault"}.get(outcome, "answered")
    fields = {"survey": survey, "opened_up_ms": opened_up_ms, "outcome": outcome, "cause": cause, "response_ms": 5}
    return event("survey_closed", up_ms, **QUESTION, **fields, **more)


def booted(up_ms: int = 0) -> dict[str, Any]:
    return event("booted", up_ms, reset="power_on", firmware="1", board="unix", hardware_id="ab")


def take(
    store: Store,
    base: int,
    *events: Any,
    first: int = 1,
    epoch: str = "0000000a",
    arrived: int = NOW_MS,
    now: int = NOW_MS,
    **more: Any,
) -> IntakeResult:
    batch = {"epoch": epoch, "first": first, "base": base, "events": list(events), **more}
    return take_messages(store, [("trivox/v1/s1/c1/events", json.dumps(batch).encode(), arrived)], now)


def through(result: IntakeResult) -> int:
    ((topic, payload),) = result.acks
    assert topic == "trivox/v1/s1/c1/ack"
    return int(json.loads(payload)["through"])


def outcome(store: Store, survey: int) -> str:
    ((outcome, cause),) = surveys(store, "outcome", "cause", survey=survey)
    return outcome + (f":{cause}" if outcome == "error" else "")


def test_through_and_losses(store: Store) -> None:
    assert through(take(store, 1, booted())) == 1
    assert through(take(store, 4, opened(9))) == 1
    assert through(take(store, 3, opened(8), first=3)) == 4
    assert through(take(store, 2, opened(7))) == 4
    assert received(store, "low", "high") == [(1, 4)]


def test_every_batch_is_followed_by_an_ack(store: Store) -> None:
    assert through(take(store, 1, booted())) == 1
    again = take(store, 1, booted())
    assert through(again) == 1
    assert (again.stored, again.duplicates) == (0, 1)


def test_other_content_under_a_used_number_is_one_conflict(store: Store) -> None:
    take(store, 1, opened(1))
    take(store, 1, opened(2))
    result = take(store, 1, opened(2))
    assert (result.conflicts, through(result)) == (1, 1)
    ((seq, reason, count),) = rejects(store, "seq", "reason", "count")
    assert (seq, count) == (1, 2)
    assert reason.startswith("conflict")
    assert surveys(store, "opened_up_ms") == [1]


def test_a_reject_keeps_its_number(store: Store) -> None:
    bad = opened(-1)
    assert through(take(store, 1, bad)) == 1
    assert take(store, 1, bad).duplicates == 1
    assert take(store, 1, opened(5)).conflicts == 1
    assert [reason.split(":")[0] for reason in rejects(store, "reason")] == ["impossible value", "conflict"]
    assert events(store) == []


def test_a_bad_event_does_not_block_the_others(store: Store) -> None:
    result = take(store, 1, opened(1), {"type": "new_thing"}, 5, closed(9, 1, 1))
    assert (result.stored, result.rejected, through(result)) == (2, 2, 4)
    assert outcome(store, 1) == "yes"


class Alarm:
    """A subscriber that counts each *no* when it is given, and rings at the third."""

    def __init__(self) -> None:
        self.noes = 0
        self.force_majeures = 0

    def handle(self, fact: Fact, outcome: TransactionOutcome) -> None:
        if isinstance(fact, SurveysChanged):
            self.noes += sum(
                after.outcome == "no" and (before is None or before.outcome != "no") for before, after in fact.changes
            )
            if self.noes == 3:
                outcome.publish(f"alarm/{fact.console[0]}", b"3")
        elif isinstance(fact, ForceMajeuresChanged):
            self.force_majeures += sum(before is None for before, _ in fact.changes)


def test_a_subscriber_handles_each_survey_once_however_its_events_arrive(store: Store) -> None:
    alarm = Alarm()
    noes = [closed(10 * seq + 5, seq, 10 * seq, "no") for seq in (1, 3, 5)]
    declared = event("force_majeure_declared", 70, survey=None, **QUESTION)
    published = []
    opened_and_closed = [opened(10), noes[0]]
    groups = [(1, opened_and_closed), (3, [opened(30)]), (4, [noes[1]]), (1, opened_and_closed), (6, [noes[2]])]
    for base, group in [*groups, (7, [declared]), (7, [declared])]:
        batch = {"epoch": "0000000a", "first": 1, "base": base, "events": group}
        message = ("trivox/v1/s1/c1/events", json.dumps(batch).encode(), NOW_MS)
        published += take_in(store, [message], NOW_MS, (alarm,))[1].publications
    assert (alarm.noes, alarm.force_majeures) == (3, 1)
    assert published == [("alarm/s1", b"3", False)]


class Broken:
    """A subscriber with a fault."""

    def handle(self, fact: Fact, _outcome: TransactionOutcome) -> None:
        raise KeyError(type(fact).__name__)


def test_a_subscriber_that_fails_costs_no_event(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    batch = {"epoch": "0000000a", "first": 1, "base": 1, "events": [opened(1), closed(9, 1, 1)]}
    alarm = Alarm()
    message = ("trivox/v1/s1/c1/events", json.dumps(batch).encode(), NOW_MS)
    result, _ = take_in(store, [message], NOW_MS, (Broken(), alarm))
    assert (result.stored, through(result), outcome(store, 1)) == (2, 2, "yes")
    assert "a subscriber failed" in caplog.text


def test_an_unreadable_message_is_stored_once_and_not_acknowledged(store: Store) -> None:
    for _ in range(3):
        result = take_messages(store, [("trivox/v1/s1/c1/events", b"{", NOW_MS)], NOW_MS)
        assert not result.acks
    assert rejects(store, "seq", "count") == [(None, 3)]
    assert consoles(store) == []


def test_unknown_fields_are_stored(store: Store) -> None:
    take(store, 1, opened(1, colour="blue"), shelf=7)
    assert [event["colour"] for event in sent_events(store)] == ["blue"]
    assert extras(store, "base", "raw") == [(1, '{"shelf":7}')]


def test_an_open_survey_is_lost_at_a_later_opening_below_through(store: Store) -> None:
    take(store, 1, opened(1))
    assert outcome(store, 1) == "open"
    take(store, 3, opened(3))
    assert outcome(store, 1) == "open"
    take(store, 2, event("stray_pressed", 2, button="yes", reason="guard"))
    assert outcome(store, 1) == "error:lost"
    take(store, 4, closed(9, 1, 1, "no"))
    assert outcome(store, 1) == "no"


def test_an_open_survey_is_lost_after_24_hours(store: Store) -> None:
    take(store, 1, opened(0))
    with store.transaction(NOW_MS + DAY_MS - 1):
        execute(store, Sweep())
    assert outcome(store, 1) == "open"
    with store.transaction(NOW_MS + DAY_MS):
        execute(store, Sweep())
    assert outcome(store, 1) == "error:lost"


def test_of_two_closes_the_one_with_the_lower_number_counts(store: Store) -> None:
    take(store, 1, opened(1))
    take(store, 3, closed(9, 1, 1, "no"))
    take(store, 2, closed(8, 1, 1, "yes"))
    assert outcome(store, 1) == "yes"
    assert rollups(store, "yes", "no", "silent", "error") == [(1, 0, 0, 0)]


def test_a_close_without_opening_gives_a_survey(store: Store) -> None:
    take(store, 2, closed(9000, 1, 2000, "silent"))
    assert surveys(store, "outcome", "opened_at_ms") == [("silent", NOW_MS + 2000)]


def test_a_later_clock_dates_earlier_events_without_a_date(store: Store) -> None:
    take(store, 1, opened(1000, at_ms=None) | {"at_ms": None}, arrived=NOW_MS + 7000)
    assert surveys(store, "opened_at_ms") == [NOW_MS + 7000]
    clock = {"boot": 1, "up_ms": 2000, "at_ms": NOW_MS, "type": "clock_set", "source": "ntp", "step_ms": None}
    take(store, 2, clock)
    assert surveys(store, "opened_at_ms") == [NOW_MS - 1000]
    assert events(store, "dated_by") == ["clock_set", "console"]


@pytest.mark.parametrize(
    ("up_ms", "affected"), [(399_999, 0), (400_000, 1), (1_000_000, 1), (1_009_000, 1), (1_009_001, 0)]
)
def test_force_majeure_affects_surveys_soon_after_it_or_around_it(store: Store, up_ms: int, affected: int) -> None:
    take(store, 1, opened(1_000_000), closed(1_009_000, 1, 1_000_000))
    take(store, 3, event("force_majeure_declared", up_ms, survey=None, **QUESTION))
    assert surveys(store, "affected") == [affected]
    assert rollups(store, "yes", affected=affected) == [1]


def test_two_boards_with_one_id_are_kept_apart(store: Store) -> None:
    take(store, 1, opened(1))
    assert through(take(store, 1, opened(2), epoch="0000000b")) == 1
    assert surveys(store, "epoch") == ["0000000a", "0000000b"]


def test_enrolled_only(store: Store) -> None:
    batch = json.dumps({"epoch": "0000000a", "first": 1, "base": 1, "events": [opened(1)]}).encode()
    message = ("trivox/v1/s1/c1/events", batch, NOW_MS)
    assert not take_messages(store, [message], NOW_MS, enrolled_only=True).acks
    with store.transaction(NOW_MS):
        assert rebuild(store)["taken"] == 0
        assert execute(store, EnrollConsoles(consoles=["s1/c1"]))["refused"]
        assert rebuild(store)["taken"] == 1
    assert events(store, "seq") == [1]
    assert through(take_messages(store, [message], NOW_MS, enrolled_only=True)) == 1


def test_a_rebuild_takes_in_what_an_older_bridge_rejected(store: Store) -> None:
    take(store, 1, opened(1), {"type": "junk"})
    planted.rejected_was(store, closed(9, 1, 1))
    with store.transaction(NOW_MS):
        assert rebuild(store) == {"taken": 1, "surveys": 1}
    assert outcome(store, 1) == "yes"
    assert rejects(store) == []


def test_a_transaction_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    take(store, 1, opened(1))
    with monkeypatch.context() as patch:
        patch.setattr("bridge.surveys.fold.Fold.finish", _full)
        with pytest.raises(apsw.FullError):
            take(store, 2, closed(9, 1, 1))
    assert outcome(store, 1) == "open"
    assert through(take(store, 2, closed(9, 1, 1))) == 2
    assert outcome(store, 1) == "yes"


def _full(_fold: Any) -> None:
    raise apsw.FullError


def test_status_and_health_are_stored(store: Store) -> None:
    health = json.dumps({"epoch": "0000000a", "settings_revision": 12, "more": 1}).encode()
    messages = [
        ("trivox/v1/s1/c1/status", b'{"state":"online"}', NOW_MS),
        ("trivox/v1/s1/c1/health", health, NOW_MS + 5),
        ("trivox/v1/s1/c1/status", b"", NOW_MS + 6),
        ("trivox/v1/s1/c1/reply", b'{"id":"x","ok":true}', NOW_MS + 7),
    ]
    take_messages(store, messages, NOW_MS)
    (console,) = consoles(store, "online", "health", "settings_revision_reported", "last_seen_at_ms")
    assert console == (1, health.decode(), 12, NOW_MS + 7)
    assert rejects(store) == []


def test_a_retained_message_does_not_show_that_a_console_is_online(store: Store) -> None:
    take(store, 1, opened(1))
    with store.transaction(NOW_MS):
        intake = Intake(store)
        intake.take("trivox/v1/s1/c1/status", b'{"state":"online"}', NOW_MS + 9, is_retained=True)
        intake.finish()
    assert consoles(store, "online", "last_seen_at_ms") == [(1, NOW_MS)]


def test_counts_are_acknowledged(store: Store) -> None:
    payload = b'{"id":"a","kind":"transactions","from_ms":0,"to_ms":1,"count":1}'
    result = take_messages(store, [("trivox/v1/s1/pos/counts", payload, NOW_MS)], NOW_MS)
    assert result.acks == [("trivox/v1/s1/pos/ack", b'{"id":"a"}')]


def test_recorded_lines(store: Store, tmp_path: Path) -> None:
    batch = {"epoch": "0000000a", "first": 1, "base": 1, "events": [opened(1)]}
    topic = "trivox/v1/s1/c1/events"
    lines = [
        json.dumps({"topic": topic, "payload": batch, "received_at_ms": 5}),
        json.dumps({"topic": topic, "payload": json.dumps(batch), "received_at_ms": 6}),
        json.dumps({"topic": topic, "payload": "\u00e9{", "received_at_ms": 6}),
    ]
    (tmp_path / "recorded.ndjson").write_text("\n".join(lines))
    with store.transaction(NOW_MS), (tmp_path / "recorded.ndjson").open("rb") as file:
        result = execute(store, IngestMessages(name="recorded.ndjson"), file)
    assert (result["stored"], result["duplicates"], result["unreadable"]) == (1, 1, 1)
    assert events(store, "arrived_at_ms") == [5]


def test_half_a_surrogate_pair_spoils_only_its_own_event(store: Store) -> None:
    odd = b'{"boot":1,"up_ms":1,"at_ms":1,"type":"survey_opened","question_id":"\\ud800","question_revision":1}'
    good = json.dumps(booted(5)).encode()
    payload = b'{"epoch":"0000000a","first":1,"base":1,"mac":"00","events":[' + odd + b"," + good + b"]}"
    result = take_messages(store, [("trivox/v1/s1/c1/events", payload, NOW_MS)], NOW_MS)
    assert (result.stored, result.rejected, result.unreadable) == (1, 1, 0)
    assert json.loads(result.acks[0][1])["through"] == 2


def test_of_a_field_that_is_given_twice_the_last_counts_as_in_a_rebuild(store: Store) -> None:
    twice = json.dumps(event("settings_applied", 5, revision=1))[:-1] + ',"revision":2}'
    batch = f'{{"epoch":"0000000a","first":1,"base":1,"events":[{json.dumps(booted())},{twice}]}}'
    take_messages(store, [("trivox/v1/s1/c1/events", batch.encode(), NOW_MS)], NOW_MS)
    console = find_console(store, "s1", "c1")
    assert console is not None
    live = find_epoch(store, console, "0000000a", NOW_MS).applied
    store.forget()
    console = find_console(store, "s1", "c1")
    assert console is not None
    assert find_epoch(store, console, "0000000a", NOW_MS).applied == live == [(2, 2)]
