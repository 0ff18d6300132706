"""A database that is not there is made by a few commands alone; all others say so and leave no file behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.cli.command_table import COMMANDS
from tests.bridge.office import Office
from tests.support import facts

SHIFTS = "site_id,console_id,seller_id,seller_name,started_at,ended_at\n"
REFUSED = {
    "alarm-recipient list": (),
    "alarm-recipient remove": ("boss",),
    "alarm-recipient set": ("boss", "--by", "ntfy", "--to", "https://ntfy.sh/topic"),
    "alarm-recipient test": ("boss",),
    "alarms": (),
    "alarms acknowledge": ("1",),
    "alarms close": ("1",),
    "alarms comment": ("1", "it is mended"),
    "annotation list": (),
    "annotation remove": ("1",),
    "annotation set": ("a sale", "--on", "2026-11-02"),
    "audit calibrate": ("sofia-1/desk",),
    "audit check": (),
    "audit clip": ("1", "--out", "clip.mp4"),
    "audit draw": (),
    "audit judge": ("1", "confirmed"),
    "audit keep": ("1",),
    "audit list": (),
    "audit report": ("--period", "last-week"),
    "audit show": ("1",),
    "backup": ("copy.db",),
    "broker-config": ("--out", "broker", "--host", "a"),
    "camera list": (),
    "camera login": ("https://nvr:8971",),
    "camera remove": ("sofia-1/desk",),
    "camera set": ("sofia-1/desk", "--kind", "frigate", "--url", "https://nvr:8971"),
    "camera test": ("sofia-1/desk",),
    "chart": (),
    "checkout-point import": ("points.csv",),
    "checkout-point list": (),
    "checkout-point remove": ("sofia-1", "desk"),
    "checkout-point set": ("sofia-1", "desk", "--console", "till-1"),
    "compare": ("--from", "2026-11-01", "--to", "2026-12-01"),
    "console flash": ("--site", "sofia-1", "--console", "till-1"),
    "console identify": ("sofia-1/till-1",),
    "console keys": ("keys.json", "sofia-1/till-1"),
    "console list": (),
    "console remove": ("sofia-1/till-1",),
    "console retire": ("sofia-1/till-1",),
    "console revoke": ("sofia-1/till-1",),
    "console update": ("--to", "1.1.0", "--all"),
    "counts import": ("counts.csv",),
    "counts list": (),
    "counts remove": ("--site", "sofia-1"),
    "doctor": (),
    "firmware add": ("some.bundle",),
    "firmware list": (),
    "firmware trust": ("some.pub",),
    "flags": (),
    "flags set-aside": ("errors", "anna", "--reason", "a broken till"),
    "flags set-surveys-aside": ("errors", "anna", "--reason", "a broken till"),
    "flags take-back": ("errors", "anna"),
    "flags take-surveys-back": ("errors", "anna"),
    "history": (),
    "question card": ("staff",),
    "question list": (),
    "question remove": ("office",),
    "question set": ("staff", "--silent-weight", "0.4"),
    "question weight draw": (
        *("--question", "staff", "--sample", "60", "--from", "2026-11-01", "--to", "2026-12-01", "--out", "ask.csv"),
    ),
    "question weight estimate": ("answers.csv", "--question", "staff"),
    "question weight list": (),
    "rebuild": (),
    "report": ("--from", "2026-11-01", "--to", "2026-12-01"),
    "seller list": (),
    "seller remove": ("anna",),
    "settings list": (),
    "settings set": ("--all", "ask_every=2"),
    "shift import": ("shifts.csv",),
    "shift list": (),
    "shift remove": ("--all",),
    "site import": ("sites.csv",),
    "site list": (),
    "site remove": ("sofia-1",),
    "source enroll": ("sofia-1/door",),
    "source list": (),
    "source revoke": ("sofia-1/door",),
    "target list": (),
    "target remove": ("--question", "staff"),
    "target set": ("0.25", "--question", "staff"),
    "viewer enroll": ("boss",),
    "viewer list": (),
    "viewer revoke": ("boss",),
    "watch": ("--once",),
}
MAKE_ONE = {"bridge", "console enroll", "ingest", "site set", "restore"}
NEED_NONE = {"broker", "files", "gateway"}
TABLES = {
    "shifts.csv": SHIFTS,
    "counts.csv": "site_id,source_id,kind,from,to,count\n",
    "points.csv": "site_id,checkout_point_id,console_id\n",
    "sites.csv": "site_id,timezone\n",
    "answers.csv": "survey_id,answer\n",
    "recorded.ndjson": '{"topic":"trivox/v1/sofia-1/till-1/status","payload":{"state":"offline"},"received_at_ms":1}\n',
}


@pytest.mark.parametrize("words", [("Sofia", "UTC"), ("sofia-1", "Europe/Sofa")])
def test_a_refused_site_makes_no_database(office: Office, words: tuple[str, str]) -> None:
    assert office.run("site", "set", words[0], "--timezone", words[1]).status == 2
    assert not office.database.exists()


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.chdir(tmp_path)
    office = Office(tmp_path)
    for name, text in TABLES.items():
        office.file(name, text)
    return office


def test_every_command_is_here() -> None:
    groups = {"firmware", "question weight"}
    names = {name for name in {*REFUSED, *MAKE_ONE, *NEED_NONE} if name.rpartition(" ")[0] not in groups}
    assert names == set(COMMANDS) - groups


@pytest.mark.parametrize("command", REFUSED)
def test_a_missing_database_is_said_and_nothing_is_left(office: Office, command: str) -> None:
    check_refused(office, command)


def test_a_missing_folder_is_not_made(office: Office) -> None:
    office.database = office.folder / "nowhere" / "shop.db"
    for command in ("settings set", "report", "viewer enroll", "broker-config"):
        check_refused(office, command)


def check_refused(office: Office, command: str) -> None:
    files = set(office.folder.rglob("*"))
    result = office.run(*command.split(), *REFUSED[command])
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1), result
    assert result.err.startswith(f"trivox: There is no database {office.database}: give --database")
    assert set(office.folder.rglob("*")) == files


def test_an_empty_file_is_no_database(office: Office) -> None:
    office.database.touch()
    result = office.run("settings", "set", "--all", "ask_every=2")
    assert result.status == 1
    assert "is empty" in result.err
    assert office.database.stat().st_size == 0


@pytest.mark.parametrize(
    "words",
    [
        ("settings", "set", "--all", "ask_every=2", "--new"),
        ("question", "set", "staff", "--silent-weight", "0.4", "--new"),
        ("checkout-point", "set", "sofia-1", "desk", "--console", "till-1", "--new"),
        ("source", "enroll", "sofia-1/door", "--new"),
        ("shift", "import", "shifts.csv", "--new"),
        ("counts", "import", "counts.csv", "--new"),
        ("checkout-point", "import", "points.csv", "--new"),
        ("site", "import", "sites.csv", "--new"),
        ("console", "keys", "keys.json", "sofia-1/till-1", "--new"),
        ("site", "set", "sofia-1", "--timezone", "UTC"),
        ("console", "enroll", "sofia-1/till-1"),
        ("ingest", "recorded.ndjson"),
    ],
)
def test_a_database_is_made_where_that_is_wanted(office: Office, words: tuple[str, ...]) -> None:
    office.do(*words)
    assert isinstance(facts.sites(office.database), list)
