"""Test tables as Excel and its kind save them in Bulgaria and Russia; what could mean two things is refused."""

# ruff: noqa: RUF001

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bridge.office import CommandResult, Office, at
from tests.support import facts

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = "site_id,source_id,kind,from,to,count"
SHIFTS = "site_id,console_id,seller_id,seller_name,started_at,ended_at\n"
MARIA = "demo,till-1,maria,Мария Иванова,2026-11-02,2026-11-03\n"
SEMICOLONS = (SHIFTS + MARIA).replace(",", ";")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def imported(office: Office, command: str, data: bytes) -> CommandResult:
    path = office.folder / "table.csv"
    path.write_bytes(data)
    return office.run(command, "import", path, "--new")


def counted(office: Office, line: str, head: str = COUNTS, mark: str = ";") -> CommandResult:
    return imported(office, "counts", f"{head.replace(',', mark)}\n{line}\n".encode())


# -- encodings and separators ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encode"),
    [
        (SEMICOLONS, "utf-8-sig"),
        (SEMICOLONS.replace(";", "\t"), "utf-16"),
        (SEMICOLONS, "utf-16-be-sig"),
        (SEMICOLONS.replace("\n", "\r\n"), "cp1251"),
        (f"sep=;\r\n{SEMICOLONS}", "cp1251"),
        (f'"sep=|"\n{SEMICOLONS.replace(";", "|")}', "utf-8"),
        (f"SEP=\t\n{SEMICOLONS.replace(';', chr(9))}", "utf-16"),
        (f"\n;;;;;\n{SEMICOLONS}\n;;;;;\n", "utf-8"),
        (SEMICOLONS.replace("\n", ";;\n"), "utf-8"),
        ("Site ID; CONSOLE_id;Seller Id;\u00a0Seller  Name;Started at;ended-at\n" + MARIA.replace(",", ";"), "utf-8"),
        (SHIFTS + MARIA.replace("Мария Иванова", '"Мария Иванова"'), "utf-8"),
    ],
    ids=["BOM", "tabs", "UTF-16BE", "CP1251", "sep", "quoted sep", "SEP", "blank", "trailing", "headings", "quoted"],
)
def test_a_table_is_read_as_a_spreadsheet_saves_it(office: Office, text: str, encode: str) -> None:
    data = b"\xfe\xff" + text.encode("utf-16-be") if encode == "utf-16-be-sig" else text.encode(encode)
    office.do("console", "enroll", "demo/till-1")
    assert imported(office, "shift", data) == (0, "1 shift imported.\n", "")
    assert facts.sellers(office.database, "seller_name") == ["Мария Иванова"]
    assert facts.shifts(office.database, "started_at_ms") == [at("2026-11-02T00:00+00:00")]


@pytest.mark.parametrize("command", ["site", "checkout-point"])
def test_every_import_reads_such_tables(office: Office, command: str) -> None:
    tables = {
        "site": "sep=;\r\nSite ID;Timezone\r\nsofia-1;Europe/Sofia\r\n",
        "checkout-point": "site_id;checkout_point_id;console_id;from\nsofia-1;Каса 1;till-1;01.11.2026 г.\n",
    }
    assert imported(office, command, tables[command].encode("utf-16")).status == 0
    assert facts.sites(office.database, "site_id") == ["sofia-1"]


@pytest.mark.parametrize("name", ["Мария Иванова", "ЩЪРКЕЛОВА МАРИЯ", "ООД „Хлебари“", "Жужа", "Ёлкин №1"])
def test_windows_1251_is_read_where_it_is_certain(office: Office, name: str) -> None:
    assert imported(office, "shift", SEMICOLONS.replace("Мария Иванова", name).encode("cp1251")).status == 0
    assert facts.sellers(office.database, "seller_name") == [name]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Мария", "koi8-r"),
        ("мария", "koi8-r"),
        ("Мария", "cp866"),
        ("Мария", "iso8859-5"),
        ("Мария", "mac_cyrillic"),
        ("José", "cp1252"),
        ("Müller", "cp1252"),
        ("ÀÉÈ", "cp1252"),
        ("Ελένη", "cp1253"),
        ("ΕΛΕΝΗ", "cp1253"),
        ("שרה", "cp1255"),
        ("Şükrü", "cp1254"),
        ("Łukasz", "cp1250"),
    ],
)
def test_an_encoding_that_is_not_certain_is_refused(office: Office, name: str, encoding: str) -> None:
    result = imported(office, "shift", SEMICOLONS.replace("Мария Иванова", name).encode(encoding))
    assert result.status == 1
    assert "neither UTF-8 nor surely Cyrillic in Windows-1251: save it as CSV UTF-8" in result.err
    assert not office.database.exists()


# -- times -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("01.11.2026", "2026-11-01T00:00"),
        ("1.11.2026 9:00", "2026-11-01T09:00"),
        ("1.11.2026 г. 9:00 ч.", "2026-11-01T09:00"),
        ("1.11.2026\u00a009:00:30", "2026-11-01T09:00:30"),
        ("01.11.2026, 21:05", "2026-11-01T21:05"),
        ("1.11.2026 9:05 PM", "2026-11-01T21:05"),
        ("1.11.2026 12:05 a.m.", "2026-11-01T00:05"),
        ("2026-11-1 9:00", "2026-11-01T09:00"),
        ("2026/11/01 9.00", "2026-11-01T09:00"),
        ("2026.11.01T9:00", "2026-11-01T09:00"),
        ("25/11/2026 9:00", "2026-11-25T09:00"),
        ("11-11-2026", "2026-11-11T00:00"),
        ("1.11.2026 9:00 +02:00", "2026-11-01T07:00"),
        ("1.11.2026 9:00Z", "2026-11-01T09:00"),
        ("31.10.2026 24:00", "2026-11-01T00:00"),
        ("2026-10-31T24:00:00Z", "2026-11-01T00:00"),
        ("31.12.2025 24:00", "2026-01-01T00:00"),
    ],
)
def test_times_are_read_in_each_certain_form(office: Office, text: str, instant: str) -> None:
    result = counted(office, f"demo;door;visitors;{text};30.11.2026 24:00;5")
    assert (result.status, result.err) == (0, "")
    found = facts.counts(office.database, "from_ms", "to_ms")
    assert found == [(at(f"{instant}+00:00"), at("2026-12-01T00:00+00:00"))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("01/11/2026", "'01/11/2026' can mean 2026-01-11 or 2026-11-01: write it"),
        ("1-11-2026 9:00", "can mean 2026-01-11 or 2026-11-01"),
        ("1.11.26", "does not say its year in four digits"),
        ("9:00", "'9:00' has no date"),
        ("46327,375", "is a spreadsheet's number of a day"),
        ("30.2.2026", "is not a date of the calendar"),
        ("31/31/2026", "is not a date of the calendar"),
        ("1.11.2026 24:30", "is not a time of day"),
        ("1.11.2026 25:00", "is not a time of day"),
        ("1.11.2026 9:60", "is not a time of day"),
        ("1.11.2026 13:00 PM", "has no such hour"),
        ("1.11.2026 9:00 +99:00", "has no possible offset"),
        ("31.12.9999 24:00", "is not from 1971 to 9998"),
        ("1.11.0026", "is not from 1971 to 9998"),
        ("########", "is not a time such as 2026-11-22 13:00"),
    ],
)
def test_a_time_that_is_not_certain_is_refused_with_its_line(office: Office, text: str, words: str) -> None:
    result = counted(office, f"demo;door;visitors;1.11.2026;2.11.2026;5\ndemo;door;visitors;{text};1.12.2026;5")
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert "line 3: from " in result.err
    assert words in result.err
    assert facts.counts(office.database) == []


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("1 234", 1234),
        ("1\u00a0234", 1234),
        ("1\u202f234\u202f567", 1_234_567),
        ("12,00", 12),
        ("12.0", 12),
        ("1.234,00", 1234),
        ("1,234.00", 1234),
        ("1.234.567", 1_234_567),
        ("1'234", 1234),
        ("1234,000", 1234),
        ("0,000", 0),
        ("007", 7),
    ],
)
def test_numbers_are_read_in_each_certain_form(office: Office, text: str, figure: int) -> None:
    assert counted(office, f"demo;door;visitors;1.11.2026;2.11.2026;{text}").status == 0
    assert facts.counts(office.database, "count") == [figure]


def test_hard_spaces_in_numbers_are_the_same_in_each_encoding_of_windows(office: Office) -> None:
    line = "demo;door;visitors;1.11.2026;2.11.2026;1\u00a0234"
    assert imported(office, "counts", f"{COUNTS.replace(',', ';')}\n{line}\n".encode("cp1252")).status == 0
    assert facts.counts(office.database, "count") == [1234]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,234", "'1,234' can mean 1234 or a fraction; write it without ','"),
        ("12.000", "'12.000' can mean 12000 or a fraction"),
        ("12,5", "must be a whole number, 0 or more, not '12,5'"),
        ("1,234,5", "must be a whole number"),
        ("1 23", "must be a whole number"),
        ("-5", "must be a whole number"),
        ("1E+05", "must be a whole number"),
        ("٣", "must be a whole number"),
        ("9" * 400, "must be a whole number"),
    ],
)
def test_a_number_that_is_not_certain_is_refused_with_its_line(office: Office, text: str, words: str) -> None:
    result = counted(office, f"demo;door;visitors;1.11.2026;2.11.2026;{text}")
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert "line 2: count " in result.err
    assert words in result.err


# -- totals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "Total;;;;;1200",
        "ИТОГО:;;;;;1 200",
        "demo;Общо;;;;1200",
        "Сума",
        ";;;;Всего за день;1200",
        "demo;total;visitors;1.11.2026;2.11.2026;1200",
        "demo;door;visitors;Grand total;;1200",
        "demo;door;Subtotal;1.11.2026;2.11.2026;1200",
        ";;;;;Σ = 1200",
    ],
)
def test_a_row_of_totals_is_refused(office: Office, line: str) -> None:
    result = counted(office, f"demo;door;visitors;1.11.2026;2.11.2026;1200\n{line}")
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert "line 3: " in result.err
    assert "looks like a row of totals: delete it" in result.err
    assert facts.counts(office.database) == []


def test_a_name_that_only_begins_like_a_total_is_a_name(office: Office) -> None:
    result = counted(office, "total-1;sum_2;visitors;1.11.2026;2.11.2026;5")
    assert result.status == 0, result
    line = "demo;till-1;s-1;Sum Total;1.11.2026;2.11.2026\n"
    assert imported(office, "shift", (SHIFTS.replace(",", ";") + line).encode()).status == 0
