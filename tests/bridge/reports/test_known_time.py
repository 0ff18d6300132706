"""Exact conversion and visitor coverage: of the time that is known, and shared out where sellers change."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridge.reports.seller_shares import largest_remainders
from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.support.seeds import seeded

HOUR_MS = 60 * MINUTE_MS
NINE = at("2026-11-02T09:00+00:00")
DAYS = {"from_day": "2026-11-02", "to_day": "2026-11-04"}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An office with 100 surveys, one a minute from 9:00 on, at a console of the checkout point `cash`."""
    office = Office(tmp_path)
    till = OfficeTill()
    for minute in range(100):
        till.survey(NINE + minute * MINUTE_MS, "yes")
    office.take(till)
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    return office


def counted(from_minute: float, to_minute: float, count: int, **more: Any) -> dict[str, Any]:
    """Return a count over a part of the hours from 9:00 on."""
    from_ms, to_ms = NINE + round(from_minute * MINUTE_MS), NINE + round(to_minute * MINUTE_MS)
    kind = more.pop("kind", "transactions")
    return {"id": f"{kind}{from_ms}", "kind": kind, "from_ms": from_ms, "to_ms": to_ms, "count": count, **more}


def ratio(row: dict[str, Any], name: str = "exact_conversion") -> float | None:
    return row[name]["value"] if row[name] else None


def outside(row: dict[str, Any]) -> list[str]:
    return [note for note in row["notes"] if "lie outside" in note]


@pytest.mark.parametrize(
    ("intervals", "inside", "is_noted"),
    [
        ([(0, 60)], 60, True),
        ([(0, 96)], 96, False),  # 4 of 100 is not more than one in twenty
        ([(0, 95)], 95, False),
        ([(0, 94)], 94, True),
        ([(0, 30), (60, 120)], 70, True),
        ([(10.5, 20), (15, 30.5), (200, 300)], 20, True),  # 11 to 30 lie inside
        ([(-300, 900)], 100, False),
        ([(-60, 0), (100, 160)], 0, True),  # an interval ends before its last instant
    ],
)
def test_only_surveys_inside_an_interval_count(
    office: Office, intervals: list[tuple[float, float]], inside: int, *, is_noted: bool
) -> None:
    kind, name = ("visitors", "visitor_coverage") if inside % 4 else ("transactions", "exact_conversion")
    for interval in intervals:
        office.count("shop", counted(*interval, count=50, kind=kind))
    for by in ("site", "day"):
        (row,) = office.rows(by, **DAYS)
        assert (row["surveys"], row[kind]) == (100, 50 * len(intervals))
        assert ratio(row, name) == (inside / (50 * len(intervals)) or None), by
        assert bool(outside(row)) is is_noted
    if is_noted:
        told = f"{100 - inside} of 100 surveys lie outside the time that {kind} are known for"
        assert outside(row)[0].startswith(told)


def test_an_ordinary_day_has_no_note(office: Office) -> None:
    for hour in range(3):  # nobody counts while the shop is closed
        office.count("door", counted(60 * hour, 60 * hour + 60, 40, kind="visitors"))
        office.count("shop", counted(60 * hour, 60 * hour + 60, 40, checkout_point_id="cash"))
    office.do("site", "set", "demo", "--timezone", "UTC")
    assert [row["notes"] for row in office.rows("site", **DAYS)] == [[]]


def test_an_interval_of_one_checkout_point_says_nothing_of_another(office: Office) -> None:
    other = OfficeTill(console_id="till-2", epoch="0000beef")
    other.surveys(NINE, yes=40)
    office.take(other)
    office.do("checkout-point", "set", "demo", "desk", "--console", "till-2")
    office.count("shop", counted(0, 100, 200, checkout_point_id="cash"))
    (row,) = office.rows("site", **DAYS)
    assert (row["surveys"], ratio(row)) == (140, 100 / 200)
    assert outside(row)[0].startswith("40 of 140")
    office.count("shop", counted(1, 2, 0))  # the whole site's, for a minute: two of the desk's surveys
    assert ratio(office.rows("site", **DAYS)[0]) == 102 / 200


def test_a_till_that_sends_each_sale_counts_around_it(office: Office) -> None:
    for minute in (10, 40, 70):
        office.count("shop", {**counted(minute, minute, 1), "to_ms": NINE + minute * MINUTE_MS + 1})
    (row,) = office.rows("site", **DAYS)
    assert ratio(row) == 100 / 3  # to half an hour after the last sale
    office.count("shop", counted(300, 300, 1))
    assert ratio(office.rows("site", **DAYS)[0]) == 100 / 4


def test_no_transactions_but_surveys_is_flagged_like_a_conversion_above_one(office: Office) -> None:
    office.count("shop", counted(0, 60, 0))
    (row,) = office.rows("site", **DAYS)
    assert (row["transactions"], row["exact_conversion"]) == (0, None)
    assert "no exact conversion: 60 surveys and no transactions, a data fault or a gamed button" in row["notes"]
    office.count("shop", counted(0, 60, 59))
    (row,) = office.rows("site", **DAYS)
    assert (
        "exact conversion 1.02 is above 1.00: more asked than transactions, a data fault or a gamed button"
        in row["notes"]
    )


def test_a_gamed_console_is_told_where_a_sum_hides_it(office: Office) -> None:
    other = OfficeTill(console_id="till-2", epoch="0000beef")
    other.survey(NINE, "yes")
    office.take(other)
    office.do("checkout-point", "set", "demo", "desk", "--console", "till-2")
    office.count("shop", counted(0, 120, 80, checkout_point_id="cash"))
    office.count("shop", counted(0, 120, 80, id="b", checkout_point_id="desk"))
    told = "exact conversion 1.25 is above 1.00: more asked than transactions, a data fault or a gamed button"
    for by in ("site", "question", "seller"):
        row = office.rows(by, "--total", **DAYS)[-1]
        assert (ratio(row), [note for note in row["notes"] if "gamed" in note]) == (101 / 160, [f"demo/till-1: {told}"])
    assert [told in row["notes"] for row in office.rows("console", **DAYS)] == [True, False]
    assert office.rows("question", "--console", "till-1", **DAYS)[0]["notes"].count(told) == 1


def test_an_interval_is_shared_out_among_its_sellers_by_time(office: Office) -> None:
    office.shifts(
        "demo,till-1,anna,Anna,2026-11-02T09:00,2026-11-02T09:20",
        "demo,till-1,boris,Boris,2026-11-02T09:20,2026-11-02T09:40",
        "demo,till-1,clara,Clara,2026-11-02T09:40,2026-11-02T10:30",
    )
    office.count("shop", counted(0, 60, 10, checkout_point_id="cash"))
    office.count("shop", counted(60, 120, 7, checkout_point_id="cash"))  # clara leaves at half past, surveys go on
    rows = {row["seller_id"]: row for row in office.rows("seller", **DAYS)}
    assert {seller: row["transactions"] for seller, row in rows.items()} == {
        "anna": 4,
        "boris": 3,
        "clara": 3 + 4,
        None: 3,
    }
    assert {seller: ratio(row) for seller, row in rows.items()} == {
        "anna": 20 / 4,
        "boris": 20 / 3,
        "clara": 50 / 7,
        None: 10 / 3,
    }
    assert office.rows("site", **DAYS)[0]["transactions"] == 17
    (row,) = office.rows("site", "--seller", "boris", **DAYS)
    assert (row["surveys"], row["transactions"]) == (20, 3)
    office.shifts("demo,till-1,anna,Anna,2026-11-02T09:20,2026-11-02T09:40")  # a correction
    rows = {row["seller_id"]: row for row in office.rows("seller", **DAYS)}
    assert (rows["anna"]["transactions"], "boris" in rows) == (7, False)


def test_what_a_checkout_point_counts_is_known_of_it_whoever_was_on_shift(office: Office) -> None:
    """The till says that Anna sold; by the shifts, corrected later, it was Boris from 9:30 to 10:00."""
    office.count("shop", counted(0, 100, 100, checkout_point_id="cash", seller_id="anna"))
    office.shifts(
        "demo,till-1,anna,Anna,2026-11-02T09:00,2026-11-02T09:30",
        "demo,till-1,boris,Boris,2026-11-02T09:30,2026-11-02T10:00",
        "demo,till-1,anna,Anna,2026-11-02T10:00,2026-11-02T11:00",
    )
    for by in ("checkout_point", "console", "site", "day"):
        assert [(row["transactions"], ratio(row)) for row in office.rows(by, **DAYS)] == [(100, 1)]
    rows = {row["seller_id"]: (row["transactions"], ratio(row)) for row in office.rows("seller", **DAYS)}
    assert rows == {"anna": (100, 0.7), "boris": (None, None)}


def test_a_forgotten_shift_costs_the_colleague_nothing(office: Office) -> None:
    """Till 9:50 Anna is on shift, till 10:40 surveys go on, and from 11:00 the shop is closed."""
    office.shifts("demo,till-1,anna,Anna,2026-11-02T09:00,2026-11-02T09:50")
    by_interval = {}
    for name, intervals in {
        "hours": [(0, 50, 50), (50, 120, 70)],
        "day": [(0, 120, 120)],
        "night, too": [(-540, 900, 120)],
    }.items():
        for from_minute, to_minute, count in intervals:
            office.count("shop", counted(from_minute, to_minute, count, checkout_point_id="cash"))
        rows = office.rows("seller", **DAYS)
        by_interval[name] = [(row["seller_id"], row["transactions"], ratio(row)) for row in rows]
        told = "of intervals shared out by time, 70 transactions are nobody's: surveys were opened while nobody was on "
        assert [any(told in note for note in row["notes"]) for row in rows] == [name != "hours"] * 2
        office.do("counts", "remove", "--site", "demo")
    assert all(found == [("anna", 50, 50 / 50), (None, 70, 50 / 70)] for found in by_interval.values()), by_interval


@pytest.mark.parametrize("step", [15, 90, 180])
def test_the_same_sales_give_the_same_conversion_however_finely_they_are_counted(office: Office, step: int) -> None:
    """Anna and Boris share a counter from 9:30 to 10:00; at its second console surveys go on without a shift."""
    other = OfficeTill(console_id="till-2", epoch="0000beef")
    for minute in range(0, 180, 3):
        other.survey(NINE + minute * MINUTE_MS, "yes")
    office.take(other)
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-2")
    office.shifts(
        "demo,till-1,anna,Anna,2026-11-02T09:00,2026-11-02T10:00",
        "demo,till-2,boris,Boris,2026-11-02T09:30,2026-11-02T11:00",
    )
    for minute in range(0, 180, step):
        office.count("shop", counted(minute, minute + step, 2 * step, checkout_point_id="cash"))
    rows = {row["seller_id"]: row for row in office.rows("seller", **DAYS)}
    assert {seller: (row["transactions"], ratio(row)) for seller, row in rows.items()} == {
        "anna": (60, 30 / 60),  # from 9:00 to 9:30
        "boris": (120, 20 / 120),  # from 10:00 to 11:00
        None: (180, 20 / 180),  # from 9:30 to 10:00, when both have surveys, and from 11:00
    }
    assert outside(rows["anna"])[0].startswith("30 of 60 surveys")
    assert outside(rows["boris"])[0].startswith("10 of 30 surveys")
    assert outside(rows[None])[0].startswith("50 of 70 surveys")


def test_minutes_around_a_shift_are_not_worth_a_note(office: Office) -> None:
    office.shifts("demo,till-1,anna,Anna,2026-11-02T09:03,2026-11-02T10:40")
    office.count("shop", counted(0, 100, 100, checkout_point_id="cash"))
    anna, nobody = office.rows("seller", **DAYS)
    assert (anna["transactions"], nobody["transactions"]) == (97, 3)
    assert not any("shared out" in note for note in anna["notes"])
    assert any("3 transactions are nobody's" in note for note in nobody["notes"])


def test_who_was_asked_nothing_has_a_row(office: Office) -> None:
    office.shifts(
        "demo,till-1,anna,Anna,2026-11-02T09:00,2026-11-02T12:00",
        "demo,till-1,lazy,Lena,2026-11-02T12:00,2026-11-02T13:00",
    )
    office.count("shop", counted(0, 60, 70, checkout_point_id="cash"))
    office.count("shop", counted(180, 240, 200, checkout_point_id="cash"))
    office.count("shop", counted(1440, 1500, 4, kind="visitors"))  # the whole site's, on the next day
    told = "nobody was asked, although transactions were counted"
    for options in ((), ("--seller", "lazy")):
        row = office.rows("seller", *options, **DAYS)[-1]
        assert (row["seller_id"], row["seller_name"], row["question_id"]) == ("lazy", "Lena", "staff")
        assert (row["surveys"], row["transactions"], row["exact_conversion"]) == (0, 200, None)
        assert told in row["notes"]
    rows = office.rows("hour", **DAYS)
    assert [(row["hour"][8:13], row["surveys"]) for row in rows] == [
        ("02T09", 60),
        ("02T10", 40),
        ("02T12", 0),
        ("03T09", 0),
    ]
    assert [sum(row[kind] or 0 for row in rows) for kind in ("transactions", "visitors")] == [270, 4]
    *days, total = office.rows("day", "--total", **DAYS)
    assert [row["visitors"] for row in days] == [None, total["visitors"]]
    assert office.rows("day", "--question", "loyalty", **DAYS) == []


def test_the_counts_of_a_whole_site_are_no_measure_of_what_is_nobodys(office: Office) -> None:
    office.shifts("demo,till-1,anna,Anna,2026-11-02T09:00,2026-11-02T10:00")
    office.count("door", counted(0, 120, 400, kind="visitors"))
    office.count("shop", counted(60, 120, 80, checkout_point_id="cash"))
    anna, nobody = office.rows("seller", **DAYS)
    assert (anna["visitors"], nobody["visitors"], nobody["visitor_coverage"], outside(nobody)) == (None, 400, None, [])
    assert ratio(nobody) == 40 / 80
    assert ratio(office.rows("site", **DAYS)[0], "visitor_coverage") == 100 / 400


def test_two_sellers_at_once_at_a_checkout_point_get_nothing(office: Office) -> None:
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    other = OfficeTill(console_id="till-2", epoch="0000beef")
    other.survey(NINE + 35 * MINUTE_MS, "yes")
    office.take(other)
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-2")
    office.shifts(
        "demo,till-1,anna,Anna,2026-11-02T09:00,2026-11-02T09:45",
        "demo,till-2,boris,Boris,2026-11-02T09:30,2026-11-02T10:00",
    )
    office.count("shop", counted(0, 60, 60, checkout_point_id="cash"))
    assert {row["seller_id"]: row["transactions"] for row in office.rows("seller", **DAYS)} == {
        "anna": 30,
        "boris": 15,
        None: 15,
    }
    assert office.rows("site", **DAYS)[0]["transactions"] == 60


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (10, [1, 1, 1], [4, 3, 3]),
        (1, [1, 1], [1, 0]),
        (0, [3, 4], [0, 0]),
        (7, [1, 2, 4], [1, 2, 4]),
        (5, [1, 9], [1, 4]),
    ],
)
def test_largest_remainders(total: int, weights: list[int], shares: list[int]) -> None:
    assert largest_remainders(total, weights) == shares


def test_ratios_are_those_of_a_plain_count(tmp_path: Path) -> None:
    """Compare with surveys counted one by one, minute by minute, at two checkout points with random feeds."""
    dice = seeded("time that is known")
    office = Office(tmp_path)
    minutes = range(600)
    inside: Counter[Any] = Counter()
    figures: Counter[Any] = Counter()
    messages = []
    for point, till_id in (("cash", "till-1"), ("desk", "till-2")):
        till = OfficeTill(console_id=till_id, epoch=f"0000{till_id[-1] * 4}")
        asked = sorted(dice.sample(minutes, 150))
        for minute in asked:
            till.survey(NINE + minute * MINUTE_MS + 7, "yes")
        office.take(till)
        office.do("checkout-point", "set", "demo", point, "--console", till_id)
        known = set()
        for start, end in pairwise(sorted(dice.sample(minutes, 20))):
            if dice.random() < 0.6:
                known.update(range(start, end))
                count = dice.randrange(30)
                messages.append(counted(start, end, count, id=f"{point}{start}", checkout_point_id=point))
                figures[None] += count
                figures[point] += count
        for key in (None, point):
            inside[key] += len(known.intersection(asked))
    for message in messages:
        office.count("shop", message)
    (row,) = office.rows("site", **DAYS)
    assert (row["transactions"], ratio(row)) == (figures[None], inside[None] / figures[None])
    for by in ("checkout_point", "checkout_point,day"):
        rows = {row["checkout_point_id"]: row for row in office.rows(by, **DAYS)}
        for point in ("cash", "desk"):
            assert (rows[point]["transactions"], ratio(rows[point])) == (figures[point], inside[point] / figures[point])


def test_what_was_counted_over_more_than_the_rows_time_gives_no_ratio(office: Office) -> None:
    till = OfficeTill(epoch="0000beef")
    for minute in range(100):
        till.survey(NINE + (1440 + minute) * MINUTE_MS, "yes")
    office.take(till)
    office.count("shop", counted(-540, 2 * 1440 - 540, 400, checkout_point_id="cash"))  # both days, from midnight
    told = "some transactions were counted over an interval that reaches beyond the period: no exact conversion"
    assert [ratio(row) for row in office.rows("site", **DAYS)] == [200 / 400]
    days = office.rows("day", **DAYS)
    assert [(row["transactions"], ratio(row)) for row in days] == [(400, None), (None, None)]
    assert [told in row["notes"] for row in days] == [True, False]
    (first,) = office.rows("site", from_day="2026-11-02", to_day="2026-11-03")
    assert (first["transactions"], ratio(first), told in first["notes"]) == (400, None, True)


def test_a_sale_that_ends_in_the_next_hour_is_of_its_own(office: Office) -> None:
    office.count("shop", counted(59.5, 60.2, 1))
    (first, _) = office.rows("hour", **DAYS)
    assert ratio(first) == 30 / 1  # surveys from half past on


def test_what_was_counted_from_before_the_period_is_not_to_be_imported(office: Office) -> None:
    office.count("shop", counted(-1440, 1440, 400))
    told = "transactions are known only over an interval that begins before the period"
    text = office.do("report", "--from", "2026-11-02", "--to", "2026-11-03")
    assert told in " ".join(text.split())
    assert "counts import" not in text
    assert "counts import" in office.do("report", "--from", "2026-11-02", "--to", "2026-11-03", "--by", "seller")
    office.count("shop", counted(-1440, 1440, 400, checkout_point_id="cash"))
    by_seller = office.do("report", "--from", "2026-11-02", "--to", "2026-11-03", "--by", "seller")
    assert "counts import" not in by_seller
    office.count("door", counted(0, 60, 90, kind="visitors"))
    (row,) = office.rows("site", from_day="2026-11-02", to_day="2026-11-03")
    assert [told in note for note in row["notes"]].count(True) == 1
    (row,) = office.rows("site", from_day="2026-11-01", to_day="2026-11-03")
    assert not any(told in note for note in row["notes"])


def test_a_last_count_that_ends_a_little_beyond_a_long_period_leaves_its_ratio(office: Office) -> None:
    office.count("shop", counted(-60, 2 * 1440, 400, checkout_point_id="cash"))
    (row,) = office.rows("site", from_day="2026-10-05", to_day="2026-11-04")
    assert any("reaches beyond" in note for note in row["notes"])
    assert ratio(row) == row["surveys"] / 400
    (row,) = office.rows("site", from_day="2026-11-01", to_day="2026-11-04")
    assert any("reaches beyond the period: no exact conversion" in note for note in row["notes"])
    assert ratio(row) is None


def test_a_sale_early_in_an_hour_tells_of_the_end_of_the_hour_before(office: Office) -> None:
    office.count("till", counted(10, 10, 1))
    office.count("till", counted(65, 65, 1))
    (first, _) = office.rows("hour", **DAYS)
    assert (first["transactions"], ratio(first)) == (1, 60 / 1)  # by the sales at 9:10 and 10:05, from 8:40 to 10:35
