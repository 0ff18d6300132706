"""What doctor says about a database that is locked, damaged or refuses strangers; and how strangers are enrolled."""

from __future__ import annotations

import json
import os

import pytest

from bridge.admin.commands import EnrollConsoles, Rebuild, Sweep
from bridge.ops.doctor import database as doctor_database
from bridge.service.vitals import FLOOD_MESSAGES
from bridge.service.writer import ReceivedMessage
from bridge.store import integrity, open_store
from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.support import planted
from tests.support.intake import take_messages
from tests.support.writing import writing

NINE = at("2026-11-02T09:00+00:00")


def bad(text: str) -> list[str]:
    """Return the lines that somebody has to act on."""
    return [line for line in text.splitlines() if line.startswith("! ")]


def test_a_database_that_another_program_holds_is_reported_among_others(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    with planted.held(office.database):
        text = office.do("doctor")
    assert f"Another program has locked the database {office.database}: end that program." in text
    assert "The broker was not checked" in text
    assert "MB free" in text
    assert "time server" in text


def test_doctor_says_how_to_restore_a_damaged_database_and_starts_no_bridge(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=1500)
    office.take(till)
    planted.overwrite(office.database, planted.middle(office.database))
    text = office.do("doctor")
    assert f"The database {office.database} is damaged" in text
    assert "`trivox restore COPY`" in text
    assert "start `trivox bridge`" not in text
    report = office.run("rebuild")
    assert report.status == 1
    assert f"The database {office.database} is damaged" in report.err
    assert "MB free" in text


def strangers(office: Office, count: int) -> list[tuple[str, bytes, int]]:
    till = OfficeTill()
    till.surveys(NINE, yes=count)
    return [(message["topic"], json.dumps(message["payload"]).encode(), NINE) for message in till.messages()]


def test_a_stranger_is_accepted_once_enrolled_and_its_earlier_events_by_a_rebuild(office: Office) -> None:
    messages = strangers(office, 40)
    store = open_store(office.database, writing=True)
    take_messages(store, messages[:1], 1, enrolled_only=True)
    store.close()
    refused = office.do("doctor")
    assert "`trivox console enroll SITE/CONSOLE`" in refused
    assert "No console has been heard yet" not in refused
    assert "1 console enrolled" in office.do("console", "enroll", "demo/till-1")
    assert "not enrolled" not in office.do("console", "list")
    store = open_store(office.database, writing=True)
    assert take_messages(store, messages[1:], 1, enrolled_only=True).stored == 48
    store.close()
    assert "1 reject taken in" in office.do("rebuild")
    assert office.rows("site")[0]["surveys"] == 40
    assert "Nothing was rejected" in office.do("doctor")


def test_a_running_bridge_accepts_a_console_from_its_enrolment_on(office: Office) -> None:
    first, second = (ReceivedMessage(topic, payload, NINE, 0, 1) for topic, payload, _ in strangers(office, 20))
    with writing(office.database, enrolled_only=True) as writer:
        writer.enqueue([first])
        writer.perform(EnrollConsoles(consoles=["demo/till-1"]))
        assert writer.vitals.counts["stored"] == 0
        writer.enqueue([second])
    assert writer.vitals.counts["stored"] == 8


def test_a_rebuild_takes_in_only_what_its_bridge_takes(office: Office) -> None:
    messages = [ReceivedMessage(topic, payload, NINE, 0, 1) for topic, payload, _ in strangers(office, 5)]
    with writing(office.database, enrolled_only=True, signed_only=True) as writer:
        writer.enqueue(messages)
        writer.perform(EnrollConsoles(consoles=["demo/till-1"]))
        assert writer.perform(Rebuild())["taken"] == 0, "it is not signed"
    with writing(office.database, enrolled_only=True) as writer:
        assert writer.perform(Rebuild())["taken"] == 1


@pytest.mark.parametrize("name", ["till-1", "demo/", "demo/TILL", "a/b/c"])
def test_only_a_console_can_be_enrolled(office: Office, name: str) -> None:
    result = office.run("console", "enroll", "demo/till-1", name)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert not office.database.exists(), "nothing was done by halves"


def test_a_stranger_that_floods_is_named(office: Office) -> None:
    topic, payload, _ = strangers(office, 1)[0]
    with writing(office.database, enrolled_only=True) as writer:
        for _ in range(FLOOD_MESSAGES // 1000 + 1):
            assert writer.vitals.snapshot(1)["flooding"] == []
            writer.enqueue([ReceivedMessage(topic, payload, NINE, 0, 1)] * 1000)
            writer.perform(Sweep())  # comes after them
        assert writer.vitals.snapshot(1)["flooding"] == ["demo/till-1"]
        assert not writer.vitals.consoles


def test_two_boards_are_reported_once(office: Office) -> None:
    tills = [OfficeTill(epoch=epoch) for epoch in ("0000000a", "0000000b")]
    for minute in range(3):
        for till in tills:
            till.survey(NINE + minute * MINUTE_MS, "yes")
            office.take(till)
    assert sum("sends under two epochs in turn" in line for line in bad(office.do("doctor"))) == 1
    for minute in range(4):
        payload = {"hardware_id": ("aa", "bb")[minute % 2], "epoch": tills[minute % 2].epoch}
        message = {"topic": "trivox/v1/demo/till-1/health", "payload": payload, "received_at_ms": NINE + minute}
        office.take_messages([message])
    lines = bad(office.do("doctor"))
    assert sum("Two boards (aa and bb)" in line for line in lines) == 1
    assert not any("two epochs in turn" in line for line in lines)


def test_a_file_without_read_permission_is_not_a_usage_error(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # as for a user without rights, whoever runs this
    assert office.run("console", "list").status == 0


def test_counts_use_singular_and_plural(office: Office) -> None:
    line = "demo,till-1,anna,Anna,2026-11-02T09:00,2026-11-02T17:00"
    office.do("console", "enroll", "demo/till-1")
    assert office.shifts(line).out == "1 shift imported.\n"


def test_a_missing_settings_file_is_reported_also_without_a_broker(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    result = office.run("doctor", "--config", office.folder / "nothere.toml")
    assert (result.status, result.out) == (1, "")
    assert "nothere.toml cannot be read" in result.err


def test_reasons_that_senders_chose_with_older_bridges_are_summed_up(office: Office) -> None:
    store = open_store(office.database, writing=True)
    planted.rejects(store, [f"unknown \x1b{number}: x" for number in range(3_000)])
    store.close()
    text = office.do("doctor")
    assert len(text.splitlines()) < 40
    assert "Rejected for 2980 other reasons: 2980" in text
    assert "\x1b" not in text


def test_a_large_database_is_checked_as_far_as_the_time_allows(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=500)
    office.take(till)
    monkeypatch.setattr(integrity, "SMALL_BYTES", 0)
    monkeypatch.setattr(integrity, "CHECK_TIME_EVERY", 1)
    assert "is intact." in office.do("doctor")
    monkeypatch.setattr(doctor_database, "FILE_CHECK_S", -1)
    assert "is intact as far as -1 s could tell, without its" in office.do("doctor")
    assert "is intact." in office.do("doctor", "--full")
    planted.overwrite(office.database, planted.middle(office.database))
    assert f"The database {office.database} is damaged" in office.do("doctor", "--full")
