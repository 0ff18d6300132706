"""What `trivox compare` says where there is little to say: few surveys, force majeure, revisions, part-periods."""

from __future__ import annotations

import time

import pytest

from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.bridge.reports.comparison.conftest import DAY_MS, NOVEMBER, OCTOBER, tally
from tests.bridge.reports.comparison.test_compare import NOVEMBER as IN_NOVEMBER
from tests.bridge.reports.comparison.test_compare import compare

BASE_MS = OCTOBER - DAY_MS


def outcomes(**counts: int) -> list[str]:
    return [outcome for outcome, count in counts.items() for _ in range(count)]


def till(number: int = 1, site: str = "demo") -> OfficeTill:
    return OfficeTill(site, f"till-{number}", epoch=f"0000cd{number:02d}", base_ms=BASE_MS)


def sellers(office: Office, *tills: OfficeTill) -> None:
    """Take what tills recorded, each with a seller of its own."""
    office.take(*tills)
    shifts = (f"{t.site_id},{t.console_id},of-{t.console_id},,2026-10-01T00:00Z,2026-12-01T00:00Z" for t in tills)
    assert office.shifts(*shifts).status == 0


def both_months(before: dict[str, int], after: dict[str, int], number: int = 1) -> OfficeTill:
    recorded = till(number)
    tally(recorded, OCTOBER, outcomes(**before))
    tally(recorded, NOVEMBER, outcomes(**after))
    return recorded


@pytest.mark.parametrize(("surveys", "verdict"), [(29, "too_few"), (30, "cannot_be_told_apart")])
def test_below_30_surveys_there_is_no_verdict(office: Office, surveys: int, verdict: str) -> None:
    office.take(both_months({"yes": surveys}, {"yes": 60}))
    (row,) = compare(office, *IN_NOVEMBER)
    assert row["verdict"] == verdict
    assert (row["difference"] is None) == (verdict == "too_few")
    assert verdict != "too_few" or row["words"] == "too few: on the other side, 29 surveys, fewer than 30"


def test_it_cannot_be_told_where_the_silent_bounds_disagree(office: Office) -> None:
    office.take(both_months({"yes": 90, "no": 10}, {"yes": 30, "silent": 70}))
    (row,) = compare(office, *IN_NOVEMBER)
    assert row["difference_at_k0"]["high"] < 0 < row["difference_at_k1"]["low"]
    assert row["verdict"] == "cannot_be_told"
    assert "if no silent is dissatisfied, and of +0.60" in row["words"]
    assert "at silent weight 0.5, which was never estimated" in row["words"]


def test_of_loyalty_more_is_better(office: Office) -> None:
    recorded = till()
    for first_ms, counts in ((OCTOBER, {"yes": 40, "no": 60}), (NOVEMBER, {"yes": 80, "no": 20})):
        for number, outcome in enumerate(outcomes(**counts)):
            recorded.survey(first_ms + number % 28 * DAY_MS + number * MINUTE_MS, outcome, "loyalty")
    office.take(recorded)
    (row,) = compare(office, *IN_NOVEMBER)
    assert (row["index"], row["verdict"]) == ("emotional_loyalty_index", "better")
    assert row["difference"]["value"] == pytest.approx(0.8)


def test_loyal_customers_put_their_seller_into_a_group(office: Office) -> None:
    tills = [till(number) for number in range(4)]
    for number, recorded in enumerate(tills):
        for place, outcome in enumerate(outcomes(yes=30, no=70) if number == 3 else outcomes(yes=90, no=10)):
            recorded.survey(NOVEMBER + place % 28 * DAY_MS + place * MINUTE_MS, outcome, "loyalty")
    sellers(office, *tills)
    rows = compare(office, *IN_NOVEMBER, "--by", "seller")
    assert {row["seller_id"]: row["verdict"] for row in rows} == {
        **{f"of-till-{number}": "cannot_be_told_apart" for number in range(3)},
        "of-till-3": "worse_than_most",
    }


def test_of_people_fewer_than_five_answers_are_not_shown(office: Office) -> None:
    tills = [till(1), till(2)]
    tally(tills[0], NOVEMBER, outcomes(yes=2, no=2, silent=60))
    tally(tills[1], NOVEMBER, outcomes(yes=3, no=2, silent=60))
    sellers(office, *tills)
    few, enough = sorted(compare(office, *IN_NOVEMBER, "--by", "seller"), key=lambda row: row["seller_id"])
    assert (few["verdict"], few["this"]["withheld"], enough["this"]["withheld"]) == ("too_few", True, False)
    hidden = ("yes", "no", "cant_say", "dissatisfaction_index", "answered_no_share")
    assert [few["this"][name] for name in hidden] == [None] * 5
    assert few["this"]["surveys"] == 64
    assert "figures of people are shown from 5 answers up" in few["words"]
    (console, _) = compare(office, *IN_NOVEMBER, "--by", "console", "--as", "groups")
    assert console["this"]["no"] == 2, "a console is no person"


def test_what_force_majeure_spoils_gets_no_verdict(office: Office) -> None:
    recorded = both_months({"yes": 100}, {"yes": 40, "no": 60})
    for number in range(20):
        recorded.force_majeure(NOVEMBER + number * DAY_MS + 600 * MINUTE_MS)
    office.take(recorded)
    (row,) = compare(office, *IN_NOVEMBER)
    assert (row["verdict"], row["difference"]) == ("not_assessable", None)
    words = "not assessable: because of force majeure; remove its causes, then measure again"
    assert row["words"] == words


def test_a_verdict_that_rests_on_what_force_majeure_took_out_says_so(office: Office) -> None:
    recorded = both_months({"yes": 95, "no": 5}, {"yes": 95, "no": 5})
    bad = NOVEMBER + 600 * MINUTE_MS
    recorded.force_majeure(bad)
    for number in range(19):
        recorded.survey(bad + (number + 1) * MINUTE_MS // 2, "no")
    office.take(recorded)
    (row,) = compare(office, *IN_NOVEMBER)
    assert (row["verdict"], row["this"]["left_out"]) == ("cannot_be_told_apart", 19)
    assert row["notes"] == ["counting the surveys too that force majeure took out (19), it would be: worse"]


def test_revisions_are_not_compared_unless_asked_for(office: Office) -> None:
    recorded = till()
    for first_ms, revision in ((OCTOBER, 1), (NOVEMBER, 2)):
        for number in range(56):
            recorded.survey(first_ms + number % 28 * DAY_MS + number * MINUTE_MS, "yes", "staff", revision)
    office.take(recorded)
    rows = compare(office, *IN_NOVEMBER)
    assert [(row["question_revision"], row["verdict"]) for row in rows] == [
        (1, "nothing_to_compare"),
        (2, "nothing_to_compare"),
    ]
    assert all("--merge-revisions" in row["notes"][0] for row in rows)
    (merged,) = compare(office, *IN_NOVEMBER, "--merge-revisions")
    assert (merged["question_revision"], merged["verdict"]) == (None, "cannot_be_told_apart")


def test_what_belongs_to_no_seller_is_told_and_not_compared(office: Office) -> None:
    tills = [till(1), till(2), till(3)]
    for recorded in tills:
        tally(recorded, NOVEMBER, outcomes(yes=50))
    office.take(tills[2])
    sellers(office, *tills[:2])
    rows = compare(office, *IN_NOVEMBER, "--by", "seller")
    assert [(row["seller_id"], row["verdict"]) for row in rows] == [
        ("of-till-1", "cannot_be_told_apart"),
        ("of-till-2", "cannot_be_told_apart"),
        (None, "nobody"),
    ]
    assert rows[0]["others"] == 1


def test_an_undefined_question_and_a_lone_seller_are_not_compared(office: Office) -> None:
    recorded = till()
    recorded.surveys(recorded.surveys(NOVEMBER, yes=40), "riddle", yes=40)
    sellers(office, recorded)
    rows = compare(office, *IN_NOVEMBER, "--by", "seller")
    assert {row["question_id"]: row["verdict"] for row in rows} == {"riddle": "no_index", "staff": "nothing_to_compare"}


def test_many_comparisons_say_how_many_chance_makes_clear(office: Office) -> None:
    bad = {"yes": 20, "no": 36}
    tills = [both_months({"yes": 56}, bad if number == 1 else {"yes": 56}, number) for number in range(12)]
    sellers(office, *tills)
    rows = compare(office, *IN_NOVEMBER, "--by", "seller", "--with", "previous")
    (worse,) = (row for row in rows if row["verdict"] == "worse")
    assert worse["notes"] == ["one of 12 comparisons, of which chance alone makes up to 1 look clear"]


PERIODS = {
    ("this-month", "last-month"): ("2026-11-01", "2026-11-18", "2026-10-04", "2026-10-21"),
    ("this-month", "previous"): ("2026-11-01", "2026-11-18", "2026-10-11", "2026-10-28"),
    ("last-28-days", "previous"): ("2026-10-21", "2026-11-18", "2026-09-23", "2026-10-21"),
    ("this-week", "last-week"): ("2026-11-16", "2026-11-18", "2026-11-09", "2026-11-11"),
    ("today", "previous"): ("2026-11-18", "2026-11-19", "2026-11-11", "2026-11-12"),
}


@pytest.mark.parametrize("periods", PERIODS, ids=" ".join)
def test_a_part_period_is_compared_with_the_same_weekdays(
    office: Office, periods: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    office.take(both_months({"yes": 60}, {"yes": 60}))
    monkeypatch.setattr(time, "time_ns", lambda: at("2026-11-18T15:00+00:00") * 1_000_000)
    (row,) = compare(office, "--period", periods[0], "--with", periods[1])
    days = tuple(row[side][name] if row[side] else None for side in ("this", "with") for name in ("from", "to"))
    expected = PERIODS[periods]
    assert all(found in {None, wanted} for found, wanted in zip(days, expected, strict=True))
    assert days[:2] == expected[:2]
    is_over = periods[0].startswith("last")
    assert ("so far, compared with" in row["days"]) != is_over


def test_what_is_left_out_to_have_the_same_weekdays_is_said(office: Office) -> None:
    office.take(both_months({"yes": 60}, {"yes": 60}))
    options = ("--from", "2026-11-01", "--to", "2026-12-01", "--with-from", "2026-10-01", "--with-to", "2026-11-01")
    (row,) = compare(office, *options)
    assert row["days"] == (
        "1 to 28 November 2026, compared with 4 to 31 October 2026, each weekday equally often; left out, to have the "
        "same weekdays: 29 to 30 November 2026 and 1 to 3 October 2026"
    )


def test_text_from_outside_steers_no_terminal(office: Office) -> None:
    tills = [till(1), till(2)]
    for recorded in tills:
        tally(recorded, NOVEMBER, outcomes(yes=50))
    office.take(*tills)
    ids = [f"s\x1b[2J{recorded.console_id}" for recorded in tills]
    hours = "2026-10-01T00:00Z,2026-12-01T00:00Z"
    office.shifts(*(f"demo,{t.console_id},{id_},N\x1b[31m,{hours}" for t, id_ in zip(tills, ids, strict=True)))
    for form in ("table", "csv", "json"):
        printed = office.do("compare", *IN_NOVEMBER, "--by", "seller", "--as", "pairs", "--format", form)
        assert "\x1b" not in printed
