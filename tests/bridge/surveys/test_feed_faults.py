"""Test that what feeds count twice or leave out gets a note where people look: in imports' answers and in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.bridge.office import Office, OfficeTill, at

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "site_id;source_id;kind;from;to;count"
MORE = f"{HEAD};id;checkout_point_id;seller_id"
DAY = {"from_day": "2026-11-02", "to_day": "2026-11-03"}
TWICE = "visitors of demo/door are counted twice: a total stands beside the counts added up in it, first on 2026-11-02"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    till = OfficeTill()
    till.survey(at("2026-11-02T10:30+02:00"), "yes")
    till.survey(at("2026-11-03T10:30+02:00"), "yes")
    office.take(till)
    return office


def hours(first: int, last: int, source: str = "door", day: int = 2, figure: int = 40) -> list[str]:
    """Return lines for the hours from `first` up to `last`."""
    return [
        f"demo;{source};visitors;{day}.11.2026 {hour}:00;{day}.11.2026 {hour + 1}:00;{figure}"
        for hour in range(first, last)
    ]


def days(first: int, end: int, source: str, last: int = 21) -> list[str]:
    """Return lines for the hours from 9 up to `last` of the days from `first` up to `end`."""
    return [line for day in range(first, end) for line in hours(9, last, source, day)]


def notes_of_import(office: Office, *lines: str, head: str = HEAD) -> list[str]:
    said = office.do("counts", "import", office.file("counts.csv", "\n".join([head, *lines])))
    return [line.removeprefix("Note: ") for line in said.splitlines() if line.startswith("Note: ")]


def notes(office: Office, by: str = "site", **period: str) -> list[Any]:
    """Return the notes on feeds of each row."""
    return [
        [note for note in row["notes"] if any(word in note for word in ("twice", "lack", "counted no"))]
        for row in office.rows(by, **(period or DAY))
    ]


def test_a_daily_total_beside_its_hours_is_noted(office: Office) -> None:
    total = "demo;door;visitors;2.11.2026;2.11.2026 24:00;360"
    assert notes_of_import(office, total) == []
    assert notes(office) == [[]]
    (note,) = notes_of_import(office, *hours(9, 18))  # the hours come after the total
    assert note.startswith(TWICE)
    assert notes(office) == [[f"{TWICE}; remove one or the other"]]
    assert notes(office, "day", from_day="2026-11-02", to_day="2026-11-04") == [[note.removesuffix(".")], []]
    assert not any(notes(office, "hour")), "the total stands in an hour of its own"
    assert not any(notes(office, "console"))


@pytest.mark.parametrize(
    ("lines", "is_noted"),
    [
        ([*hours(1, 24), "demo;door;visitors;2.11.2026;3.11.2026;960"], True),
        ([*hours(9, 12, day=2), *hours(9, 12, day=3), "demo;door;visitors;2.11.2026;9.11.2026;960"], True),
        ([*hours(9, 10), "demo;door;visitors;2.11.2026;3.11.2026;960"], True),
        ([*hours(9, 18, "side"), *hours(9, 18, "gate", figure=3), "demo;door;visitors;2.11.2026;3.11.2026;387"], True),
        ([*hours(9, 18, "side"), "demo;door;visitors;2.11.2026;3.11.2026;361"], False),
        ([*hours(9, 18, day=3), "demo;door;visitors;2.11.2026;3.11.2026;360"], False),
        ([*hours(9, 18), "demo;door;transactions;2.11.2026;3.11.2026;360"], False),
        (hours(0, 24), False),
    ],
    ids=[
        "of a day",
        "of a week",
        "one hour",
        "of other sources",
        "not their sum",
        "of another day",
        "of another kind",
        "none",
    ],
)
def test_only_a_total_of_the_same_source_kind_and_time_is_noted(
    office: Office, lines: list[str], *, is_noted: bool
) -> None:
    assert [note for note in notes_of_import(office, *lines) if "twice" in note] == [
        f"{TWICE}; remove one or the other."
    ][: int(is_noted)]


def test_the_total_of_checkout_points_and_sellers_is_noted_but_not_they(office: Office) -> None:
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    office.do("checkout-point", "set", "demo", "desk", "--console", "till-1")
    hour = "demo;pos;transactions;2.11.2026 9:00;2.11.2026 10:00"
    of_sellers = [f"{hour};{20 + number};{number};cash;s-{number}" for number in range(3)]
    of_points = [f"{hour};30;desk;desk;"]
    assert notes_of_import(office, *of_sellers, *of_points, head=MORE) == []
    (note,) = notes_of_import(office, f"{hour};93;all;;", head=MORE)
    assert note.startswith("transactions of demo/pos are counted twice: a total stands")


def test_a_door_that_is_dead_half_the_day_is_noted(office: Office) -> None:
    assert notes_of_import(office, *hours(9, 21, "door-1"), *hours(9, 21, "door-2")) == []
    lines = [*hours(9, 21, "door-1", 3), *hours(9, 15, "door-2", 3)]
    said = "visitors of demo lack those of door-2 for 6.0 h in which its neighbours counted, first on 2026-11-03"
    assert notes_of_import(office, *lines) == [f"{said}."]
    assert notes(office, "day", from_day="2026-11-02", to_day="2026-11-04") == [[], [said]]
    assert notes(office) == [[]]
    office.do("counts", "import", office.file("counts.csv", "\n".join([HEAD, *hours(15, 21, "door-2", 3, figure=0)])))
    nobody = "demo/door-2 counted no visitors for 6.0 h in which its neighbours counted 240, first on 2026-11-03"
    assert notes(office, from_day="2026-11-03", to_day="2026-11-04") == [[f"{nobody}: see whether it works"]]


@pytest.mark.parametrize(
    "lines",
    [
        [*hours(9, 21, "door-1"), *hours(10, 20, "door-2")],
        [*hours(0, 24, "door-1", figure=0), *hours(9, 12, "door-2")],
        [*hours(9, 21, "door-2"), "demo;door-1;visitors;2.11.2026;3.11.2026;900"],
        hours(9, 21, "door-1"),
        [*hours(9, 21, "door-1"), *hours(9, 15, "door-2", figure=1), *hours(15, 21, "door-2", figure=0)],
        [
            line
            for day in (2, 3, 4)
            for line in (
                *hours(9, 21, "door-1", day),
                *hours(9, 15, "door-2", day),
                *hours(15, 21, "door-2", day, figure=0),
            )
        ],
        [*hours(9, 21, "door-1", 2), *hours(9, 21, "door-1", 3), *hours(9, 21, "door-2", 3)],
        [*days(2, 9, "door-1"), "demo;door-2;visitors;2.11.2026;9.11.2026;900"],
        [*days(2, 9, "door-1"), *days(2, 9, "door-2", last=18)],
        [*days(2, 16, "door-1"), *days(6, 8, "door-2"), *days(13, 15, "door-2")],
    ],
    ids=[
        "opens later",
        "nobody came",
        "a whole day at once",
        "alone",
        "few come here",
        "locked each evening",
        "not yet there",
        "a whole week at once",
        "closes earlier each day",
        "on Fridays and Saturdays",
    ],
)
def test_what_is_normal_gets_no_note(office: Office, lines: list[str]) -> None:
    assert notes_of_import(office, *lines) == []


def test_a_count_that_crosses_midnight_is_of_both_days(office: Office) -> None:
    shifts = [
        f"demo;door-2;visitors;{day}.11.2026 {start};{end}.11.2026 {until};90"
        for day in range(2, 9)
        for start, end, until in (("6:00", day, "18:00"), ("18:00", day + 1, "6:00"))
    ]
    by_hour = [line for day in range(2, 9) for line in hours(0, 24, "door-1", day)]
    said = "visitors of demo lack those of door-2 for 6.0 h in which its neighbours counted, first on 2026-11-02"
    assert notes_of_import(office, *by_hour, *shifts) == [f"{said}."]
    assert notes(office, "day", from_day="2026-11-02", to_day="2026-11-04") == [[said], []]
    assert notes(office, from_day="2026-11-03", to_day="2026-11-04") == [[]]


def test_what_is_usual_is_known_from_days_beside_those_reported(office: Office) -> None:
    notes_of_import(office, *days(2, 9, "door-1"), *days(2, 9, "door-2", last=18))
    assert notes(office) == [[]]
    said = "visitors of demo lack those of door-2 for 4.0 h in which its neighbours counted, first on 2026-11-09"
    assert notes_of_import(office, *hours(9, 21, "door-1", 9), *hours(13, 18, "door-2", 9)) == [f"{said}."]


def test_a_door_that_was_replaced_is_missed_only_at_first(office: Office) -> None:
    lines = [*days(2, 16, "door-1"), *days(2, 4, "door-2"), *days(4, 16, "door-3")]
    said = "visitors of demo lack those of door-2 for 36.0 h in which its neighbours counted, first on 2026-11-04"
    assert notes_of_import(office, *lines) == [f"{said}."]
    assert notes_of_import(office, *hours(9, 21, "door-1", 16), *hours(9, 21, "door-3", 16)) == []


def test_a_till_that_is_closed_gets_no_note(office: Office) -> None:
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    office.do("checkout-point", "set", "demo", "desk", "--console", "till-1")
    lines = [f"{line};a{number};cash;" for number, line in enumerate(hours(9, 21, "pos-1"))]
    lines += [f"{line};b{number};desk;" for number, line in enumerate(hours(9, 12, "pos-2"))]
    assert notes_of_import(office, *lines, head=MORE) == []
