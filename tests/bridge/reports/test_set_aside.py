"""Surveys that a manager sets aside leave the figures, are told of with both figures, and come back."""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING

import pytest

from tests.bridge.office import Office, OfficeTill, at
from tests.support import planted

if TYPE_CHECKING:
    from pathlib import Path

RULE, SELLER, MONTH = "fast_yes", "anna", "2026-11"
SHIFT = "demo,till-1,anna,Anna,2026-11-02T08:00:00,2026-11-02T20:00:00"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Return one with 100 surveys of Anna, 40 of them yes, of which a rule watches 25."""
    office = Office(tmp_path)
    till = OfficeTill()
    till.surveys(at("2026-11-02T09:00+00:00"), yes=40, no=10, silent=50)
    office.do("site", "set", "demo", "--timezone", "UTC")
    office.take(till)
    assert office.shifts(SHIFT).status == 0
    planted.flag_result(office.database, MONTH, SELLER, RULE, "yes", count=25)
    return office


def set_aside(office: Office) -> str:
    return office.do("flags", "set-surveys-aside", RULE, SELLER, "--month", MONTH, "--reason", "pressed himself")


def test_a_row_says_what_was_set_aside_with_both_figures(office: Office) -> None:
    (before,) = office.rows("seller")
    assert "25 surveys" in set_aside(office)
    (row,) = office.rows("seller")
    assert (row["surveys"], row["yes"], row["no"], row["silent"]) == (75, 15, 10, 50)
    assert (row["set_aside"], row["left_out"], row["flags"]) == (25, 25, [])
    assert isclose(row["dissatisfaction_index"]["value"], (10 + 25) / 75)
    assert row["index_with_set_aside"] == before["dissatisfaction_index"]
    assert (before["set_aside"], before["index_with_set_aside"]) == (0, None)
    (note,) = row["notes"]
    assert note.startswith("25 surveys set aside by ")
    assert "(fast_yes: pressed himself); with them the index is 0.35" in note


@pytest.mark.parametrize("by", ["site", "console", "day", "question", "site,month"])
def test_each_kind_of_row_leaves_them_out(office: Office, by: str) -> None:
    set_aside(office)
    (row,) = office.rows(by)
    assert (row["surveys"], row["set_aside"], row["flags"]) == (75, 25, [])


def test_by_the_hour_each_row_has_its_own(office: Office) -> None:
    set_aside(office)
    rows = office.rows("hour")
    assert [(row["surveys"] + row["set_aside"], row["set_aside"]) for row in rows] == [(100, 25)]


def test_they_come_back_and_the_history_keeps_both(office: Office) -> None:
    (before,) = office.rows("seller")
    set_aside(office)
    office.do("rebuild")
    assert office.rows("seller")[0]["set_aside"] == 25, "a rebuild brings nothing back"
    office.do("flags", "take-surveys-back", RULE, SELLER)
    (after,) = office.rows("seller")
    assert after == before
    told = office.do("history", "--kind", "flagged_surveys")
    assert "pressed himself" in told
    assert "flags take-surveys-back" in told


def test_what_is_set_aside_follows_its_seller(office: Office) -> None:
    set_aside(office)
    assert office.shifts(SHIFT.replace("anna,Anna", "boris,Boris")).status == 0
    (row,) = office.rows("seller")
    assert (row["seller_id"], row["surveys"], row["set_aside"]) == ("boris", 75, 25)


def test_force_majeure_and_a_manager_take_nothing_out_twice(office: Office) -> None:
    till = OfficeTill(console_id="till-2", epoch="0000abce", hardware_id="c0ffef")
    till.force_majeure(at("2026-11-02T08:59+00:00"))
    till.surveys(at("2026-11-02T09:00+00:00"), yes=5)
    till.surveys(at("2026-11-02T14:00+00:00"), no=40)
    office.take(till)
    assert office.shifts(SHIFT.replace("till-1,anna,Anna", "till-2,carla,Carla")).status == 0
    planted.flag_result(office.database, MONTH, "carla", RULE, "yes")
    office.do("flags", "set-surveys-aside", RULE, "carla", "--reason", "ghosts")
    for rule, surveys, aside, left_out in (("without", 40, 0, 5), ("with", 40, 5, 5), ("only", 0, 5, 45)):
        (row,) = office.rows("seller", "--force-majeure", rule, "--seller", "carla")
        assert (row["surveys"], row["set_aside"], row["left_out"]) == (surveys, aside, left_out), rule


def test_a_flag_that_stands_is_in_each_row_of_its_time(office: Office) -> None:
    planted.flag_result(office.database, "2026-10", SELLER, "errors", "no", level="flag")
    assert office.rows("seller")[0]["flags"] == [], "one month is not enough"
    planted.flag_result(office.database, MONTH, SELLER, "errors", "no", level="flag")
    for by in ("seller", "seller,day", "site,seller"):
        (row,) = office.rows(by)
        assert row["flags"] == [{"rule": "errors", "version": 1, "level": "flag", "since": "2026-10"}], by
        assert any(note.startswith("flagged by errors") for note in row["notes"])
    assert office.rows("site")[0]["flags"] == []
    compared = office.do("compare", "--by", "seller", "--from", "2026-11-01", "--to", "2026-12-01", "--format", "json")
    assert "anna is flagged by errors since 2026-10" in compared
    office.do("flags", "set-aside", "errors", SELLER, "--reason", "the till was broken")
    assert office.rows("seller")[0]["flags"] == []


def test_a_month_that_is_flagged_alone_stands_on_nobody_and_is_said_in_its_rows(office: Office) -> None:
    def told(*options: str, by: str = "seller", from_day: str = "2026-11-01") -> list[str]:
        (row,) = office.rows(by, *options, from_day=from_day, to_day="2026-12-01")
        assert row["flags"] == []
        return [note for note in row["notes"] if "look unusual" in note]

    assert told() == [], "a watch draws audits and has no other consequence"
    planted.flag_result(office.database, MONTH, SELLER, "errors", "no", level="flag")
    (note,) = told(by="seller,day")
    assert note.startswith("the data of 2026-11 look unusual by errors (surveys that ended as an error); a flag stands")
    assert told(by="site") == []
    office.do("flags", "set-aside", "errors", SELLER, "--month", MONTH, "--reason", "the till was broken")
    assert told() == []
    office.do("flags", "take-back", "errors", SELLER, "--month", MONTH)
    assert told() == [note]


def test_a_comparison_and_a_chart_say_so(office: Office) -> None:
    set_aside(office)
    compared = office.do("compare", "--by", "seller", "--from", "2026-11-01", "--to", "2026-12-01", "--format", "json")
    assert "25 surveys set aside by a manager" in compared
    chart = office.do("chart", "--by", "seller", "--from", "2026-11-01", "--to", "2026-12-01", "--format", "json")
    assert "25 surveys set aside" in chart
