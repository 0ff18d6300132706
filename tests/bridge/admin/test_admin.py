"""Test key questions, settings, sites, checkout points and shifts, set as a manager sets them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge.wire import settings as wire_settings
from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.schema import schemas
from tests.support import facts, planted

SCHEMA = Path(__file__).parents[3] / "schema"
NINE = at("2026-11-02T09:00+00:00")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Make an office whose only console, demo/till-1, has been heard."""
    office = Office(tmp_path)
    till = OfficeTill()
    till.survey(NINE, "yes")
    office.take(till)
    return office


def settings_of(office: Office, console: str = "demo/till-1") -> dict[str, Any] | None:
    """Return the newest settings made for a console."""
    site_id, console_id = console.split("/")
    sent = facts.settings_sent(office.database, "revision", "payload", site_id=site_id, console_id=console_id)
    if not sent:
        return None
    revision, text = sent[-1]
    payload: dict[str, Any] = json.loads(text)
    assert payload["revision"] == revision
    return payload


def heard(office: Office, site: str, console: str) -> None:
    till = OfficeTill(site_id=site, console_id=console)
    till.survey(NINE, "yes")
    office.take(till)


def health(office: Office, revision: int) -> None:
    payload = {"epoch": "0000abcd", "hardware_id": "c0ffee", "settings_revision": revision}
    message = {"topic": "trivox/v1/demo/till-1/health", "payload": payload, "received_at_ms": NINE + MINUTE_MS}
    office.take_messages([message])


# Key questions ----------------------------------------------------------------------------------------------------


def test_a_new_database_knows_three_questions(office: Office) -> None:
    text = office.do("question", "list")
    assert re.findall(r"^(\w+), revision 1, (\w+), silent weight 0.5 \(not estimated\)", text, re.MULTILINE) == [
        ("loyalty", "loyalty"),
        ("office", "office"),
        ("staff", "personnel"),
    ]
    assert len(re.findall(r"^ {2}(en|ru|bg): ", text, re.MULTILINE)) == 9


def test_a_question_is_defined_and_given_to_a_console(office: Office) -> None:
    text = ["--text", "en=Was the queue short?", "--text", "ru=Была ли очередь короткой?"]
    office.do("question", "set", "queue", "--kind", "office", *text, "--console", "demo/till-1")
    payload = settings_of(office)
    assert payload is not None
    assert payload["question"] == {
        "id": "queue",
        "revision": 1,
        "kind": "office",
        "text": {"en": "Was the queue short?", "ru": "Была ли очередь короткой?"},
    }


def test_a_changed_text_is_a_new_revision_above_any_reported(office: Office) -> None:
    till = OfficeTill(epoch="0000beef")
    till.survey(NINE, "yes", "staff", 6)
    office.take(till)
    assert settings_of(office) is None
    office.do("question", "set", "staff", "--text", "en=Are you happy with Elena?")
    first = settings_of(office)
    assert first is not None
    assert (
        first["question"]["revision"] == 7
    )  # all consoles ask `staff`, so this one gets settings though nothing was chosen
    office.do("question", "set", "staff", "--text", "en=Are you happy with Elena?")
    assert settings_of(office) == first
    office.do("question", "set", "staff", "--silent-weight", "0.3")
    assert settings_of(office) == first


def test_a_revision_that_leaves_no_room_for_new_ones_is_told_and_not_counted_on_from(office: Office) -> None:
    till = OfficeTill(epoch="0000beef")
    till.survey(NINE, "yes", "staff", 2**31 - 1)
    office.take(till)
    planted.revision_too_high(office.database, "staff")  # by an older bridge
    office.do("question", "set", "staff", "--text", "en=Are you happy with Elena?")
    settings = settings_of(office)
    assert settings is not None
    assert settings["question"]["revision"] == 2
    told = office.run("doctor").out
    assert "key question staff came under revision 2147483647" in told
    office.do("question", "set", "staff", "--text", "en=Are you happy with Ivan?")
    assert "revision 3" in office.do("question", "list")


def test_every_change_of_weight_stays_in_the_history(office: Office) -> None:
    office.do("question", "set", "staff", "--silent-weight", 0.4, "--silent-weight-origin", "calls")
    office.do("question", "set", "staff", "--silent-weight-on", "2026-11-01")
    office.do("question", "set", "staff", "--silent-weight-on", "2026-11-01")
    found = facts.questions_changed(office.database, "silent_weight", "silent_weight_origin", "silent_weight_on")
    today = found[0][2]
    assert found == [(0.4, "calls", today), (0.4, "calls", "2026-11-01")]
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", today)
    office.do("question", "set", "staff", "--silent-weight", 0.6)  # a new value does not keep the old one's origin
    assert "0.6 (origin not stated" in office.do("question", "list")


@pytest.mark.parametrize(
    "arguments",
    [
        ("new", "--text", "en=Text"),
        ("new", "--kind", "office"),
        ("Staff", "--kind", "office", "--text", "en=x"),
        ("staff", "--kind", "mood"),
        ("staff", "--silent-weight", "1.1"),
        ("staff", "--silent-weight", "nan"),
        ("staff", "--silent-weight", "much"),
        ("staff", "--silent-weight-on", "today"),
        ("staff", "--text", "no language"),
        ("staff", "--text", "en=" + "x" * 301),
        ("staff", "--console", "till-1"),
        ("staff", "--all", "--site", "demo"),
    ],
)
def test_wrong_questions_are_refused_in_one_sentence(office: Office, arguments: tuple[str, ...]) -> None:
    result = office.run("question", "set", *arguments)
    assert result.status == 2
    assert result.err.count("\n") == 1
    assert facts.questions_changed(office.database) == []


# Settings ---------------------------------------------------------------------------------------------------------


def test_a_console_gets_no_settings_until_something_is_chosen(office: Office) -> None:
    assert settings_of(office) is None
    office.do("settings", "set", "--all", "survey_window_ms=15000")
    payload = settings_of(office)
    assert payload is not None
    assert (payload["revision"], payload["survey_window_ms"], payload["long_press_ms"]) == (1, 15000, 1500)
    assert payload["question"]["id"] == "staff"


def test_the_console_wins_over_its_site_and_the_site_over_all(office: Office) -> None:
    heard(office, "demo", "till-2")
    heard(office, "shop", "till-1")
    office.do("settings", "set", "--console", "demo/till-1", "ask_every=3")
    office.do("settings", "set", "--site", "demo", "ask_every=2", "prompt=none")
    office.do("settings", "set", "--all", "ask_every=1", "prompt=track:7")
    found = {name: settings_of(office, name) or {} for name in ("demo/till-1", "demo/till-2", "shop/till-1")}
    assert {name: (p["ask_every"], p["prompt"]) for name, p in found.items()} == {
        "demo/till-1": (3, "none"),
        "demo/till-2": (2, "none"),
        "shop/till-1": (1, "track:7"),
    }
    office.do("settings", "set", "--site", "demo", "--console", "till-1", "ask_every=default")
    assert (settings_of(office) or {})["ask_every"] == 2
    listed = office.do("settings", "list").splitlines()
    assert listed == ["all: ask_every=1", "all: prompt=track:7", "demo: ask_every=2", "demo: prompt=none"]


def test_a_revision_is_made_only_if_something_changes(office: Office) -> None:
    heard(office, "shop", "till-1")
    office.do("settings", "set", "--all", "ask_every=2")
    office.do("settings", "set", "--all", "ask_every=2")
    office.do("settings", "set", "--site", "shop", "ask_every=4")
    assert (settings_of(office) or {})["revision"] == 1
    assert (settings_of(office, "shop/till-1") or {})["revision"] == 2


def test_a_console_that_comes_later_gets_its_settings_at_once(office: Office) -> None:
    office.do("settings", "set", "--site", "shop", "ask_every=4", "--new")
    assert settings_of(office, "shop/till-1") is None
    heard(office, "shop", "till-1")
    assert (settings_of(office, "shop/till-1") or {})["ask_every"] == 4


def test_a_console_first_named_by_a_shift_or_a_place_gets_its_settings_too(office: Office) -> None:
    office.do("settings", "set", "--all", "ask_every=4")
    office.shifts("shop,till-1,elena,Elena,2026-11-02T08:00,2026-11-02T17:00", options=("--new",))
    office.do("checkout-point", "set", "shop", "cash", "--console", "till-2", "--new")
    for console in ("till-1", "till-2"):
        heard(office, "shop", console)
        assert (settings_of(office, f"shop/{console}") or {})["ask_every"] == 4


def test_settings_wait_for_a_console_that_was_never_heard(office: Office) -> None:
    office.do("settings", "set", "--console", "shop/till-5", "ask_every=4", "--new")
    first = settings_of(office, "shop/till-5")
    assert first is not None
    heard(office, "shop", "till-5")
    assert settings_of(office, "shop/till-5") == first


def test_revisions_continue_from_what_the_console_reports(office: Office) -> None:
    office.do("settings", "set", "--all", "ask_every=2")
    health(office, 12)
    payload = settings_of(office)
    assert payload is not None
    assert (payload["revision"], payload["ask_every"]) == (13, 2)
    health(office, 13)
    assert (settings_of(office) or {})["revision"] == 13


def test_the_bridges_own_settings_are_sent_to_no_console(office: Office) -> None:
    office.do("settings", "set", "--all", "force_majeure_scope_s=300", "force_majeure_level_max=0.2")
    assert settings_of(office) is None
    row = office.rows("site")[0]
    assert (row["settings"]["force_majeure_scope_s"], row["settings"]["force_majeure_level_max"]) == (300, 0.2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask_every=2",),
        ("--all",),
        ("--all", "ask_every"),
        ("--all", "ask_every=0"),
        ("--all", "ask_every=1001"),
        ("--all", "ask_every=2.5"),
        ("--all", "survey_window_ms=199"),
        ("--all", "prompt=track:256"),
        ("--all", "prompt=song"),
        ("--all", "volume=3"),
        ("--all", "question_id=riddle"),
        ("--all", "stuck_ms=1000"),
        ("--all", "force_majeure_level_max=1.5"),
        ("--site", "demo", "force_majeure_scope_s=60"),
        ("--site", "DEMO", "ask_every=2"),
        ("--all", "ask_every=2", "ask_every=3"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(office: Office, arguments: tuple[str, ...]) -> None:
    result = office.run("settings", "set", *arguments)
    assert result.status == 2
    assert result.err.count("\n") == 1
    assert facts.settings(office.database) == []


def test_a_stuck_time_too_short_at_some_site_is_refused_for_all(office: Office) -> None:
    office.do("settings", "set", "--site", "shop", "long_press_ms=9000", "--new")
    result = office.run("settings", "set", "--all", "stuck_ms=8000")
    assert result.status == 2
    assert "shop" in result.err


def test_ranges_and_defaults_are_those_of_the_schema() -> None:
    properties = json.loads((SCHEMA / "settings.json").read_text("utf-8"))["properties"]
    for name, (low, high, default) in wire_settings.RANGES.items():
        if name not in wire_settings.BRIDGE_SETTINGS:
            of = properties.pop(name)
            assert (of["minimum"], of["maximum"], of["default"]) == (low, high, default)
    assert properties["prompt"]["default"] == wire_settings.DEFAULTS["prompt"]
    assert properties["prompt"]["pattern"] == f"^({wire_settings.PROMPT.pattern})$"
    assert set(properties) == {"revision", "question", "prompt"}


def test_settings_for_consoles_follow_the_schema(office: Office) -> None:
    office.do("settings", "set", "--all", "prompt=track:255", "question_id=loyalty", "reopen_guard_ms=0")
    schemas.validator("settings").validate(settings_of(office))


# Sites and checkout points ----------------------------------------------------------------------------------------


def points(office: Office) -> list[tuple[str | None, int]]:
    rows = office.rows("checkout_point", from_day="2026-01-01", to_day="2028-01-01")
    return [(row["checkout_point_id"], row["surveys"]) for row in rows]


def test_a_first_placement_holds_since_the_first_event(office: Office) -> None:
    assert points(office) == [(None, 1)]
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    assert points(office) == [("cash", 1)]


def test_a_later_placement_holds_since_today(office: Office) -> None:
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    office.do("checkout-point", "set", "demo", "desk", "--console", "till-1")
    assert points(office) == [("cash", 1)]  # the survey is older than today


def test_a_placement_with_a_day_holds_since_that_local_day(office: Office) -> None:
    till = OfficeTill(epoch="0000beef")
    till.survey(at("2026-11-09T23:59+02:00"), "yes")
    till.survey(at("2026-11-10T00:00+02:00"), "yes")
    office.take(till)
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1", "--from", "2026-11-10")
    assert points(office) == [("cash", 1), (None, 2)]


def test_a_placement_may_come_before_the_console_is_heard(office: Office) -> None:
    office.do("checkout-point", "set", "shop", "cash", "--console", "till-1", "--new")
    heard(office, "shop", "till-1")
    assert points(office) == [(None, 1), ("cash", 1)]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("site", "set", "demo", "--timezone", "Europe/Sofa"), 2),
        (("site", "set", "demo", "--timezone", "../../etc/passwd"), 2),
        (("site", "set", "De mo", "--timezone", "UTC"), 2),
        (("checkout-point", "set", "demo", "cash", "--console", "Till"), 2),
        (("checkout-point", "set", "demo", "cash", "--console", "till-1", "--from", "Monday"), 2),
        (("checkout-point", "set", "demo", "", "--console", "till-1"), 2),
    ],
)
def test_wrong_sites_and_places_are_refused(office: Office, arguments: tuple[str, ...], status: int) -> None:
    result = office.run(*arguments)
    assert result.status == status
    assert result.err.count("\n") == 1


# Shifts -----------------------------------------------------------------------------------------------------------


def sellers(office: Office) -> dict[str | None, int]:
    return {row["seller_id"]: row["surveys"] for row in office.rows("seller")}


def test_the_same_console_and_start_replaces_a_shift(office: Office) -> None:
    assert office.shifts("demo,till-1,elena,Elena,2026-11-02T08:00,2026-11-02T17:00").status == 0
    assert sellers(office) == {"elena": 1}
    assert office.shifts("demo,till-1,ivan,Ivan,2026-11-02T08:00,2026-11-02T08:30").status == 0
    assert sellers(office) == {None: 1}


def test_shifts_may_touch_but_not_overlap(office: Office) -> None:
    assert office.shifts("demo,till-1,elena,Elena,2026-11-02T08:00,2026-11-02T12:00").status == 0
    assert office.shifts("demo,till-1,ivan,Ivan,2026-11-02T12:00,2026-11-02T17:00").status == 0
    heard(office, "demo", "till-2")
    assert office.shifts("demo,till-2,ivan,Ivan,2026-11-02T09:00,2026-11-02T17:00").status == 0
    result = office.shifts("demo,till-1,maria,Maria,2026-11-02T11:59,2026-11-02T12:00")
    assert result.status == 1
    assert "line 2: the shift overlaps one of elena" in result.err
    result = office.shifts(
        "demo,till-1,maria,Maria,2026-11-03T08:00,2026-11-03T12:00",
        "demo,till-1,maria,Maria,2026-11-03T11:00,2026-11-03T13:00",
    )
    assert "line 3: the shift overlaps the one in line 2" in result.err
    morning = "2026-11-03T08:00,2026-11-03T12:00"
    result = office.shifts(f"demo,till-1,maria,Maria,{morning}", f"demo,till-1,vera,Vera,{morning}")
    assert "line 3: the shift overlaps the one in line 2" in result.err, "no line takes another's place in silence"
    assert len(facts.shifts(office.database)) == 3


def test_times_without_an_offset_are_in_the_sites_time_zone(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    office.shifts("demo,till-1,elena,Elena,2026-11-02T11:00,2026-11-02T11:01")  # 9:00 UTC
    assert sellers(office) == {"elena": 1}
    office.shifts("demo,till-1,ivan,Ivan,2026-11-02T10:00:00+01:00,2026-11-02T09:01:00Z")  # the same start
    assert sellers(office) == {"ivan": 1}


def test_hours_that_summer_time_skips_or_repeats_are_refused(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    result = office.shifts("demo,till-1,elena,Elena,2026-03-29T03:30,2026-03-29T11:00")
    assert result.status == 1
    assert "does not exist in Europe/Sofia" in result.err
    result = office.shifts("demo,till-1,elena,Elena,2026-10-25T03:30,2026-10-25T11:00")
    assert "line 2: 2026-10-25 03:30:00 comes twice in Europe/Sofia" in result.err
    assert "give its offset, as 2026-10-25T03:30+03:00 or 2026-10-25T03:30+02:00" in result.err
    assert office.shifts("demo,till-1,elena,Elena,2026-03-29T01:00,2026-03-29T03:00").status == 0
    assert facts.shifts(office.database, "ended_at_ms") == [at("2026-03-29T04:00+03:00")], "as the clock jumps"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("demo,till-1,elena,Elena,2026-11-02T12:00,2026-11-02T12:00", "end after it starts"),
        ("demo,till-1,elena,Elena,2026-11-02T12:00,noon", "not a time"),
        ("demo,till-1,,Elena,2026-11-02T12:00,2026-11-02T13:00", "seller_id"),
        ("demo,Till,elena,Elena,2026-11-02T12:00,2026-11-02T13:00", "console_id"),
        ("demo,till-1,elena,2026-11-02T12:00,2026-11-02T13:00", "values"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_imported(office: Office, line: str, word: str) -> None:
    good = "demo,till-1,ivan,Ivan,2026-11-02T08:00,2026-11-02T10:00"
    result = office.shifts(good, line, "shop,till-1,x,X,never,never")
    assert result.status == 1
    assert "line 3: " in result.err
    assert "line 4: " in result.err
    assert word in result.err
    assert sellers(office) == {None: 1}
    assert facts.sellers(office.database) == []


def test_a_file_without_the_right_columns_is_refused(office: Office) -> None:
    for text, word in (
        ("site_id,console_id,seller_id,seller_name,started_at\n", "ended_at is missing"),
        ("site_id;console_id\n", "seller_id is missing"),
        ("", "site_id is missing"),
        ("site_id,console_id,seller_id,seller_name,started_at,ended_at,mood\n", "no column 'mood'"),
    ):
        result = office.run("shift", "import", office.file("shifts.csv", text))
        assert result.status == 1
        assert word in result.err
    assert office.run("shift", "import", office.folder / "nowhere.csv").status == 1
    (office.folder / "latin.csv").write_bytes("Müller".encode("latin-1"))
    assert "UTF-8" in office.run("shift", "import", office.folder / "latin.csv").err


def test_rollups_follow_shifts_places_and_zones_as_a_rebuild_would_have_them(office: Office) -> None:
    office.shifts("demo,till-1,elena,Elena,2026-11-02T08:00,2026-11-02T17:00")
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    before = facts.derived(office.database)
    office.do("rebuild")
    assert facts.derived(office.database) == before


def test_another_kind_is_a_new_revision_and_old_surveys_keep_theirs(office: Office) -> None:
    till = OfficeTill()
    till.surveys(at("2026-11-03T09:00+00:00"), yes=30)
    till.surveys(at("2026-11-04T09:00+00:00"), revision=2, yes=40)
    office.take(till)
    office.do("site", "set", "demo", "--timezone", "UTC")
    before = office.rows("question", "--to", "2026-11-04")
    assert "revision 3" in office.do("question", "set", "staff", "--kind", "loyalty")
    (row,) = office.rows("question", "--to", "2026-11-04")
    assert [row] == before
    till.surveys(at("2026-11-05T09:00+00:00"), revision=3, yes=50)
    office.take(till)
    assert [(row["question_revision"], row["kind"], row["surveys"]) for row in office.rows("question")] == [
        (1, "personnel", 30),
        (2, "personnel", 40),
        (3, "loyalty", 50),
    ]
    merged = office.rows("question", "--merge-revisions")
    assert [(row["kind"], row["surveys"]) for row in merged] == [("loyalty", 50), ("personnel", 70)]


def test_a_first_placement_holds_however_early_late_events_are(office: Office) -> None:
    till = OfficeTill()
    till.survey(at("2026-11-03T09:00+00:00"), "yes")
    later = till.messages()
    earlier = OfficeTill(epoch="0000beef")
    earlier.survey(at("2026-11-02T09:00+00:00"), "no")
    office.take_messages(later)
    office.do("checkout-point", "set", "demo", "counter-1", "--console", "till-1")
    office.take(earlier)
    assert [(row["checkout_point_id"], row["surveys"]) for row in office.rows("checkout_point")] == [("counter-1", 2)]


def test_two_counts_with_the_same_id_are_refused(office: Office) -> None:
    line = "demo,till,transactions,2026-11-03T09:00,2026-11-03T10:00,"
    head = "site_id,source_id,kind,from,to,count\n"
    result = office.run("counts", "import", office.file("counts.csv", f"{head}{line}5\n{line}7\n"))
    assert result.status == 1
    assert "line 3" in result.err
    assert facts.counts(office.database) == []


def test_revisions_do_not_continue_from_one_that_no_console_can_use(office: Office) -> None:
    till = OfficeTill()
    till.survey(at("2026-11-03T09:00+00:00"), "yes")
    office.take(till)
    health = {"epoch": till.epoch, "hardware_id": "c0ffee", "settings_revision": 2**31 - 1}
    topic = "trivox/v1/demo/till-1/health"
    office.take_messages([{"topic": topic, "payload": health, "received_at_ms": at("2026-11-03T10:00+00:00")}])
    office.do("settings", "set", "--all", "ask_every=5")
    assert facts.settings_sent(office.database, "revision") == [1]


def test_texts_that_consoles_can_not_read_are_refused(office: Office) -> None:
    texts = [word for number in range(13) for word in ("--text", f"l{number}=" + "ы" * 300)]
    result = office.run("question", "set", "staff", *texts)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "shorten" in result.err


# Languages --------------------------------------------------------------------------------------------------------


def texts_of(office: Office) -> dict[str, str]:
    return dict(re.findall(r"^  ([\w-]+): (.*)$", office.do("question", "list").split("staff,")[1], re.MULTILINE))


def test_languages_that_are_not_named_keep_their_texts(office: Office) -> None:
    before = texts_of(office)
    assert set(before) == {"en", "ru", "bg"}
    office.do("question", "set", "staff", "--text", "EN=Were you served well?", "--text", "de=Zufrieden?")
    assert texts_of(office) == {**before, "en": "Were you served well?", "de": "Zufrieden?"}
    office.do(
        "question", "set", "staff", "--drop-language", "ru", "--drop-language", "DE", "--text", "bg=Доволни ли сте?"
    )
    assert texts_of(office) == {"en": "Were you served well?", "bg": "Доволни ли сте?"}
    office.do("question", "set", "staff", "--drop-language", "en")
    assert texts_of(office) == {"bg": "Доволни ли сте?"}
    assert "staff, revision 4" in office.do("question", "list")
    assert "revision 4;" in office.do("question", "set", "staff", "--text", "bg=Доволни ли сте?")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--drop-language", "en", "--drop-language", "ru", "--drop-language", "bg"), "at least one language"),
        (("--drop-language", "de"), "There is no text in 'de' to drop: the question has en, ru, bg"),
        (("--drop-language", "ru", "--text", "RU=Довольны?"), "'ru' gets a text and is dropped at once"),
    ],
)
def test_a_language_that_cannot_be_dropped_is_told(office: Office, arguments: tuple[str, ...], words: str) -> None:
    result = office.run("question", "set", "staff", *arguments)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert words in result.err
    assert set(texts_of(office)) == {"en", "ru", "bg"}
