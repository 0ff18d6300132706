"""Transactions and visitors: to which rows they belong, and what stays unknown."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.office import MINUTE_MS, CommandResult, Office, OfficeTill, at
from tests.support.facts import counts_received

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NINE = at("2026-11-02T09:00+00:00")
DAY = at("2026-11-02T00:00+00:00")
ONE_DAY = {"from_day": "2026-11-02", "to_day": "2026-11-03"}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An office with 40 surveys on 2 November between 9:00 and 9:20, at a console of the checkout point `cash`."""
    office = Office(tmp_path)
    till = OfficeTill()
    till.surveys(NINE, yes=20, silent=20)
    office.take(till)
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    return office


def sold(
    count: int, from_ms: int = DAY, to_ms: int = DAY + DAY_MS, kind: str = "transactions", **more: Any
) -> dict[str, Any]:
    return {"id": f"{kind}{from_ms}", "kind": kind, "from_ms": from_ms, "to_ms": to_ms, "count": count, **more}


def imported(office: Office, head: str, *lines: str) -> CommandResult:
    return office.run("counts", "import", office.file("counts.csv", "\n".join([head, *lines]) + "\n"))


HEAD = "site_id,source_id,kind,from,to,count"


def test_no_feed_is_unknown_and_a_count_of_zero_is_zero(office: Office) -> None:
    (row,) = office.rows("site", **ONE_DAY)
    assert (row["transactions"], row["exact_conversion"], row["visitor_coverage"]) == (None, None, None)
    office.count("shop", sold(0))
    (row,) = office.rows("site", **ONE_DAY)
    assert (row["transactions"], row["visitors"], row["exact_conversion"]) == (0, None, None)


def test_conversion_and_coverage_are_in_each_questions_row(office: Office) -> None:
    till = OfficeTill(console_id="till-2", epoch="0000beef")
    till.surveys(NINE, "office", yes=10)
    office.take(till)
    office.count("shop", sold(80))
    office.count("door", sold(160, kind="visitors"))
    rows = office.rows("site", **ONE_DAY)
    found = [(r["question_id"], r["exact_conversion"]["value"], r["visitor_coverage"]["value"]) for r in rows]
    assert found == [("office", 10 / 80, 10 / 160), ("staff", 40 / 80, 40 / 160)]
    assert rows[0]["exact_conversion"] == {"value": 0.125, "low": None, "high": None}
    assert all(row["transactions"] == 80 for row in rows)


def test_a_correction_replaces_the_count(office: Office) -> None:
    office.count("shop", sold(80))
    office.count("shop", sold(50))
    office.count("shop", sold(50))
    received = counts_received(office.database, "raw")
    assert [json.loads(raw)["count"] for raw in received] == [80, 50]  # sent again, it changes nothing
    assert office.rows("site", **ONE_DAY)[0]["transactions"] == 50


def test_conversion_above_one_is_flagged_and_not_clipped(office: Office) -> None:
    office.count("shop", sold(20))
    (row,) = office.rows("site", **ONE_DAY)
    assert row["exact_conversion"]["value"] == 2
    assert any("above 1" in note for note in row["notes"])


def test_a_count_belongs_to_the_hour_it_begins_in(office: Office) -> None:
    office.count("shop", sold(30, NINE + 59 * MINUTE_MS, NINE + 3 * HOUR_MS))
    (row,) = office.rows("hour", **ONE_DAY)
    assert (row["transactions"], row["exact_conversion"]) == (30, None)
    assert any("reaches beyond the period" in note for note in row["notes"])
    office.do("site", "set", "demo", "--timezone", "Asia/Kolkata")  # 14:30 to 15:30 there: now in the next hour
    rows = office.rows("hour", **ONE_DAY)
    assert [(row["hour"], row["transactions"]) for row in rows] == [
        ("2026-11-02T14:00+05:30", None),
        ("2026-11-02T15:00+05:30", 30),
    ]


def test_a_count_belongs_to_its_seller_or_to_the_one_on_shift(office: Office) -> None:
    office.shifts("demo,till-1,elena,Elena,2026-11-02T09:00,2026-11-02T09:10")
    office.count("shop", sold(7, NINE, NINE + 5 * MINUTE_MS, checkout_point_id="cash"))
    office.count("shop", sold(5, NINE + 5 * MINUTE_MS, NINE + 10 * MINUTE_MS, checkout_point_id="cash"))
    office.count("shop", sold(3, NINE + 10 * MINUTE_MS, NINE + 15 * MINUTE_MS, checkout_point_id="cash"))
    rows = {row["seller_id"]: row for row in office.rows("seller", **ONE_DAY)}
    assert (rows["elena"]["transactions"], rows[None]["transactions"]) == (12, 3)
    office.count("shop", sold(3, NINE + 10 * MINUTE_MS, NINE + 15 * MINUTE_MS, seller_id="elena"))
    assert {row["seller_id"]: row["transactions"] for row in office.rows("seller", **ONE_DAY)} == {
        "elena": 15,
        None: None,
    }


def test_a_shift_imported_later_gets_its_counts(office: Office) -> None:
    office.count("shop", sold(7, NINE, NINE + HOUR_MS, checkout_point_id="cash"))
    assert office.rows("seller", **ONE_DAY)[0]["transactions"] == 7
    office.shifts("demo,till-1,elena,Elena,2026-11-02T08:00,2026-11-02T17:00")
    assert [(r["seller_id"], r["transactions"]) for r in office.rows("seller", **ONE_DAY)] == [("elena", 7)]
    office.shifts("demo,till-1,ivan,Ivan,2026-11-02T08:00,2026-11-02T17:00")
    assert [(r["seller_id"], r["transactions"]) for r in office.rows("seller", **ONE_DAY)] == [("ivan", 7)]


def test_a_count_belongs_to_the_only_console_of_its_checkout_point(office: Office) -> None:
    office.count("shop", sold(7, checkout_point_id="cash", from_ms=NINE, to_ms=NINE + HOUR_MS))
    assert office.rows("console", **ONE_DAY)[0]["transactions"] == 7
    assert office.rows("checkout_point", **ONE_DAY)[0]["transactions"] == 7
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-9", "--from", "2026-11-02", "--new")
    assert office.rows("console", **ONE_DAY)[0]["transactions"] is None
    assert office.rows("checkout_point", **ONE_DAY)[0]["transactions"] == 7


def test_sampling_multiplies_conversion(office: Office) -> None:
    (row,) = office.rows("site", **ONE_DAY)
    office.count("shop", sold(400))
    (row,) = office.rows("site", **ONE_DAY)
    assert row["exact_conversion"]["value"] == 0.1
    assert not any("ask_every" in note for note in row["notes"])  # no console ever asked but every customer
    office.do("settings", "set", "--all", "ask_every=5")
    till = OfficeTill(epoch="0000cafe")
    till.event("settings_applied", NINE + HOUR_MS, revision=1)
    till.surveys(NINE + HOUR_MS, yes=10)
    office.take(till)
    (row,) = office.rows("site", **ONE_DAY)
    assert row["exact_conversion"]["value"] == (40 + 5 * 10) / 400
    assert "ask_every is not known for 40 of 50 surveys: taken as 1" in row["notes"]


def test_a_file_of_counts_is_imported_and_corrected_by_the_next(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    lines = [
        "demo,shop,transactions,2026-11-02T00:00,2026-11-03T00:00,80",
        "demo,door,visitors,2026-11-02,2026-11-03,99",
    ]
    assert imported(office, HEAD, *lines).out == "2 counts imported.\n"
    (row,) = office.rows("site", **ONE_DAY)
    assert (row["transactions"], row["visitors"]) == (80, 99)
    imported(office, HEAD, "demo,shop,transactions,2026-11-01T22:00Z,2026-11-02T22:00Z,60")  # the same midnight
    assert office.rows("site", **ONE_DAY)[0]["transactions"] == 60


def test_a_file_with_all_columns_and_quirks_of_spreadsheets(office: Office) -> None:
    head = "\ufeffid,site_id,source_id,kind,from,to,count,checkout_point_id,seller_id"
    text = f"{head}\r\n4711, demo ,shop,transactions,2026-11-02T09:00Z,2026-11-02T10:00Z,7,cash,elena\r\n\r\n"
    assert office.run("counts", "import", office.file("counts.csv", text)).status == 0
    till = OfficeTill(epoch="0000cafe")
    till.survey(NINE + HOUR_MS, "yes")
    office.take(till)
    office.shifts("demo,till-1,elena,Elena,2026-11-02T10:00,2026-11-02T11:00")
    assert {row["seller_id"]: row["transactions"] for row in office.rows("seller", **ONE_DAY)} == {
        "elena": 7,
        None: None,
    }


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("demo,shop,transactions,2026-11-02T00:00,2026-11-03T00:00,-1", "count"),
        ("demo,shop,transactions,2026-11-02T00:00,2026-11-03T00:00,1.5", "count"),
        ("demo,shop,sales,2026-11-02T00:00,2026-11-03T00:00,1", "kind"),
        ("demo,shop,transactions,2026-11-03T00:00,2026-11-02T00:00,1", "before"),
        ("demo,shop,transactions,2026-11-02,2026-11-02,1", "give the day after as `to`"),
        ("demo,shop,transactions,02.11.2026,2026-11-02,1", "give the day after as `to`"),
        ("demo,shop,transactions,yesterday,2026-11-02T00:00,1", "time"),
        ("Demo,shop,transactions,2026-11-02T00:00,2026-11-03T00:00,1", "site_id"),
        ("demo,shop,transactions,2026-11-02T00:00,1", "values"),
    ],
)
def test_a_bad_line_is_reported_and_nothing_is_imported(office: Office, line: str, word: str) -> None:
    result = imported(office, HEAD, "demo,shop,transactions,2026-11-02T00:00,2026-11-03T00:00,80", line)
    assert result.status == 1
    assert "line 3" in result.err
    assert word in result.err
    assert office.rows("site", **ONE_DAY)[0]["transactions"] is None


def test_a_sale_of_one_instant_is_imported(office: Office) -> None:
    lines = [f"demo,shop,transactions,{moment},{moment},1" for moment in ("2.11.2026 9:15", "2.11.2026 0:00")]
    assert imported(office, HEAD, *lines).out == "2 counts imported.\n"
    assert office.rows("site", **ONE_DAY)[0]["transactions"] == 2


def test_two_lines_that_would_get_the_same_id_are_refused(office: Office) -> None:
    result = imported(
        office,
        f"{HEAD},checkout_point_id",
        "demo,shop,transactions,2026-11-02T00:00,2026-11-03T00:00,80,cash",
        "demo,shop,transactions,2026-11-02T00:00,2026-11-03T00:00,70,cash",
    )
    assert result.status == 1
    assert "give each an id" in result.err


@pytest.mark.parametrize(
    "payload",
    [
        {"kind": "transactions", "from_ms": 0, "to_ms": 1, "count": 1},
        {"id": "x", "kind": "sales", "from_ms": 0, "to_ms": 1, "count": 1},
        {"id": "x", "kind": "transactions", "from_ms": "0", "to_ms": 1, "count": 1},
        {"id": "x", "kind": "transactions", "from_ms": 0, "to_ms": 1, "count": -1},
        {"id": "x", "kind": "transactions", "from_ms": 0, "to_ms": 1, "count": 1.5},
        {"id": "x", "kind": "transactions", "from_ms": 0, "to_ms": 1, "count": True},
        {"id": "x", "kind": "transactions", "from_ms": 2, "to_ms": 1, "count": 1},
        {"id": "x", "kind": "transactions", "from_ms": 0, "to_ms": 1, "count": 1, "checkout_point_id": 5},
    ],
)
def test_a_bad_message_is_rejected_and_stops_nothing(office: Office, payload: dict[str, Any]) -> None:
    office.count("shop", payload)
    office.count("shop", sold(80))
    assert office.rows("site", **ONE_DAY)[0]["transactions"] == 80
    assert "Rejected as" in office.do("doctor")


def test_a_count_that_ends_in_the_last_year_is_listed_corrected_rebuilt_and_removed(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "Asia/Tokyo")
    for end_ms in (DAY + DAY_MS, 253_402_300_799_999):
        office.count("door", sold(5, DAY, end_ms, "visitors"))
    assert "9999-12-31" in office.do("counts", "list", "--each")
    assert office.run("rebuild").status == 0
    assert "1 count removed" in office.do("counts", "remove", "--site", "demo", "--source", "door")
