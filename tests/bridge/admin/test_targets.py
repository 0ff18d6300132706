"""`trivox target`, and what `trivox compare` says of targets."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.bridge.reports.comparison.independent import dissatisfaction, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

NOVEMBER = ("--from", "2026-11-01", "--to", "2026-12-01")
FIRST_MS, DAY_MS = at("2026-11-01T09:00+00:00"), 1440 * MINUTE_MS


@pytest.fixture
def shop(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Two sites on 5 December, each with a till and a seller: of 300 answers at `demo` 30 are no, at `far` 150."""
    monkeypatch.setattr(time, "time_ns", lambda: at("2026-12-05T12:00+00:00") * 1_000_000)
    tills = [OfficeTill("demo", "till-1"), OfficeTill("far", "till-2", epoch="0000abce")]
    for till, share in zip(tills, (10, 2), strict=True):
        for number in range(300):
            outcome = "no" if number // 30 % 10 < 10 // share else "yes"
            till.survey(FIRST_MS + number % 30 * DAY_MS + number // 30 * MINUTE_MS, outcome)
    office.take(*tills)
    shifts = (f"{t.site_id},{t.console_id},of-{t.site_id},,2026-10-01T00:00Z,2026-12-09T00:00Z" for t in tills)
    assert office.shifts(*shifts).status == 0
    return office


def target(office: Office, value: object, *options: str, from_day: str = "2026-11-01") -> str:
    return office.do("target", "set", value, "--question", "staff", "--from", from_day, *options)


def listed(office: Office, *options: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(office.do("target", "list", "--format", "json", *options))
    return rows


def judged(office: Office, by: str, *options: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(office.do("compare", *NOVEMBER, "--target", "--by", by, "--format", "json", *options))
    return {row.get(f"{by}_id") or "all": row for row in rows}


def verdicts(office: Office, by: str, *options: str) -> dict[str, str]:
    return {name: row["verdict"] for name, row in judged(office, by, *options).items()}


def told(rows: Iterable[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("from", "to", "at_most", "scope", "surveys", "verdict")
    return [tuple(part[name] for name in names) for row in rows for part in row["targets"]]


def test_a_target_is_set_listed_removed_and_remembered(shop: Office) -> None:
    said = target(shop, 0.25, "--site", "demo", from_day="2026-12-06")
    assert (
        said == "The target of the dissatisfaction index of staff for site demo is at most 0.25 from 2026-12-06 on.\n"
    )
    (row,) = listed(shop)
    assert [row[name] for name in ("question_id", "figure", "site_id", "seller_id", "from", "at_most", "at_least")] == [
        *("staff", "dissatisfaction_index", "demo", None, "2026-12-06", 0.25, None)
    ]
    assert listed(shop, "--site", "far") == []
    (line,) = csv.DictReader(io.StringIO(shop.do("target", "list", "--format", "csv")))
    assert line["at_most"] == "0.25"
    of = ("--question", "staff", "--site", "demo")
    assert "it was at most 0.25" in shop.do("target", "remove", *of, "--from", "2027-01-01")
    assert [(row["from"], row["at_most"]) for row in listed(shop)] == [("2026-12-06", 0.25), ("2027-01-01", None)]
    shop.do("target", "remove", *of, "--from", "2026-12-06")
    assert listed(shop) == []
    assert "No such target is set" in shop.do("target", "list")
    history = json.loads(shop.do("history", "--kind", "target", "--json"))
    assert [change["command"] for change in history] == ["target set", "target remove", "target remove"]
    gone = shop.run("target", "remove", *of)
    assert gone.status == 1
    assert "There is no target of the dissatisfaction index of staff for site demo" in gone.err


def test_the_most_specific_target_applies(shop: Office) -> None:
    target(shop, 0.4)
    assert verdicts(shop, "site") == {"demo": "met", "far": "missed"}
    assert verdicts(shop, "seller") == {"of-demo": "met", "of-far": "missed"}
    target(shop, 0.05, "--site", "demo")
    assert verdicts(shop, "site") == {"demo": "missed", "far": "missed"}
    target(shop, 0.7, "--seller", "of-far")
    rows = judged(shop, "seller")
    assert {name: row["verdict"] for name, row in rows.items()} == {"of-demo": "missed", "of-far": "met"}
    assert [part["scope"] for row in rows.values() for part in row["targets"]] == ["site demo", "seller of-far"]
    assert [*verdicts(shop, "question").values()] == ["met"], "of all sites, which has the target of all"
    row = judged(shop, "site")["demo"]
    value, low, high = dissatisfaction((270, 30, 0, 0), 0.5)
    assert row["difference"] == pytest.approx({"value": value - 0.05, "low": low - 0.05, "high": high - 0.05})


def test_a_checkout_points_target_holds_for_those_who_work_there(shop: Office) -> None:
    shop.do("checkout-point", "set", "demo", "bar", "--console", "till-1", "--from", "2026-10-01", "--new")
    target(shop, 0.5, "--site", "demo")
    target(shop, 0.05, "--checkout-point", "demo/bar")
    assert verdicts(shop, "site")["demo"] == "met", "the site has a target of its own"
    assert verdicts(shop, "seller")["of-demo"] == "missed"
    assert verdicts(shop, "console")["till-1"] == "missed"
    assert verdicts(shop, "checkout_point")["bar"] == "missed"


def test_a_target_that_changes_is_judged_for_each_part(shop: Office) -> None:
    target(shop, 0.4, from_day="2026-11-11")
    target(shop, 0.02, from_day="2026-11-21")
    row = judged(shop, "site")["demo"]
    assert told([row]) == [
        ("2026-11-01", "2026-11-11", None, None, 100, "no_target"),
        ("2026-11-11", "2026-11-21", 0.4, "all", 100, "met"),
        ("2026-11-21", "2026-12-01", 0.02, "all", 100, "missed"),
    ]
    assert row["verdict"] == "cannot_be_told"
    assert row["words"].startswith("cannot be told, where the target changed within the period: no target")
    assert ", set on 2026-12-05 by " in row["words"], "after that time had begun"


def test_who_works_under_several_targets_is_told_so(shop: Office) -> None:
    more = OfficeTill("far", "till-3", epoch="0000abcf")
    more.surveys(FIRST_MS, yes=40)
    shop.take(more)
    shop.shifts("far,till-3,of-demo,,2026-11-01T00:00Z,2026-11-02T00:00Z")
    target(shop, 0.4, "--site", "demo")
    target(shop, 0.3, "--site", "far")
    row = judged(shop, "seller")["of-demo"]
    assert row["verdict"] == "cannot_be_told"
    assert "there are several targets: at most 0.4 for site demo, at most 0.3 for site far" in row["words"]
    assert verdicts(shop, "seller", "--site", "demo")["of-demo"] == "met"


def test_a_target_of_the_response_rate_stands_beside(shop: Office) -> None:
    quiet = OfficeTill("demo", "till-4", epoch="0000abd0")
    quiet.surveys(FIRST_MS, silent=300)
    shop.take(quiet)
    target(shop, 0.4, "--figure", "response_rate")
    (row,) = (row for name, row in judged(shop, "site").items() if name == "demo")
    (part,) = row["targets"]
    low, high = wilson(300, 600)
    assert (part["figure"], part["at_least"], part["verdict"]) == ("response_rate", 0.4, "met")
    assert (part["value"]["low"], part["value"]["high"]) == pytest.approx((low, high))
    table = shop.do("compare", *NOVEMBER, "--by", "site", "--with", "previous")
    assert "response rate ≥ 0.4 ●M met" in table


def test_silents_make_a_target_uncertain(shop: Office) -> None:
    quiet = OfficeTill("demo", "till-4", epoch="0000abd0")
    quiet.surveys(FIRST_MS, silent=100)
    shop.take(quiet)
    target(shop, 0.25)
    row = judged(shop, "site")["demo"]
    assert row["this"]["dissatisfaction_index"]["high"] < 0.25 < row["this"]["dissatisfaction_index"]["at_k1"]
    assert row["verdict"] == "cannot_be_told"
    assert row["words"].endswith("(it depends on what silents think)")


def test_without_a_target_that_is_said(shop: Office) -> None:
    assert verdicts(shop, "site") == {"demo": "no_target", "far": "no_target"}
    assert "set one with `trivox target set`" in shop.do("compare", *NOVEMBER, "--target")


def test_a_target_of_loyalty_may_be_negative(shop: Office) -> None:
    said = shop.do("target", "set", "-0.2", "--question", "loyalty")
    assert "emotional loyalty index of loyalty for all is at least -0.2" in said
    assert listed(shop)[0]["at_least"] == -0.2


WRONG = {
    ("30", "--question", "staff"): "is a number from 0 to 1, a share, not percent",
    ("nan", "--question", "staff"): "is a number from 0 to 1",
    ("some", "--question", "staff"): "'some' is not a number: give a share such as 0.25",
    ("0.2", "--question", "stuff"): "did you mean staff?",
    ("0.2", "--question", "staff", "--site", "dem"): "did you mean demo?",
    ("0.2", "--question", "staff", "--seller", "of-dem"): "did you mean of-demo?",
    ("0.2", "--question", "staff", "--checkout-point", "bar"): "--checkout-point needs its site",
    ("0.2", "--question", "staff", "--checkout-point", "demo/bar"): "There is no checkout point demo/bar",
    ("0.2", "--question", "staff", "--checkout-point", "demo/bar", "--site", "far"): "but --site says far",
    ("0.2", "--question", "staff", "--seller", "of-demo", "--site", "demo"): "give --seller or --site",
    ("0.2", "--question", "staff", "--figure", "emotional_loyalty_index"): "has the dissatisfaction index, not",
    ("0.2", "--question", "staff", "--figure", "exact_conversion"): "give index or response_rate",
    ("0.2", "--question", "staff", "--from", "tomorrow"): "--from",
    ("0.2",): "Missing option '--question'",
}


def test_wrong_usage_is_told_in_a_sentence(shop: Office) -> None:
    for words, sentence in WRONG.items():
        result = shop.run("target", "set", *words)
        assert (result.status, result.out) == (2, ""), words
        assert sentence in result.err, words
        assert result.err.count("\n") == 1, words
    assert listed(shop) == []


def test_targets_go_with_whom_they_were_for(office: Office) -> None:
    office.do("site", "set", "new", "--timezone", "UTC")
    office.do("console", "enroll", "new/till-1")
    office.do("checkout-point", "set", "new", "bar", "--console", "till-1", "--new")
    office.do("question", "set", "menu", "--kind", "office", "--text", "en=Good?")
    for options in (("--site", "new"), ("--checkout-point", "new/bar"), ()):
        office.do("target", "set", "0.2", "--question", "menu", *options)
    office.do("checkout-point", "remove", "new", "bar")
    assert [(row["site_id"], row["checkout_point_id"]) for row in listed(office)] == [(None, None), ("new", None)]
    office.do("site", "remove", "new")
    assert [row["site_id"] for row in listed(office)] == [None]
    office.do("question", "remove", "menu")
    assert listed(office) == []
