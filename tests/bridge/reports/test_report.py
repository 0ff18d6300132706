"""Test `trivox report` as its readers use it: compare its output with counts made by hand."""

import csv
import io
import json
import unicodedata
from math import isclose

import pytest
from rich.cells import cell_len

from bridge.reports.table import as_text
from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.schema import schemas

HOUR_MS = 60 * MINUTE_MS
NINE = at("2026-11-02T09:00+00:00")


def test_counts_and_index_are_those_of_the_method(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=12, no=6, cant_say=2, silent=80, error=3)
    office.take(till)
    office.do("site", "set", "demo", "--timezone", "UTC")
    (row,) = office.rows("site")
    assert [row[name] for name in ("surveys", "yes", "no", "cant_say", "silent", "error")] == [100, 12, 6, 2, 80, 3]
    index = row["dissatisfaction_index"]
    assert isclose(index["value"], (6 + 0.5 * 80) / 100)
    assert (index["at_k0"], index["at_k1"]) == (0.06, 0.86)
    assert 0.06 < index["low"] < index["value"] < index["high"] < 0.86
    assert row["emotional_loyalty_index"] is None
    assert row["response_rate"]["value"] == 0.2
    assert (row["site_id"], row["kind"], row["question_revision"]) == ("demo", "personnel", 1)
    assert (row["transactions"], row["visitors"], row["exact_conversion"]) == (None, None, None)
    assert row["assessable"] is True
    assert row["notes"] == []
    assert row["settings"]["silent_weight"] == 0.5
    assert row["settings"]["silent_weight_origin"] == "not estimated"


def test_columns_are_in_the_order_of_the_schema(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=1)
    office.take(till)
    (row,) = office.rows("console,day")
    assert list(row) == [
        *("site_id", "console_id", "day", "question_id", "question_revision", "kind", "surveys", "yes", "no"),
        *("cant_say", "silent", "error", "left_out", "affected", "force_majeures", "transactions", "visitors"),
        *("dissatisfaction_index", "emotional_loyalty_index", "index_with", "index_without", "silent_part"),
        *("response_rate", "answered_no_share", "set_aside", "index_with_set_aside", "exact_conversion"),
        *("visitor_coverage", "force_majeure_level", "assessable", "settings", "notes", "flags"),
    ]


def test_each_kind_has_its_own_index_and_an_unknown_question_none(office: Office) -> None:
    till = OfficeTill()
    end = till.surveys(NINE, "staff", yes=40, no=20)
    end = till.surveys(end, "office", yes=40, no=20)
    end = till.surveys(end, "loyalty", yes=40, no=5, silent=20, cant_say=15)
    till.surveys(end, "riddle", 7, yes=40, no=20)
    office.take(till)
    rows = {row["question_id"]: row for row in office.rows("question")}
    has = {name: (bool(r["dissatisfaction_index"]), bool(r["emotional_loyalty_index"])) for name, r in rows.items()}
    assert has == {"staff": (True, False), "office": (True, False), "loyalty": (False, True), "riddle": (False, False)}
    assert isclose(rows["loyalty"]["emotional_loyalty_index"]["value"], (40 - 5 - 10) / 80)
    assert rows["riddle"]["kind"] == "unknown"
    assert rows["riddle"]["surveys"] == 60
    assert "not defined" in rows["riddle"]["notes"][0]
    assert [row["question_id"] for row in office.rows("site", "--question", "office")] == ["office"]


@pytest.mark.parametrize(
    ("surveys", "shown", "note"), [(29, False, "too few"), (30, True, "few"), (59, True, "few"), (60, True, None)]
)
def test_small_numbers(office: Office, surveys: int, shown: bool, note: str | None) -> None:  # noqa: FBT001
    till = OfficeTill()
    till.surveys(NINE, yes=surveys)
    office.take(till)
    office.do("site", "set", "demo", "--timezone", "UTC")
    (row,) = office.rows("site")
    assert bool(row["dissatisfaction_index"]) is shown
    assert row["response_rate"]["value"] == 1
    assert [text.startswith(note) for text in row["notes"]] == ([True] if note else [])


def test_days_are_the_sites_own(office: Office) -> None:
    till = OfficeTill()
    till.survey(at("2026-11-02T23:59:59+02:00"), "yes")
    till.survey(at("2026-11-03T00:00:01+02:00"), "no")
    office.take(till)
    assert [row["day"] for row in office.rows("day")] == ["2026-11-02"]
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    rows = office.rows("site,day,week,month,hour")
    assert [(row["day"], row["yes"], row["no"]) for row in rows] == [("2026-11-02", 1, 0), ("2026-11-03", 0, 1)]
    assert [row["hour"] for row in rows] == ["2026-11-02T23:00+02:00", "2026-11-03T00:00+02:00"]
    assert {(row["week"], row["month"]) for row in rows} == {("2026-W45", "2026-11")}
    assert office.rows("site", from_day="2026-11-03", to_day="2026-11-04")[0]["no"] == 1
    assert office.rows("site", from_day="2026-11-04", to_day="2026-11-05") == []


def test_an_hour_that_comes_twice_in_autumn_has_two_rows_in_order(office: Office) -> None:
    till = OfficeTill(base_ms=at("2026-10-24T00:00+00:00"))
    for text in ("2026-10-25T03:30+03:00", "2026-10-25T03:30+02:00", "2026-10-25T04:30+02:00"):
        till.survey(at(text), "yes")
    office.take(till)
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    hours = [row["hour"] for row in office.rows("hour", from_day="2026-10-25", to_day="2026-10-26")]
    assert hours == ["2026-10-25T03:00+03:00", "2026-10-25T03:00+02:00", "2026-10-25T04:00+02:00"]


def test_iso_weeks_turn_with_the_year(office: Office) -> None:
    till = OfficeTill(base_ms=at("2026-12-01T00:00+00:00"))
    for day in ("2026-12-31", "2027-01-03", "2027-01-04"):
        till.survey(at(f"{day}T12:00+00:00"), "yes")
    office.take(till)
    rows = office.rows("week", from_day="2026-12-01", to_day="2027-02-01")
    assert [(row["week"], row["surveys"]) for row in rows] == [("2026-W53", 2), ("2027-W01", 1)]


def test_sellers_are_on_shift_from_the_start_up_to_the_end(office: Office) -> None:
    till = OfficeTill()
    for minute in (59, 60, 119, 120):
        till.survey(at("2026-11-02T08:00+00:00") + minute * MINUTE_MS, "yes")
    office.take(till)
    assert office.shifts("demo,till-1,elena,Elena Ivanova,2026-11-02T09:00,2026-11-02T10:00").status == 0
    assert [(row["seller_id"], row["surveys"]) for row in office.rows("seller")] == [("elena", 2), (None, 2)]


def test_each_kinds_own_force_majeure_rule_and_the_readers_choice(office: Office) -> None:
    till = OfficeTill()
    for day, question in ((2, "staff"), (3, "office")):
        nine = at(f"2026-11-0{day}T09:00+00:00")
        till.survey(nine, "yes", question)
        till.force_majeure(nine + HOUR_MS, question)
        till.survey(nine + HOUR_MS + 10 * MINUTE_MS, "no", question)  # at most 600 s: affected
        till.survey(nine + HOUR_MS + 10 * MINUTE_MS + 1000 * 60, "cant_say", question)  # later: not
    office.take(till)

    def counted(*options: str) -> dict[str, list[int]]:
        rows = office.rows("question", *options)
        assert [(row["force_majeures"], row["force_majeure_level"]["value"]) for row in rows] == [(1, 1 / 3)] * 2
        return {row["question_id"]: [row[name] for name in ("surveys", "yes", "no", "cant_say")] for row in rows}

    assert counted() == {"staff": [2, 1, 0, 1], "office": [3, 1, 1, 1]}
    assert counted("--force-majeure", "with") == {"staff": [3, 1, 1, 1], "office": [3, 1, 1, 1]}
    assert counted("--force-majeure", "without") == {"staff": [2, 1, 0, 1], "office": [2, 1, 0, 1]}
    assert counted("--force-majeure", "only") == {"staff": [1, 0, 1, 0], "office": [1, 0, 1, 0]}
    office.do("settings", "set", "--all", "force_majeure_scope_s=599")
    assert counted() == {"staff": [3, 1, 1, 1], "office": [3, 1, 1, 1]}


def test_too_much_force_majeure_is_not_assessable(office: Office) -> None:
    till = OfficeTill()
    end = till.surveys(NINE, yes=10)
    till.force_majeure(end + HOUR_MS)
    office.take(till)
    assert office.rows("site")[0]["assessable"] is True  # 0.10 is not above 0.10
    office.do("settings", "set", "--all", "force_majeure_level_max=0.05")
    (row,) = office.rows("site")
    assert row["assessable"] is False
    assert row["settings"]["force_majeure_level_max"] == 0.05
    assert any(note.startswith("not assessable") for note in row["notes"])


def test_force_majeure_without_surveys_has_a_row_without_values(office: Office) -> None:
    till = OfficeTill()
    till.force_majeure(NINE)
    office.take(till)
    (row,) = office.rows("site")
    assert (row["surveys"], row["force_majeures"], row["assessable"]) == (0, 1, False)
    assert row["force_majeure_level"] is row["response_rate"] is row["dissatisfaction_index"] is None


def test_revisions_are_kept_apart_unless_merged(office: Office) -> None:
    till = OfficeTill()
    end = till.surveys(NINE, revision=1, yes=3)
    till.surveys(end, revision=2, no=4)
    office.take(till)
    assert [(row["question_revision"], row["surveys"]) for row in office.rows("site")] == [(1, 3), (2, 4)]
    (row,) = office.rows("site", "--merge-revisions")
    assert (row["question_revision"], row["surveys"], row["settings"]["merge_revisions"]) == (None, 7, True)


def test_the_current_silent_weight_is_used_and_shown_with_its_origin(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=50, silent=50)
    office.take(till)
    weight = ["--silent-weight", 0.4, "--silent-weight-origin", "calls", "--silent-weight-on", "2026-11-01"]
    office.do("question", "set", "staff", *weight)
    (row,) = office.rows("site")
    assert isclose(row["dissatisfaction_index"]["value"], 0.2)
    settings = row["settings"]
    origin = [settings[name] for name in ("silent_weight", "silent_weight_origin", "silent_weight_on")]
    assert origin == [0.4, "calls", "2026-11-01"]
    assert "silent weight 0.4 (calls, 2026-11-01)" in office.do(
        "report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "site"
    )


def test_a_survey_open_for_a_day_is_an_error(office: Office) -> None:
    till = OfficeTill()
    till.event("survey_opened", NINE, question_id="staff", question_revision=1)
    office.take(till)
    (row,) = office.rows("site")
    assert (row["surveys"], row["error"]) == (0, 1)


def test_csv_says_the_same_as_json(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=40, silent=30)
    office.take(till)
    office.shifts("demo,till-1,elena,Elena Ivanova,2026-11-02T09:00,2026-11-02T09:30")
    rows = office.rows("seller")
    text = office.do("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "seller", "--format", "csv")
    flat = list(csv.DictReader(io.StringIO(text)))
    assert [(line["seller_id"], line["seller_name"]) for line in flat] == [("elena", "Elena Ivanova"), ("", "")]
    for line, row in zip(flat, rows, strict=True):
        for name in ("surveys", "yes", "silent"):
            assert int(line[name]) == row[name]
        rate = row["response_rate"]
        assert [float(line[f"response_rate{part}"]) for part in ("", "_low", "_high")] == [*rate.values()]
        assert line["silent_part"] == ("" if row["silent_part"] is None else str(row["silent_part"]))
        assert line["index_without_at_k1"] == (str(row["index_without"]["at_k1"]) if row["index_without"] else "")
        assert json.loads(line["settings"]) == row["settings"]
        assert line["transactions"] == ""
        assert line["assessable"] == "true"


def test_a_period_without_surveys_gives_no_rows(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    ask = ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "seller,day")
    assert json.loads(office.do(*ask, "--format", "json")) == []
    assert office.do(*ask, "--format", "csv").startswith("seller_id,seller_name,day,question_id,")
    assert office.do(*ask, "--format", "csv").count("\n") == 1
    assert "no surveys" in office.do(*ask)


def test_rows_match_the_schema(office: Office) -> None:
    till = OfficeTill()
    end = till.surveys(NINE, yes=40, silent=30)
    till.surveys(end, "riddle", 1, yes=1)
    till.force_majeure(NINE)
    office.take(till)
    office.count("shop", {"id": "a", "kind": "transactions", "from_ms": NINE, "to_ms": NINE + HOUR_MS, "count": 9})
    rows = office.rows("site,console,checkout_point,seller,hour,day,week,month")
    rows += office.rows("question", "--merge-revisions")
    assert len(rows) >= 4
    for row in rows:
        schemas.validator("report_row").validate(row)


def test_left_out_surveys_are_said_with_the_index_under_both_rules(office: Office) -> None:
    till = OfficeTill()
    end = till.surveys(NINE, yes=40, no=10, silent=50)
    till.force_majeure(end)
    till.surveys(end, no=12, error=1)
    office.take(till)
    office.do("site", "set", "demo", "--timezone", "UTC")
    (row,) = office.rows("site")
    assert (row["surveys"], row["left_out"], row["affected"], row["no"]) == (100, 12, 12, 10)
    assert isclose(row["index_without"]["value"], 35 / 100)
    assert row["index_without"] == row["dissatisfaction_index"]
    assert isclose(row["index_with"]["value"], 47 / 112)
    assert isclose(row["silent_part"], 0.25)
    assert row["answered_no_share"]["value"] == 10 / 50
    assert row["answered_no_share"]["low"] < 0.2 < row["answered_no_share"]["high"]
    note = "12 of 112 surveys left out, affected by force majeure: index 0.42 with the affected, 0.35 without"
    assert row["notes"] == [note]
    (only,) = office.rows("site", "--force-majeure", "only")
    assert (only["surveys"], only["left_out"], only["affected"]) == (12, 100, 12)
    (both,) = office.rows("site", "--force-majeure", "with")
    assert (both["surveys"], both["left_out"], both["affected"], both["notes"]) == (112, 0, 12, [])
    assert both["index_with"] == both["dissatisfaction_index"]


@pytest.mark.parametrize(
    ("affected", "errors", "assessable", "note"),
    [
        (10, 0, True, None),  # 10 of 40 are a quarter, and not more
        (11, 0, False, "affected by force majeure 0.27 is above 0.25"),
        (0, 3, True, None),  # 3 of 33
        (0, 4, True, "many errors (4 of 34)"),
    ],
)
def test_many_affected_surveys_or_errors(
    office: Office,
    affected: int,
    errors: int,
    assessable: bool,  # noqa: FBT001
    note: str | None,
) -> None:
    till = OfficeTill()
    end = till.surveys(NINE, yes=30, error=errors)
    if affected:
        till.force_majeure(end)
        till.surveys(end, yes=affected)
    office.take(till)
    (row,) = office.rows("site")
    assert row["assessable"] is assessable
    told = [text for text in row["notes"] if "errors" in text or "assessable" in text]
    assert [note in text for text in told] == ([True] if note else [])
    if errors:
        office.do("settings", "set", "--all", "error_share_max=0.5")
    else:
        office.do("settings", "set", "--all", "affected_share_max=0.5")
    (row,) = office.rows("site")
    assert (row["assessable"], [text for text in row["notes"] if "errors" in text]) == (True, [])


def table(office: Office, width: int | None, by: str = "seller") -> list[str]:
    """Return the lines of the table with its heading, without what stands below it."""
    columns = {"seller": ("seller_id", "seller_name")}.get(by, ("site_id",))
    text = as_text(office.rows(by), columns, width=width)
    return text.split("\n\n", maxsplit=1)[0].splitlines()


@pytest.fixture(scope="module")
def many_sellers(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An office, for reading, with sellers whose names are long, or wide, and transactions."""
    office = Office(tmp_path_factory.mktemp("office"))
    till = OfficeTill()
    middle = till.surveys(NINE, yes=20, no=5, silent=10)
    till.surveys(middle, yes=1000, no=234)
    office.take(till)
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    names = ["4711,Мария Константинопольская-Задунайская", "4712,王小明王小明王小明王小明"]
    times = "2026-11-02T09:00,2026-11-02T09:17:30", "2026-11-02T09:17:30,2026-11-03T09:00"
    office.shifts(*(f"demo,till-1,{name},{time}" for name, time in zip(names, times, strict=True)))
    span = {"from_ms": NINE, "to_ms": NINE + 24 * HOUR_MS, "checkout_point_id": "cash"}
    office.count("shop", {"id": "a", "kind": "transactions", "count": 12345, **span})
    return office


@pytest.mark.parametrize("width", [20, 40, 50, 60, 80, 100, 120, 200, None])
def test_the_table_is_one_at_any_width_and_cuts_no_figure(many_sellers: Office, width: int | None) -> None:
    lines = table(many_sellers, width)
    assert max(map(cell_len, lines)) <= max(width or 1000, 38)  # name, surveys, index and notes are always there
    whole = "\n".join(lines)
    assert "…" not in whole
    assert "0.29" in whole
    assert "(0.19 to 0.42)" in whole
    cyrillic = "".join(letter for letter in whole if "CYRILLIC" in unicodedata.name(letter, ""))
    assert cyrillic == "МарияКонстантинопольскаяЗадунайская"  # folded, but whole
    shown = {column for column in ("35", "1234", "0.14 to 0.43", "12195") if column in whole}
    least = {20: 2, 40: 2, 50: 2, 60: 3, 80: 3, 100: 3, 120: 3}.get(width or 0, 4)
    assert len(shown) >= least, whole


def test_a_name_is_folded_by_the_columns_that_its_letters_take(many_sellers: Office) -> None:
    lines = table(many_sellers, 60)
    ends = {
        cell_len(line[: line.index(figure)]) + len(figure)
        for line in lines
        for figure in ("  35 ", "1234 ")
        if figure in line
    }
    assert len(ends) == 1  # Cyrillic and Chinese names leave the figures below each other


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "2026-11-01"),
        ("--from", "2026-11-31", "--to", "2026-12-01"),
        ("--from", "2026-11-01", "--to", "2026-11-01"),
        ("--from", "2026-11-01", "--to", "2026-12-01", "--by", "shop"),
        ("--from", "2026-11-01", "--to", "2026-12-01", "--format", "xml"),
        ("--from", "2026-11-01", "--to", "2026-12-01", "--force-majeure", "maybe"),
        ("--from", "20261101", "--to", "2026-12-01"),
    ],
)
def test_wrong_usage_is_one_sentence(office: Office, arguments: tuple[str, ...]) -> None:
    result = office.run("report", *arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.count("\n") == 1


def test_without_a_database_it_says_so_and_makes_none(office: Office) -> None:
    result = office.run("report", "--from", "2026-11-01", "--to", "2026-12-01")
    assert (result.status, result.out) == (2, "")
    assert "no database" in result.err
    assert not office.database.exists()


def test_two_names_under_one_seller_id_at_two_sites_are_told_apart(office: Office) -> None:
    tills = [OfficeTill(site, "till-1") for site in ("sofia", "varna")]
    for till in tills:
        till.surveys(NINE, yes=40)
    office.take(*tills)
    for site in ("sofia", "varna"):
        office.do("site", "set", site, "--timezone", "UTC")
    hours = "2026-11-02T08:00,2026-11-02T18:00"
    assert "Note" not in office.shifts(f"sofia,till-1,7,Anna Ivanova,{hours}").out
    told = office.shifts(f"varna,till-1,7,Petar Petrov,{hours}").out
    assert "Note: 7 is called Petar Petrov at varna and Anna Ivanova at sofia: if they are two people" in told
    assert "renamed" not in told
    (both,) = office.rows("seller")
    note = "7 is called Anna Ivanova at sofia, Petar Petrov at varna: perhaps two people in one row"
    assert [note in text for text in both["notes"]].count(True) == 1
    assert not any("was called" in text for text in both["notes"])
    apart = office.rows("site,seller")
    assert [(row["site_id"], row["seller_name"]) for row in apart] == [
        ("sofia", "Anna Ivanova"),
        ("varna", "Petar Petrov"),
    ]
    assert not any("two people" in text for row in apart for text in row["notes"])
    assert "1 seller renamed" in office.shifts(f"varna,till-1,7,ANNA ivanova,{hours}").out
    (both,) = office.rows("seller")
    assert not any("two people" in text for text in both["notes"])
    (sofia,) = office.rows("seller", "--site", "sofia")
    assert not any("was called" in text for text in sofia["notes"])
