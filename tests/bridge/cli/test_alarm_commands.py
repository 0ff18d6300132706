"""`trivox alarms` and `trivox alarm-recipient`, as people type them."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.bridge.office import MINUTE_MS, Office, OfficeTill
from tests.schema import schemas
from tests.support import facts
from tests.support.alarm_times import alarm_times

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 24 * 60 * MINUTE_MS


def ring(office: Office, *, site: str = "demo", past: int = 200, outcome: str = "no") -> None:
    """Have an alarm ring now: a tenth of the answers were no on the days before."""
    now_ms = time.time_ns() // 1_000_000
    till = OfficeTill(site, base_ms=now_ms - 70 * DAY_MS)
    office.do("site", "set", site, "--timezone", "UTC")
    times = alarm_times(now_ms)
    for at_ms in times.earlier_ms:
        till.surveys(at_ms, no=past // 100, yes=past // 10 - past // 100)
    till.surveys(times.answers_ms, **{outcome: 4})
    office.take(till)


def objects(office: Office, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(office.do("alarms", "--format", "json", *options))
    return found


def test_an_alarm_is_listed_in_words_and_as_its_schema_says(office: Office) -> None:
    ring(office)
    (alarm,) = objects(office)
    schemas.validator("alarm").validate(alarm)
    assert set(alarm) == set(schemas.read(schemas.path_of("alarm"))["properties"]) - {"test"}
    assert (alarm["state"], alarm["answers"], alarm["counted"], alarm["usual_counted"]) == ("open", 4, 4, 20)
    text = office.do("alarms")
    assert f"demo, {alarm['from_at'][11:16]} to {alarm['to_at'][11:16]}: 4 of 4 answers were no, usually 10 %" in text
    (row,) = csv.DictReader(io.StringIO(office.do("alarms", "--format", "csv")))
    assert (row["alarm_id"], row["site_id"], row["checkout_point_id"], row["counted"]) == ("1", "demo", "", "4")
    assert row["sentence"] == alarm["sentence"]


def test_without_alarms_it_says_so(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    assert office.do("alarms") == "No alarm is open, and none rang in the last day.\n"
    assert office.do("alarms", "--all") == "There is no such alarm.\n"
    assert objects(office) == []


def test_what_people_do_is_kept_with_who_and_when(office: Office) -> None:
    ring(office)
    assert office.do("alarms", "acknowledge", 1, "--comment", "on my way") == "Alarm 1 is acknowledged.\n"
    again = office.do("alarms", "acknowledge", 1)
    assert again.startswith("Alarm 1 is acknowledged; ")
    assert "had acknowledged it before" in again
    office.do("alarms", "comment", 1, "  the terminal was down ")
    assert objects(office)[0]["state"] == "acknowledged"
    office.do("alarms", "close", 1, "--comment", "it works again")
    (alarm,) = objects(office)
    schemas.validator("alarm").validate(alarm)
    assert (alarm["state"], alarm["closed_because"]) == ("closed", "by_hand")
    assert [(note["action"], note["comment"]) for note in alarm["notes"]] == [
        ("acknowledged", "on my way"),
        ("acknowledged", None),
        ("commented", "the terminal was down"),
        ("closed", "it works again"),
    ]
    text = office.do("alarms")
    assert "the terminal was down" in text
    assert "by hand" in text
    changes = json.loads(office.do("history", "--kind", "alarm", "--json"))
    assert [change["after"]["state"] for change in changes] == ["acknowledged", "acknowledged", "closed"]
    assert {change["who"] for change in changes} == {note["who"] for note in alarm["notes"]}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("acknowledge", "2"), "There is no alarm 2: see `trivox alarms --all`."),
        (("close", "99999999999999999999"), "There is no alarm 99999999999999999999: see `trivox alarms --all`."),
        (("comment", "1", " "), "The comment is empty: give its text."),
        (("comment", "1", "x" * 1001), "The comment has 1001 characters: give at most 1,000."),
        (("--all", "--period", "today"), "Give --all or --period, not both."),
        (("--site", "dema"), "There is no site dema: did you mean demo?"),
    ],
)
def test_wrong_words_are_refused_in_a_sentence(office: Office, words: tuple[str, ...], sentence: str) -> None:
    ring(office)
    result = office.run("alarms", *words)
    assert (result.status, result.err) == (2, f"trivox: {sentence}\n")
    assert facts.alarms(office.database, "state") == ["open"]


def test_a_closed_alarm_is_not_acknowledged_or_closed_again(office: Office) -> None:
    ring(office)
    office.do("alarms", "close", 1)
    for word in ("acknowledge", "close"):
        result = office.run("alarms", word, 1)
        assert (result.status, result.err) == (
            2,
            "trivox: Alarm 1 is closed already: say more with `trivox alarms comment`.\n",
        )
    office.do("alarms", "comment", 1, "it came again later")


def test_sites_and_periods_choose_alarms(office: Office) -> None:
    ring(office)
    ring(office, site="other")
    assert [alarm["site_id"] for alarm in objects(office)] == ["demo", "other"]
    assert [alarm["site_id"] for alarm in objects(office, "--site", "other")] == ["other"]
    assert objects(office, "--period", "last-28-days") == [], "they end with yesterday"


def test_a_site_without_a_base_is_told_of(office: Office) -> None:
    ring(office, past=20)
    sentence = "No alarm can ring at demo yet: too few answers came there before today to tell what is usual.\n"
    assert office.do("alarms") == f"No alarm is open, and none rang in the last day.\n{sentence}"
    result = office.run("alarms", "--format", "json")
    assert (json.loads(result.out), result.err) == ([], f"trivox: {sentence}")


def test_a_comment_steers_no_terminal(office: Office) -> None:
    ring(office)
    office.do("alarms", "comment", 1, "\x1b[31mred\nnew line")
    assert "\x1b" not in office.do("alarms")
    assert objects(office)[0]["notes"][0]["comment"] == "\x1b[31mred\nnew line"


# Recipients ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--by", "pigeon"), "--by 'pigeon' is no way to tell of an alarm: give one of mail, webhook, ntfy, apprise."),
        (("--by", "mail", "--to", "a@b.c"), "Mail needs a server: give --server smtps://HOST"),
        (("--by", "mail", "--to", "boss", "--server", "smtps://h"), "--to 'boss' is not a mail address"),
        (("--by", "mail", "--to", "a@b.c\nBcc: x@y.z", "--server", "smtps://h"), "is not a mail address"),
        (("--by", "mail", "--to", "a@b.c", "--server", "mail.shop.com"), "is not a mail server: give smtps://HOST:PORT"),
        (("--by", "mail", "--to", "a@b.c", "--server", "smtps://me:pass@h"), "do not belong into --server"),
        (("--by", "webhook"), "--to '' is not a web address: give https://HOST/PATH."),
        (("--by", "webhook", "--to", "ftp://h/"), "is not a web address"),
        (("--by", "webhook", "--to", "https://me:pass@h/"), "do not belong into --to"),
        (("--by", "webhook", "--to", "https://h/?token=1"), "--to has a query, which may hold a secret"),
        (("--by", "ntfy", "--to", "https://h/t", "--server", "smtps://h"), "--server and --from belong to mail"),
        (("--by", "ntfy", "--to", "https://h/t", "--link", "x"), "--link 'x' is not a web address"),
        (("--by", "apprise", "--to", "tgram://token"), "The URL of Apprise holds credentials"),
        (("--by", "apprise"), "Apprise needs a URL"),
        (("--by", "ntfy", "--to", "https://h/t", "--site", "dema"), "There is no site dema: did you mean demo?"),
    ],
)  # fmt: skip
def test_a_wrong_recipient_is_refused(office: Office, options: tuple[str, ...], sentence: str) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    result = office.run("alarm-recipient", "set", "boss", *options)
    assert result.status == 2
    assert sentence in result.err
    assert "pass@" not in result.err
    assert office.do("alarm-recipient", "list").startswith("Nobody is told of alarms")


def test_recipients_are_listed_changed_and_removed(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    words = ("alarm-recipient", "set", "phone", "--by", "ntfy", "--to")
    assert "phone is new" in office.do(*words, "https://ntfy.sh/one")
    assert "phone is changed" in office.do(*words, "https://ntfy.sh/two", "--site", "demo")
    (recipient,) = json.loads(office.do("alarm-recipient", "list", "--json"))
    assert (recipient["recipient_id"], recipient["site_id"], recipient["address"]) == (
        "phone",
        "demo",
        "https://ntfy.sh/two",
    )
    assert recipient["login"] is None
    result = office.run("alarm-recipient", "remove", "phones")
    assert (result.status, result.err) == (2, "trivox: There is no alarm recipient phones: did you mean phone?\n")
    office.do("alarm-recipient", "remove", "phone")
    changes = json.loads(office.do("history", "--kind", "alarm_recipient", "--json"))
    assert [change["command"] for change in changes] == [
        "alarm-recipient set",
        "alarm-recipient set",
        "alarm-recipient remove",
    ]
    assert changes[1]["before"]["address"] == "https://ntfy.sh/one"


def test_a_name_that_is_no_id_is_refused(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    result = office.run("alarm-recipient", "set", "The Boss", "--by", "ntfy", "--to", "https://ntfy.sh/t")
    assert result.status == 2
    assert "'The Boss' is not a valid name of a recipient" in result.err


def test_a_file_of_secrets_must_be_private_and_valid(office: Office, tmp_path: Path) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    file = tmp_path / "login.toml"
    words = ("alarm-recipient", "set", "hook", "--by", "webhook", "--to", "https://h/", "--login", file)
    assert office.run(*words).status == 1
    file.write_text('secret = "x"\n', "utf-8")
    file.chmod(0o644)
    assert f"{file} holds secrets and others may read it: run chmod 600 {file}." in office.run(*words).err
    file.chmod(0o600)
    file.write_text("secret = 1\n", "utf-8")
    assert "has an invalid 'secret'" in office.run(*words).err
    file.write_text('user = "x"\n', "utf-8")
    result = office.run(*words)
    assert result.status == 0
    assert "the webhook has no secret to sign with yet" in result.err


# Doctor -----------------------------------------------------------------------------------------------------------


def test_doctor_tells_of_alarms_and_of_who_was_not_told(office: Office) -> None:
    ring(office)
    text = office.do("doctor")
    assert "  1 alarm not closed: see `trivox alarms`." in text
    assert "  Alarms rang in the last week, but nobody is told" in text
    office.do("alarm-recipient", "set", "boss", "--by", "ntfy", "--to", "https://ntfy.sh/t")
    ring(office, site="other")
    with sqlite3.connect(office.database) as database:
        database.execute("UPDATE alarm_delivery SET attempts = 1, reason = 'it is down.'")
    database.close()
    wanted = "! Alarm recipient boss could not be told yet of alarm 2: it is down; then try `trivox alarm-recipient "
    wanted += "test boss`."
    text = office.do("doctor")
    assert wanted in text
    assert "nobody is told" not in text
    assert "boss was not told yet: it is down." in office.do("alarms")
