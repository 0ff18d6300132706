"""Test that each change that people make is kept: who, when, by which command, what was before."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from bridge import os_user
from bridge.admin import commands
from bridge.cli.command_table import COMMANDS
from tests.bridge.office import Office, OfficeTill, at

NINE = at("2026-11-02T09:00+00:00")
ANNA = "demo,till-1,anna,Anna,2026-11-02T08:00,2026-11-02T12:00"
BORIS = "demo,till-1,boris,Boris,2026-11-02T12:00,2026-11-02T16:00"


RENEWED = {"credentials": "old"}, {"credentials": "new"}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Make an office whose only console, demo/till-1, has been heard."""
    office = Office(tmp_path)
    till = OfficeTill()
    till.surveys(NINE, yes=3)
    office.take(till)
    return office


def history(office: Office, *options: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(office.do("history", "--json", *options))
    return found


def changes(office: Office, *options: object) -> list[tuple[Any, ...]]:
    return [(change["kind"], change["before"], change["after"]) for change in history(office, *options)]


@pytest.mark.parametrize(
    ("command", "kind", "before", "after"),
    [
        ("site set demo --timezone Asia/Tokyo", "site", None, {"timezone": "Asia/Tokyo"}),
        ("checkout-point set demo counter --console till-1", "placement", None, {"checkout_point_id": "counter"}),
        ("settings set --all survey_window_ms=9000", "setting", {"survey_window_ms": None}, {"survey_window_ms": 9000}),
        ("question set staff --site demo", "setting", {"question_id": None}, {"question_id": "staff"}),
        ("console enroll demo/till-1", "console", {"enrolled": False}, {"enrolled": True}),
    ],
)
def test_a_change_is_kept_once(
    office: Office, command: str, kind: str, before: dict[str, Any] | None, after: dict[str, Any]
) -> None:
    office.do(*command.split())
    office.do(*command.split())
    (change,) = history(office)
    assert (change["kind"], change["before"], change["after"]) == (kind, before, after)
    assert change["command"] == " ".join(command.split()[:2])
    assert change["who"] == os_user.current_user()


def test_logins_given_renewed_and_revoked_are_kept_without_their_secrets(office: Office) -> None:
    office.do("console", "enroll", "demo/till-1")
    enrolled, logins = {"enrolled": True}, []
    for kind, name in (("viewer", "boss"), ("source", "demo/door")):
        for words in (("enroll",), ("enroll",), ("enroll", "--renew"), ("revoke",)):
            office.do(kind, *words, name)
        logins += [(kind, None, enrolled), (kind, *RENEWED), (kind, enrolled, {"enrolled": False})]
    office.do("console", "enroll", "demo/till-1", "--renew")
    assert changes(office)[1:] == [*logins, ("console", *RENEWED)]
    assert history(office)[-1]["command"] == "console enroll"
    assert {(change["site_id"], change["name"]) for change in history(office)} == {
        *((None, "boss"), ("demo", "door"), ("demo", "till-1"))
    }


def test_a_shift_replaced_is_kept_with_what_was_before(office: Office) -> None:
    office.shifts(ANNA, BORIS)
    office.shifts(ANNA, BORIS)
    first = history(office, "--kind", "shift")
    assert [(change["name"], change["after"]["seller_id"]) for change in first] == [
        ("till-1", "anna"),
        ("till-1", "boris"),
    ]
    assert not any(change["is_correction"] for change in first)
    office.shifts(ANNA.replace("anna,Anna", "ivan,Ivan"))
    (swapped,) = history(office, "--kind", "shift")[2:]
    assert (swapped["before"]["seller_id"], swapped["after"]["seller_id"]) == ("anna", "ivan")
    assert swapped["is_correction"]


def test_a_new_name_of_a_seller_is_told_and_kept(office: Office) -> None:
    office.shifts(ANNA, BORIS)
    told = office.shifts(ANNA.replace(",Anna,", ",Boris,"), BORIS.replace(",Boris,", ",Anna,")).out
    assert "2 sellers renamed, in reports of the time past too" in told
    assert changes(office, "--kind", "seller") == [
        ("seller", {"seller_name": "Anna"}, {"seller_name": "Boris"}),
        ("seller", {"seller_name": "Boris"}, {"seller_name": "Anna"}),
    ]
    told = office.shifts(ANNA, ANNA.replace("11-02", "11-03").replace(",Anna,", ",Anja,")).out
    assert "Note: line 3: anna is called otherwise above; the last name is kept." in told
    assert "lasts longer than a day" in office.shifts(BORIS.replace("02T", "04T").replace("04T16", "06T16")).out


def test_a_question_keeps_its_texts_and_weights(office: Office) -> None:
    office.do("question", "set", "staff", "--kind", "office")
    office.do("question", "set", "staff", "--silent-weight", 0.25)
    (kind, weight) = history(office)
    assert (kind["before"]["kind"], kind["after"]["kind"]) == ("personnel", "office")
    assert (weight["before"]["silent_weight"], weight["after"]["silent_weight"]) == (0.5, 0.25)
    assert [change["is_correction"] for change in (kind, weight)] == [False, True]


def test_a_command_that_fails_leaves_no_history(office: Office) -> None:
    assert office.run("settings", "set", "--all", "survey_window_ms=9000", "stuck_ms=1").status == 2
    assert office.shifts(ANNA, ANNA.replace("T08", "T09")).status == 1
    assert "No such change is known." in office.do("history")


def test_the_table_tells_what_was_changed(office: Office) -> None:
    office.shifts(ANNA)
    office.shifts(ANNA.replace("anna", "ivan"))
    lines = office.do("history", "--site", "demo").splitlines()
    assert len(lines) == 2
    what = "shift import  shift demo/till-1  seller_id anna → ivan"
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d UTC \*  \S.*  {what}", lines[1])
    office.do("question", "set", "staff", "--text", f"en={'a' * 100}b")
    office.do("question", "set", "staff", "--text", f"en={'a' * 100}c")
    assert (
        office.do("history", "--kind", "question").splitlines()[1].endswith(" texts.en …aaaaaaaaaaaab → …aaaaaaaaaaaac")
    )
    assert office.run("history", "--from", "yesterday").status == 2
    assert len(office.do("history", "--from", "2.11.2020").splitlines()) == 4
    assert "No such change is known." in office.do("history", "--to", "2020-01-01")


def test_who_became_root_by_sudo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os_user, "_login_of", lambda _pid: None)
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "anna")
    assert os_user.current_user() == "anna as root"
    assert os_user.user_of(1, 0) == "root", "another process can claim anything"
    monkeypatch.setattr("os.getuid", lambda: 12_345)
    assert os_user.current_user() == "12345", "an ordinary user can claim anything too"


def test_each_command_has_its_words() -> None:
    for command in get_args(commands.AnyCommand):
        assert command.words.split()[0] in {name.split()[0] for name in COMMANDS}, command
