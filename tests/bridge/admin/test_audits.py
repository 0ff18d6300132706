"""Audits through the commands: drawn once, shown blind, judged by experts, reported with their weights."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from datetime import date
from math import isclose
from typing import TYPE_CHECKING, Any

import pytest

from bridge.admin.commands import DrawAudits, RecordVerdict
from bridge.errors import UsageError
from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.schema import schemas
from tests.support.writing import writing

if TYPE_CHECKING:
    from pathlib import Path


DAY, NEXT_DAY = "2025-11-12", "2025-11-13"
DAYS = ("--from", "2025-11-01", "--to", "2025-12-01")
OPENED = at(f"{DAY}T08:00:00+02:00")
OUTCOMES = {"yes": 20, "no": 5, "cant_say": 2, "silent": 60, "error": 4}
SHOWN = {
    *("audit_id", "site_id", "checkout_point_id", "console_id", "opened_at", "question_id", "clip", "hls", "note"),
}
"""All that an expert gets to know before his verdict."""


def till(console_id: str = "till-1", epoch: str = "0000abcd", site_id: str = "demo") -> OfficeTill:
    return OfficeTill(site_id, console_id, epoch, epoch, base_ms=at("2025-11-01T00:00:00+00:00"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A day of one seller with 91 surveys, at a till that stands at counter-1."""
    office = Office(tmp_path_factory.mktemp("made"))
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    recorded = till()
    recorded.surveys(OPENED, **OUTCOMES)
    office.take(recorded)
    office.do("checkout-point", "set", "demo", "counter-1", "--console", "till-1")
    office.shifts(f"demo,till-1,ann,Ann,{DAY}T07:00,{DAY}T20:00")
    return office


@pytest.fixture
def audited(made: Office, tmp_path: Path) -> Office:
    """The same, for one test alone."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    return Office(tmp_path)


def drawn(office: Office, *options: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        office.do("audit", "draw", "--from", DAY, "--to", NEXT_DAY, "--format", "json", *options)
    )
    return found


def listed(office: Office, *options: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(office.do("audit", "list", "--format", "json", *options))
    return checked("audit", rows)


def reported(office: Office, *options: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(office.do("audit", "report", *DAYS, "--format", "json", *options))
    return checked("audit_row", rows)


def checked(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Check that rows are as their schema says, and hold nothing else."""
    known = set(schemas.read(schemas.path_of(name))["properties"])
    for row in rows:
        schemas.validator(name).validate(row)
        assert set(row) <= known
    return rows


def judge_all(office: Office, verdict: str = "confirmed", by: str = "anna") -> None:
    for row in listed(office, "--by", by):
        office.do("audit", "judge", row["audit_id"], verdict, "--by", by)


def ids_on(office: Office, *options: object) -> list[int]:
    return [row["audit_id"] for row in listed(office, *options)]


# Drawing ----------------------------------------------------------------------------------------------------------


def test_a_day_is_drawn_by_a_recorded_seed_and_only_once(audited: Office) -> None:
    first = drawn(audited, "--seed", 481516, "--sample", 20)
    # 3 each of yes, no, silent and error, both of cant_say: 14; six more
    of_day = {"site_id": "demo", "day": DAY, "rule": None, "seller_id": None, "month": None}
    expected = {**of_day, "seed": 481516, "population": 91, "sample": 20}
    assert first == [{**expected, "why_not": None}]
    names = ids_on(audited)
    assert drawn(audited, "--seed", 7) == [{**expected, "why_not": "was drawn before"}]
    assert ids_on(audited) == names
    said = audited.do("audit", "draw", "--from", DAY, "--to", NEXT_DAY)
    assert f"demo: {DAY} was drawn before: 20 of 91 by seed 481516.\nNothing was added." in said
    assert "seed 481516, population 91, sample 20, seed_given_by_hand true" in audited.do("history", "--kind", "audit")


def test_the_same_seed_draws_the_same_on_a_copy_and_after_a_rebuild(audited: Office, tmp_path_factory: Any) -> None:
    other = Office(tmp_path_factory.mktemp("other"))
    audited.do("backup", other.database)
    drawn(audited, "--seed", 42)
    other.do("rebuild")
    drawn(other, "--seed", 42)
    assert listed(audited) == listed(other)
    before = listed(audited)
    audited.do("rebuild")
    assert listed(audited) == before


def test_at_least_three_of_each_seller_and_outcome_with_their_weights(audited: Office) -> None:
    audited.shifts(f"demo,till-1,ann,Ann,{DAY}T07:00,{DAY}T08:25", f"demo,till-1,bob,Bob,{DAY}T08:25,{DAY}T20:00")
    drawn(audited, "--sample", 1)
    rows = reported(audited, "--by", "seller,outcome")
    assert {row["seller_id"] for row in rows} == {"ann", "bob"}
    assert sum(row["surveys"] for row in rows) == 91
    assert all(row["audits"] == min(3, row["surveys"]) for row in rows)
    assert [row["seller_name"] for row in rows] == [row["seller_id"].title() for row in rows]
    judge_all(audited)
    judge_all(audited, by="boris")  # what is judged twice
    weights = {(row["seller_id"], row["outcome"]): row["weight"] for row in listed(audited, "--judged")}
    assert all(isclose(weights[row["seller_id"], row["outcome"]] * row["audits"], row["surveys"]) for row in rows)


def test_weights_stay_as_drawn_when_shifts_change(audited: Office) -> None:
    drawn(audited)
    before = reported(audited, "--by", "seller")
    audited.shifts(f"demo,till-1,bob,Bob,{DAY}T07:00,{DAY}T20:00")
    assert [(row["seller_id"], row["surveys"]) for row in before] == [("ann", 91)]
    assert reported(audited, "--by", "seller") == before


def test_yesterday_is_the_default_and_today_is_not_over(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    assert office.do("audit", "draw") == "There are no surveys on these days.\n"
    recorded = till()
    recorded.survey(at("2999-01-05T12:00:00+00:00"), "yes")
    office.take(recorded)
    said = office.do("audit", "draw", "--from", "2999-01-05", "--to", "2999-01-06")
    assert said == "demo: 2999-01-05 is not over yet.\n"
    assert listed(office) == []


def test_days_whose_footage_is_gone_are_not_drawn(audited: Office) -> None:
    audited.do("settings", "set", "--site", "demo", "footage_days=7", "audit_sample=12")
    said = audited.do("audit", "draw", "--from", DAY, "--to", NEXT_DAY)
    assert said == f"demo: {DAY} has no footage any more (footage_days is 7).\n"
    audited.do("settings", "set", "--site", "demo", "footage_days=default")
    assert drawn(audited)[0]["sample"] == 14  # three each are more than 12
    assert "corrected" not in audited.do("report", *DAYS)


def test_settings_of_audits_are_for_sites(audited: Office) -> None:
    result = audited.run("settings", "set", "--console", "demo/till-1", "audit_sample=12")
    assert (result.status, "applies to sites" in result.err) == (2, True)
    assert audited.run("settings", "set", "--all", "audit_sample=0").status == 2
    assert audited.run("settings", "set", "--all", "audit_sample=50", "footage_days=14").status == 0


def test_each_site_and_day_is_a_draw_of_its_own(audited: Office) -> None:
    other = till("till-9", "0000abcf", "plovdiv")
    other.surveys(at(f"{NEXT_DAY}T10:00:00+00:00"), yes=5)
    other.surveys(at("2025-11-14T10:00:00+00:00"), yes=5)
    audited.take(other)
    rows = json.loads(audited.do("audit", "draw", *DAYS, "--format", "json"))
    assert [(row["site_id"], row["day"], row["population"]) for row in rows] == [
        ("demo", DAY, 91),
        ("plovdiv", NEXT_DAY, 5),
        ("plovdiv", "2025-11-14", 5),
    ]
    assert len({row["seed"] for row in rows}) == 3
    assert {row["site_id"] for row in listed(audited, "--site", "plovdiv")} == {"plovdiv"}
    assert [row["site_id"] for row in reported(audited, "--by", "site,day")] == ["demo", "plovdiv", "plovdiv"]


NONSENSE = [
    (("draw", "--site", "dema"), "did you mean demo"),
    (("draw", "--sample", "0"), "--sample must be"),
    (("draw", "--seed", "-1"), "--seed must be"),
    (("draw", "--from", "2025-11-12"), "both --from DATE and --to DATE"),
    (("draw", "--period", "yesterday", "--from", "2025-11-12"), "not both"),
    (("draw", "--from", "2025-11-12", "--to", "2025-11-12"), "is not after"),
    (("list", "--site", "dema"), "did you mean demo"),
    (("list", "--by", ""), "--by must be"),
    (("list", "--by", "-"), "--by must be"),
    (("show", "9"), "There is no audit 9"),
    (("judge", "9", "confirmed"), "There is no audit 9"),
    (("judge", str(2**70), "confirmed"), "There is no audit"),
    (("judge", "1", "fine"), "'fine' is no verdict: give one of confirmed, no_customer"),
    (("clip", "9", "--out", "a.mp4"), "There is no audit 9"),
    (("keep", "9"), "There is no audit 9"),
    (("report",), "Say which days"),
    (("report", "--by", "colour", *DAYS), "'colour' is not a group"),
    (("calibrate", "demo"), "'demo' is not a checkout point"),
    (("calibrate", "demo/counter-9"), "did you mean demo/counter-1"),
    (("calibrate", "demo/counter-1"), "has no camera"),
    (("calibrate", "demo/counter-1", "--seen-at", "12:00:00"), "has no camera"),
]


def test_what_makes_no_sense_is_refused_in_one_sentence(audited: Office) -> None:
    for words, why in NONSENSE:
        result = audited.run("audit", *words)
        assert (result.status, result.err.count("\n")) == (2, 1), words
        assert why in result.err


def test_a_running_bridge_draws_and_knows_who_judged(audited: Office) -> None:
    with writing(audited.database) as writer:
        draw = DrawAudits(sites=["demo"], from_day=date(2025, 11, 12), to_day=date(2025, 11, 13))
        assert [each["sample"] for each in writer.perform(draw, who="anna")["draws"]] == [30]
        with pytest.raises(UsageError, match="There is no site dema"):
            writer.perform(DrawAudits(sites=["dema"]))
        writer.perform(RecordVerdict(audit_id=1, verdict="confirmed"), who="anna as root")
        writer.perform(RecordVerdict(audit_id=1, verdict="not_asked"), who="anna")  # she is the same
    assert [row["expert"] for row in listed(audited, "--judged", "--by", "anna")] == ["anna"]
    assert "anna  audit draw" in audited.do("history", "--kind", "audit")


# Blind ------------------------------------------------------------------------------------------------------------


def test_the_outcome_is_hidden_until_the_verdict(audited: Office) -> None:
    drawn(audited, "--seed", 3)
    rows = listed(audited, "--by", "anna")
    assert all(set(row) == SHOWN for row in rows)
    assert rows[0]["opened_at"].startswith(f"{DAY}T")
    assert rows[0]["opened_at"].endswith("+02:00")
    first = rows[0]["audit_id"]
    hidden = audited.do("audit", "show", first, "--by", "anna")
    assert "Outcome" not in hidden
    assert "ann" not in hidden.replace("anna", "")
    told = audited.do("audit", "judge", first, "confirmed", "--by", "anna", "--comment", "well seen")
    outcome = told.removeprefix(f"Audit {first}: confirmed. The outcome is ").removesuffix(".\n")
    assert outcome in OUTCOMES
    shown = audited.do("audit", "show", first, "--by", "anna")
    assert f"Outcome: {outcome}; seller: ann" in shown
    assert "well seen" in shown
    assert first not in ids_on(audited, "--by", "anna")
    assert [row["audit_id"] for row in listed(audited, "--judged", "--by", "anna")] == [first]


def test_the_clips_of_all_outcomes_are_equally_long(audited: Office) -> None:
    audited.do("camera", "set", "demo/counter-1", "--kind", "mediamtx", "--url", "http://nvr:9996")
    drawn(audited)
    assert {row["clip"].rpartition("duration=")[2] for row in listed(audited)} == {"30"}  # 10 s before, 20 s of window


def test_the_list_is_in_random_order(audited: Office) -> None:
    drawn(audited, "--seed", 3, "--sample", 40)
    times = [row["opened_at"] for row in listed(audited)]
    assert len(times) == 40
    assert times not in (sorted(times), sorted(times, reverse=True))


def test_a_tenth_is_judged_again_by_another_expert_who_does_not_know(audited: Office) -> None:
    drawn(audited, "--seed", 3, "--sample", 30)
    all_ids = ids_on(audited, "--by", "anna")
    judge_all(audited, "confirmed", "anna")
    assert ids_on(audited, "--by", "anna") == []
    assert ids_on(audited, "--by", " ANNA ") == []  # she is no other expert by capitals
    again = listed(audited, "--by", "boris")
    assert len(again) == 3
    assert {row["audit_id"] for row in again} < set(all_ids)
    assert all(set(row) == SHOWN for row in again)
    second, other, _ = (row["audit_id"] for row in again)
    assert "Outcome" not in audited.do("audit", "show", second, "--by", "boris")
    assert second not in {row["audit_id"] for row in listed(audited, "--judged", "--by", "boris")}
    audited.do("audit", "judge", second, "pressed_by_staff", "--by", "anna", "--comment", "her own hand")
    audited.do("audit", "judge", second, "confirmed", "--by", "anna", "--comment", "")
    by_outcome = reported(audited, "--by", "outcome")  # which would tell boris what his three are
    assert {row["twice"] for row in by_outcome} == {None}
    assert not any("second expert" in note for row in by_outcome for note in row["notes"])
    before = audited.do("history", "--kind", "audit") + audited.do("history", "--json")
    assert ("pressed_by_staff" in before, "her own hand" in before) == (False, False)
    assert "until a second expert has judged it" in before
    audited.do("audit", "judge", second, "not_asked", "--by", "boris")
    audited.do("audit", "judge", other, "confirmed", "--by", "boris")
    refused = audited.run("audit", "judge", second, "confirmed", "--by", "vera")
    assert (refused.status, "was judged by anna and boris" in refused.err) == (1, True)
    row = reported(audited)[0]
    assert (row["twice"], row["agreement"]["pairs"], row["agreement"]["value"]) == (3, 2, 0.5)
    assert row["bad"] == 0  # the first verdict counts
    assert "1 audit waits for a second expert" in row["notes"]
    assert any("two experts agree on 1 of 2" in note for note in row["notes"])
    assert any(note.startswith("2 of 2 second verdicts came from the login") for note in row["notes"])
    assert "pressed_by_staff" in audited.do("history", "--kind", "audit")


def test_what_is_judged_once_is_not_open_to_others(audited: Office) -> None:
    drawn(audited, "--seed", 3)
    once = next(iter(set(ids_on(audited)) - _twice(audited)))
    audited.do("audit", "judge", once, "confirmed", "--by", "anna")
    refused = audited.run("audit", "judge", once, "not_asked", "--by", "boris")
    assert (refused.status, "only they can change" in refused.err) == (1, True)


def _twice(office: Office) -> set[int]:
    """Return the audits that are judged twice: a copy where all are judged once shows them."""
    copy = Office(office.folder / "copy")
    copy.folder.mkdir()
    office.do("backup", copy.database)
    judge_all(copy, by="anna")
    return set(ids_on(copy, "--by", "boris"))


def test_a_changed_verdict_is_kept_in_the_history_and_told(audited: Office) -> None:
    drawn(audited)
    first = next(iter(set(ids_on(audited)) - _twice(audited)))  # a verdict that is to be judged again is not told yet
    audited.do("audit", "judge", first, "no_customer", "--comment", "dark")
    assert json.loads(audited.do("history", "--kind", "audit", "--json"))[1:] == []
    said = audited.do("audit", "judge", first, "confirmed")
    assert f"Audit {first}: confirmed (it was no_customer)." in said
    change = json.loads(audited.do("history", "--kind", "audit", "--json"))[-1]
    assert (change["before"]["verdict"], change["after"]["verdict"]) == ("no_customer", "confirmed")
    assert change["after"]["comment"] == "dark"
    assert "1 verdict was changed after the outcome was shown" in reported(audited)[0]["notes"]


# Reports ----------------------------------------------------------------------------------------------------------


def test_none_of_thirty_bad_still_allows_some(office: Office) -> None:
    recorded = till()
    recorded.surveys(OPENED, yes=300)
    office.take(recorded)
    drawn(office)
    assert reported(office)[0]["notes"] == ["no audit with footage is judged yet"]
    judge_all(office)
    row = reported(office)[0]
    assert (row["surveys"], row["audits"], row["judged"], row["open"], row["confirmed"]) == (300, 30, 30, 0, 30)
    assert row["error_rate"]["value"] == row["error_rate"]["low"] == 0
    assert isclose(row["error_rate"]["high"], 1 - 0.05 ** (1 / 30), rel_tol=1e-9)
    assert row["clean_needed"] == 29
    assert row["notes"][0] == ("none of 30 bad: up to 9.5 % may be; 29 more clean ones would show that at most 5 % are")
    assert "none of 30 bad: up to 9.5 % may be" in office.do("audit", "report", *DAYS)


def test_the_error_rate_has_the_weights_of_the_draw(audited: Office) -> None:
    drawn(audited, "--seed", 9, "--sample", 20)
    judged: dict[int, str] = {}
    for number, audit_id in enumerate(ids_on(audited)):
        judged[audit_id] = ("confirmed", "not_asked", "no_footage", "confirmed", "no_customer")[number % 5]
        audited.do("audit", "judge", audit_id, judged[audit_id])
    rows = listed(audited, "--judged")
    sizes = Counter(row["outcome"] for row in rows)
    weights = {row["audit_id"]: OUTCOMES[row["outcome"]] / sizes[row["outcome"]] for row in rows}
    seen = {audit_id: weight for audit_id, weight in weights.items() if judged[audit_id] != "no_footage"}
    bad = sum(weight for audit_id, weight in seen.items() if judged[audit_id] in {"not_asked", "no_customer"})
    row = reported(audited)[0]
    assert isclose(row["error_rate"]["value"], bad / sum(seen.values()))
    assert isclose(row["effective_audits"], sum(seen.values()) ** 2 / sum(w * w for w in seen.values()))
    assert (row["no_footage"], row["bad"], row["not_asked"], row["no_customer"]) == (4, 8, 4, 4)
    assert any(note.startswith("4 of 20 judged had no footage and are not counted") for note in row["notes"])
    assert sum(row["bad"] for row in reported(audited, "--by", "outcome")) == 8


def test_all_formats(audited: Office) -> None:
    assert audited.do("audit", "list") == "No audit waits for a verdict: draw some with `trivox audit draw`.\n"
    assert audited.do("audit", "report", *DAYS) == "No survey of these days was drawn: see `trivox audit draw`.\n"
    drawn(audited, "--sample", 14)
    judge_all(audited)
    for words in (("list", "--judged"), ("report", *DAYS, "--by", "seller,outcome")):
        rows = list(csv.DictReader(io.StringIO(audited.do("audit", *words, "--format", "csv"))))
        assert len(rows) == len(json.loads(audited.do("audit", *words, "--format", "json"))) > 3
    table = audited.do("audit", "report", *DAYS, "--by", "outcome")
    assert "cant_say" in table
    assert "random sample" in table
    assert "(1) none of" in table
    assert reported(audited, "--by", "week,month")[0]["week"] == "2025-W46"


def test_what_outside_text_holds_steers_nothing(audited: Office) -> None:
    drawn(audited)
    first = ids_on(audited)[0]
    audited.do("audit", "judge", first, "confirmed", "--comment", "=1+1\x1b[2J")
    assert "\x1b" not in audited.do("audit", "show", first) + audited.do("audit", "list", "--judged", "--format", "csv")
    assert "'=1+1" in audited.do("audit", "list", "--judged", "--format", "csv")


def test_surveys_come_late_and_the_draw_stands(audited: Office) -> None:
    drawn(audited)
    late = till("till-2", "0000abce")
    late.surveys(OPENED + MINUTE_MS, yes=10)
    audited.take(late)
    assert drawn(audited)[0]["why_not"] == "was drawn before"
    assert any("10 surveys of these days came after they were drawn" in note for note in reported(audited)[0]["notes"])
