"""Watches and flags draw 30 audits of the surveys that they concern, which may end a flag."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from bridge.store import flags, open_store
from tests.bridge.office import Office, OfficeTill, at
from tests.support import planted

if TYPE_CHECKING:
    from bridge.model.flags.standing import Standing

DAY, NEXT_DAY, MONTH = "2025-11-12", "2025-11-13", "2025-11"
IN_NOVEMBER = ("--from", "2025-11-01", "--to", "2025-12-01")


@pytest.fixture
def shopful(office: Office) -> Office:
    """Ann's surveys of 12 November, 40 yes and 40 silents, and 40 yes on the 20th."""
    office.do("site", "set", "demo", "--timezone", "UTC")
    till = OfficeTill(base_ms=at("2025-11-01T00:00:00+00:00"))
    till.surveys(at(f"{DAY}T08:00:00+00:00"), yes=40, silent=40)
    till.surveys(at("2025-11-20T08:00:00+00:00"), yes=40)
    office.take(till)
    office.shifts(f"demo,till-1,ann,Ann,{DAY}T07:00,2025-11-21T20:00")
    return office


def draw(office: Office, *options: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(office.do("audit", "draw", "--format", "json", *(options or IN_NOVEMBER)))
    return [row for row in rows if row["why_not"] is None]


def by_rule(office: Office) -> dict[str | None, dict[str, Any]]:
    rows = json.loads(office.do("audit", "report", *IN_NOVEMBER, "--format", "json"))
    return {row["rule"]: row for row in rows}


def test_a_watch_draws_thirty_once_and_is_reported_apart(shopful: Office) -> None:
    draw(shopful)  # the days, before the watch
    before = by_rule(shopful)
    planted.flag_result(shopful.database, MONTH, "ann", "fast_yes", "yes")
    (row,) = draw(shopful, *IN_NOVEMBER, "--seed", 5)
    undrawn = 80 - _drawn(shopful, "yes", before)
    assert (row["site_id"], row["rule"], row["seller_id"], row["month"]) == ("demo", "fast_yes", "ann", MONTH)
    assert (row["seed"], row["population"], row["sample"]) == (5, undrawn, 30)
    assert draw(shopful) == []
    after = by_rule(shopful)
    assert after[None] == before[None]  # the random sample stays what it was
    assert (after["fast_yes"]["audits"], after["fast_yes"]["surveys"]) == (30, undrawn)
    assert f"fast_yes ann {MONTH}" in shopful.do("history", "--kind", "audit")


def _drawn(office: Office, outcome: str, rows: dict[str | None, dict[str, Any]]) -> int:
    assert set(rows) == {None}
    found = json.loads(office.do("audit", "report", *IN_NOVEMBER, "--by", "outcome", "--format", "json"))
    return sum(int(row["audits"]) for row in found if row["outcome"] == outcome and row["rule"] is None)


def test_watched_surveys_are_a_stratum_of_their_own_on_days_drawn_later(shopful: Office) -> None:
    planted.flag_result(shopful.database, MONTH, "ann", "no_sale", "silent", count=20)
    rows = draw(shopful, "--from", DAY, "--to", NEXT_DAY)
    assert [(row["rule"], row["sample"]) for row in rows[:1]] == [(None, 30)]
    found = by_rule(shopful)
    assert found[None]["surveys"] == 80  # of that day, the watched ones among them
    assert 3 <= found["no_sale"]["audits"] <= 20
    # what the day had left of the twenty was drawn for the watch
    assert found["no_sale"]["audits"] == 20
    assert rows[1]["rule"] == "no_sale"


def test_a_watch_with_few_surveys_draws_them_all_and_what_is_set_aside_none(shopful: Office) -> None:
    planted.flag_result(shopful.database, MONTH, "ann", "strays", "silent", count=4)
    planted.flag_result(shopful.database, "2025-10", "ann", "errors", "error")
    rows = draw(shopful, *IN_NOVEMBER, "--sample", 1)
    assert by_rule(shopful)["strays"]["audits"] == 4
    assert {row["rule"] for row in rows} <= {None, "strays"}


def test_watches_of_other_months_sites_and_of_footage_long_gone_draw_nothing(shopful: Office) -> None:
    shopful.do("site", "set", "other", "--timezone", "UTC")
    planted.flag_result(shopful.database, MONTH, "ann", "fast_yes", "yes")
    assert draw(shopful, *IN_NOVEMBER, "--site", "other") == []
    assert draw(shopful, "--from", "2025-10-01", "--to", "2025-11-01") == []
    shopful.do("settings", "set", "--all", "footage_days=3")
    assert draw(shopful) == []


def test_thirty_audits_that_are_all_confirmed_end_a_flag(shopful: Office) -> None:
    for month in ("2025-10", MONTH):
        planted.flag_result(shopful.database, month, "ann", "fast_yes", "yes", level="flag")
    assert standing(shopful).lapsed_because is None
    draw(shopful, *IN_NOVEMBER, "--sample", 1)
    rows = json.loads(shopful.do("audit", "list", "--format", "json", "--by", "anna"))
    for row in rows:
        shopful.do("audit", "judge", row["audit_id"], "confirmed", "--by", "anna")
    assert standing(shopful).lapsed_because == "confirmed_by_audit"
    one = json.loads(shopful.do("audit", "list", "--judged", "--format", "json", "--by", "anna"))
    watched = next(row["audit_id"] for row in one if row["rule"] == "fast_yes")
    shopful.do("audit", "judge", watched, "no_footage", "--by", "anna")
    assert standing(shopful).lapsed_because is None
    (row,) = draw(shopful)  # others in its place: three, as of each stratum
    assert (row["rule"], row["sample"]) == ("fast_yes", 3)
    for other in json.loads(shopful.do("audit", "list", "--format", "json", "--by", "anna")):
        shopful.do("audit", "judge", other["audit_id"], "confirmed", "--by", "anna")
    assert standing(shopful).lapsed_because == "confirmed_by_audit"
    shopful.do("audit", "judge", watched, "pressed_by_staff", "--by", "anna")
    assert standing(shopful).lapsed_because is None


def standing(office: Office) -> Standing:
    with closing(open_store(office.database)) as store:
        (found,) = flags.all_standings(store)
    return found
