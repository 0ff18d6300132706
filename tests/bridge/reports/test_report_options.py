"""Test what narrows, sorts and totals a report, the days that it is asked for by name, and what an empty one says."""

import json
import re
import shutil
import time
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from bridge.reports import days
from bridge.reports.report_query import COLUMNS_OF, ReportQuery
from bridge.reports.rows import report_rows
from bridge.reports.table import as_text
from bridge.store import open_store
from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at

HOUR_MS = 60 * MINUTE_MS
NINE = at("2026-11-02T09:00+00:00")
NOVEMBER = ("--from", "2026-11-01", "--to", "2026-12-01")


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Two sites, for reading: `east` with elena and ivan on two tills, `west` with elena alone."""
    office = Office(tmp_path_factory.mktemp("shops"))
    tills = []
    for number, (site_id, console_id, answers) in enumerate(
        [("east", "till-1", {"yes": 40}), ("east", "till-2", {"no": 5}), ("west", "till-1", {"yes": 20, "no": 20})]
    ):
        till = OfficeTill(site_id, console_id, epoch=f"0000000{number}")
        till.surveys(NINE, **answers)
        tills.append(till)
    office.take(*tills)
    day = "2026-11-02T00:00,2026-11-03T00:00"
    office.shifts(f"east,till-1,elena,Elena,{day}", f"east,till-2,ivan,Ivan,{day}", f"west,till-1,elena,Elena,{day}")
    count = {"kind": "transactions", "from_ms": NINE, "to_ms": NINE + HOUR_MS, "count": 90}
    office.count("shop", {"id": "a", **count}, site="east")
    return office


@pytest.fixture
def own_shops(shops: Office, tmp_path: Path) -> Office:
    """A copy of these shops, for a test that adds to them."""
    shutil.copytree(shops.folder, tmp_path, dirs_exist_ok=True)
    return Office(tmp_path)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--site", "west"], [40]),
        (["--site", "west", "--site", "east"], [40, 5, 40]),
        (["--console", "till-1"], [40, 40]),
        (["--console", "east/till-1", "--console", "east/till-2"], [40, 5]),
        (["--site", "east", "--console", "till-1"], [40]),
        (["--seller", "elena"], [40, 40]),
        (["--seller", "ivan", "--seller", "elena"], [40, 5, 40]),
        (["--seller", "ivan", "--site", "west"], []),
    ],
)
def test_filters(shops: Office, options: list[str], found: list[int]) -> None:
    assert [row["surveys"] for row in shops.rows("site,seller", *options)] == found


def test_a_filter_leaves_out_the_counts_of_others_too(shops: Office) -> None:
    assert [row["transactions"] for row in shops.rows("question", "--site", "west")] == [None]
    assert [row["transactions"] for row in shops.rows("question", "--site", "east")] == [90]
    assert [row["transactions"] for row in shops.rows("question", "--seller", "elena")] == [None]


@pytest.mark.parametrize(
    ("options", "nearest"),
    [
        (["--site", "weast"], "east"),
        (["--seller", "elenna"], "elena"),
        (["--question", "stuff"], "staff"),
        (["--console", "east/till-3"], "east/till"),
        (["--site", "east", "--console", "till-3"], "east/till"),
        (["--console", "tall-1"], "console"),
        (["--site", "west", "--console", "east/till-1"], "--site"),
    ],
)
def test_an_unknown_name_is_wrong_usage(shops: Office, options: list[str], nearest: str) -> None:
    result = shops.run("report", *NOVEMBER, *options)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert nearest in result.err


def test_a_total_is_of_all_rows(shops: Office) -> None:
    *rows, total = shops.rows("seller", "--total")
    assert [(row["seller_id"], row["total"], row["surveys"]) for row in rows] == [
        ("elena", False, 80),
        ("ivan", False, 5),
    ]
    assert (total["seller_id"], total["seller_name"], total["total"]) == (None, None, True)
    assert (total["surveys"], total["yes"], total["no"], total["transactions"]) == (85, 60, 25, 90)
    whole = shops.rows("question")[0]
    assert {name: total[name] for name in whole} == whole
    lines = shops.do("report", *NOVEMBER, "--by", "seller", "--total").splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["elena", "ivan", "total"]
    text = shops.do("report", *NOVEMBER, "--by", "seller", "--total", "--format", "csv")
    assert [line.split(",")[:3] for line in text.splitlines()[1:]] == [
        ["elena", "Elena", "false"],
        ["ivan", "Ivan", "false"],
        ["", "", "true"],
    ]


@pytest.mark.parametrize(
    ("column", "order"),
    [
        ("no", [0, 5, 20]),
        ("-no", [20, 5, 0]),
        ("dissatisfaction_index", [0, 20, 5]),  # five surveys have no index: they come last
        ("-index", [20, 0, 5]),
        ("seller_name", [0, 20, 5]),
        ("-seller_id", [5, 0, 20]),
        ("exact_conversion", [0, 5, 20]),
    ],
)
def test_sorting(shops: Office, column: str, order: list[int]) -> None:
    *rows, total = shops.rows("site,seller", f"--sort={column}", "--total")
    assert [row["no"] for row in rows] == order
    assert total["total"]


def test_an_unknown_column_is_answered_with_the_known_ones(shops: Office) -> None:
    result = shops.run("report", *NOVEMBER, "--by", "seller", "--sort", "angry")
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    for name in ("angry", "seller_name", "surveys", "exact_conversion"):
        assert name in result.err
    assert shops.run("report", *NOVEMBER, "--by", "site", "--sort", "seller_id").status == 2


@pytest.mark.parametrize(
    ("period", "from_day", "to_day"),
    [
        ("today", "2026-03-01", "2026-03-02"),
        ("yesterday", "2026-02-28", "2026-03-01"),
        ("this-week", "2026-02-23", "2026-03-02"),  # 1 March 2026 is a Sunday
        ("last-week", "2026-02-16", "2026-02-23"),
        ("this-month", "2026-03-01", "2026-04-01"),
        ("last-month", "2026-02-01", "2026-03-01"),
        ("last-28-days", "2026-02-01", "2026-03-01"),
    ],
)
def test_periods(period: str, from_day: str, to_day: str) -> None:
    days_in = days.days_of_period(period, at("2026-03-01T00:30+02:00"))
    assert tuple(map(str, days_in("Europe/Sofia"))) == (from_day, to_day)
    if period == "today":
        assert str(days_in("America/New_York")[0]) == "2026-02-28"


def test_a_period_is_of_each_sites_own_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(tmp_path)
    zones = {"sofia": "Europe/Sofia", "york": "America/New_York"}
    for number, (site_id, zone) in enumerate(zones.items()):
        till = OfficeTill(site_id, epoch=f"0000000{number}")
        for text in ("2026-11-02T12:00+02:00", "2026-11-03T00:20+02:00"):
            till.survey(at(text), "yes")
        office.take(till)
        office.do("site", "set", site_id, "--timezone", zone)
    monkeypatch.setattr(time, "time_ns", lambda: at("2026-11-03T00:30+02:00") * 1_000_000)
    rows = json.loads(office.do("report", "--period", "today", "--by", "site", "--format", "json"))
    own = [(row["site_id"], row["surveys"], row["settings"]["from"], row["settings"]["to"]) for row in rows]
    assert own == [("sofia", 1, "2026-11-03", "2026-11-04"), ("york", 2, "2026-11-02", "2026-11-03")]
    (both,) = json.loads(office.do("report", "--period", "today", "--format", "json"))
    assert (both["surveys"], both["settings"]["from"], both["settings"]["to"]) == (3, "2026-11-02", "2026-11-04")
    assert "Each site's own days of `today`: all sites together from 2026-11-02" in office.do(
        "report", "--period", "today"
    )
    monkeypatch.setattr(time, "time_ns", lambda: at("2026-11-30T00:30+02:00") * 1_000_000)
    assert office.do("report", "--period", "today") == (
        "There are no surveys on each site's own days, from 2026-11-29 up to, not including, 2026-11-30 or from "
        "2026-11-30 up to, not including, 2026-12-01: there are some on 2026-11-02 to 2026-11-03.\n"
    )


@pytest.mark.parametrize(
    "options", [["--period", "today", "--from", "2026-11-01"], ["--period", "tomorrow"], [], ["--to", "2026-11-01"]]
)
def test_days_are_said_once(shops: Office, options: list[str]) -> None:
    result = shops.run("report", *options)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)


def test_an_empty_period_says_which_dates_have_surveys(own_shops: Office) -> None:
    till = OfficeTill("west", "till-9", epoch="0000beef")
    for day in (6, 7, 8, 12):
        till.survey(at(f"2026-11-{day:02}T12:00+00:00"), "yes")
    own_shops.take(till)
    january = ("report", "--from", "2026-01-01", "--to", "2026-02-01")
    expected = (
        "There are no surveys from 2026-01-01 up to, not including, 2026-02-01: there are some on 2026-11-02, "
        "2026-11-06 to 2026-11-08, 2026-11-12.\n"
    )
    assert own_shops.do(*january) == expected
    result = own_shops.run(*january, "--format", "json")
    assert (result.status, result.out, result.err) == (0, "[]\n", f"trivox: {expected}")
    assert own_shops.do(*january, "--seller", "ivan").endswith("there are some on 2026-11-02.\n")
    assert "ask for less" in own_shops.do(*january, "--question", "loyalty")


def test_the_table_fits_and_says_what_is_a_total(own_shops: Office) -> None:
    office = own_shops
    office.do("checkout-point", "set", "east", "the-long-counter", "--console", "till-1")
    office.shifts("east,till-2,ivan-2,Elena,2026-11-02T00:00,2026-11-03T00:00")  # the other Elena's name
    office.do("site", "set", "east", "--timezone", "Asia/Kolkata")
    for by in (*COLUMNS_OF, "site,seller", "seller,hour", "checkout_point,day", "site,checkout_point,seller,day"):
        query = ReportQuery(days.given_days(date(2026, 11, 1), date(2026, 12, 1)), tuple(by.split(",")))
        with closing(open_store(office.database)) as store:
            rows = report_rows(store, query, total=True)
        for width in (80, 100, 120) if "site,checkout_point" in by else (60, 80, 100, 120):
            table, _, below = as_text(rows, query.row_columns, width=width).partition("\n\n")
            lines = table.splitlines()
            heading = next(line for line in lines if "surveys" in line)
            marks = " ".join(line[heading.index("notes") :] for line in lines).split()
            assert {*marks} - {"notes"} == {*re.findall(r"^\((\d+)\)", below, re.MULTILINE)}
            assert max(map(len, lines)) <= width, "\n".join(lines)
            assert sum(line.startswith("total") for line in lines) == 1, by
            if "seller" in by:
                assert sum("elena" in line for line in lines) == sum(row.get("seller_id") == "elena" for row in rows)
            if "hour" in by:  # at both sites, with other offsets
                hours = {hour for row in rows if (hour := row["hour"])}
                below = [*lines[1:], ""]  # where there is no room for the time beside its day
                told = [f"{line} {after}" for line, after in zip(lines, below, strict=True)]
                assert all(any(hour[:10] in text and hour[11:16] in text for text in told) for hour in hours)


def test_an_empty_column_says_what_fills_it(own_shops: Office) -> None:
    assert "trivox counts import" in own_shops.do("report", *NOVEMBER, "--site", "west")
    assert "trivox counts import" not in own_shops.do("report", *NOVEMBER)
    assert "trivox checkout-point set" in own_shops.do("report", *NOVEMBER, "--by", "checkout_point")
    till = OfficeTill("north", epoch="0000beef")
    till.survey(NINE, "yes")
    own_shops.take(till)
    own_shops.count(
        "door", {"id": "b", "kind": "visitors", "from_ms": NINE, "to_ms": NINE + HOUR_MS, "count": 9}, "west"
    )
    by_seller = own_shops.do("report", *NOVEMBER, "--site", "west", "--by", "seller")
    assert "No transactions or visitors of these groups are known" in by_seller
    assert "with a checkout point or a seller." in by_seller
    assert "trivox shift import" in own_shops.do("report", *NOVEMBER, "--site", "north", "--by", "seller")
