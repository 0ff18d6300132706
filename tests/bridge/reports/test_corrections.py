"""Test that corrections made after the fact are told: by the command that makes them, and in the reports they touch."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bridge.office import Office, OfficeTill, at

DAY = "2026-11-02"
CORRECTED = "Reports of the time past now say that this was corrected: see `trivox history`."
HEAD = "site_id,source_id,kind,from,to,count,checkout_point_id"
ANNA, BORIS = (
    "demo,till-1,anna,Anna,2026-11-02T08:00,2026-11-02T12:00",
    "demo,till-1,boris,Boris,2026-11-02T12:00,2026-11-02T16:00",
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an office of till-1 at p1 and till-2 at p2."""
    office = Office(tmp_path_factory.mktemp("office"))
    till, other = OfficeTill(), OfficeTill(console_id="till-2", epoch="0000beef")
    till.surveys(at("2026-11-02T09:00+00:00"), no=4)
    till.surveys(at("2026-11-02T13:00+00:00"), yes=3)
    till.surveys(at("2026-11-03T09:00+00:00"), yes=2)
    other.surveys(at("2026-11-02T09:00+00:00"), silent=5)
    office.take(till, other)
    office.do("site", "set", "demo", "--timezone", "UTC")
    for number in (1, 2):
        office.do("checkout-point", "set", "demo", f"p{number}", "--console", f"till-{number}")
    assert office.shifts(ANNA, BORIS, ANNA.replace("till-1,anna,Anna", "till-2,vera,Vera")).status == 0
    counts(office, 10)
    return office.folder


@pytest.fixture
def office(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Make a copy of that office, in which the user is called chef."""
    monkeypatch.setattr("bridge.service.control.current_user", lambda: "chef")
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Office(tmp_path)


def counts(office: Office, figure: int, hours: tuple[int, int] = (8, 12), source: str = "door") -> str:
    times = [f"2026-11-02T{hour:02}:00" for hour in hours]
    lines = [HEAD, f"demo,{source},visitors,{','.join(times)},{figure},p1"]
    return office.do("counts", "import", office.file("counts.csv", "\n".join(lines) + "\n"))


def touched(office: Office, by: str, *, key: str | None = None, **days: str) -> dict[object, list[str]]:
    """Return the notes on corrections of each row, by a column, or the first of its group."""
    return {
        row[key or next(iter(row))]: [
            note.partition(" by ")[2] for note in row["notes"] if note.startswith("corrected after the fact on ")
        ]
        for row in office.rows(by, **days)
    }


def test_what_was_imported_once_or_again_is_no_correction(office: Office) -> None:
    assert office.shifts(ANNA, BORIS).out == "2 shifts imported.\n"
    assert counts(office, 10) == "1 count imported.\n"
    assert not any(touched(office, "hour").values())


def test_swapped_sellers_are_told(office: Office) -> None:
    swapped = office.shifts(ANNA.replace("anna,Anna", "boris,Boris"), BORIS.replace("boris,Boris", "anna,Anna"))
    assert swapped.out == (
        "2 shifts imported.\n2 shifts replaced, 7 surveys now belong to other sellers: see `trivox history`.\n"
    )
    note = ["chef: 2 shifts (see `trivox history --site demo`)"]
    assert touched(office, "seller") == {"anna": note, "boris": note, "vera": [], None: []}
    assert touched(office, "day") == {"2026-11-02": note, "2026-11-03": []}
    assert touched(office, "console", key="console_id") == {"till-1": note, "till-2": []}
    assert touched(office, "checkout_point", key="checkout_point_id") == {"p1": note, "p2": []}
    assert touched(office, "site", from_day="2026-11-03") == {"demo": []}
    hours = touched(office, "hour")
    assert [hour for hour, notes in hours.items() if notes] == [
        f"2026-11-02T{hour}:00+00:00"
        for hour in ("08", "09", "13")  # at eight there were sales, and nobody was asked
    ]


def test_a_seller_who_was_renamed_is_told(office: Office) -> None:
    office.shifts(ANNA.replace("Anna", "Maria"))
    notes = {row["seller_id"]: [note for note in row["notes"] if "was called" in note] for row in office.rows("seller")}
    assert notes.pop("anna")[0].startswith("was called Anna until ")
    assert not any(notes.values())


def test_a_name_is_told_once_and_no_more_when_the_seller_has_his_first_one_again(office: Office) -> None:
    def told(name: str) -> list[str]:
        office.shifts(ANNA.replace("Anna", name))
        (row,) = (row for row in office.rows("seller") if row["seller_id"] == "anna")
        return [note.partition(" until ")[0] for note in row["notes"] if "was called" in note]

    assert told("Anya") == ["was called Anna"]
    assert told("Anna") == []
    assert told("Maria") == ["was called Anna", "was called Anya"]
    assert told("Anya") == ["was called Anna", "was called Maria"]


def test_a_shift_put_in_behind_is_told(office: Office) -> None:
    late = ANNA.replace("T08", "T06").replace("T12", "T08").replace("anna,Anna", "olga,Olga")
    assert office.shifts(late).status == 0
    assert touched(office, "day") == {
        "2026-11-02": ["chef: 1 shift (see `trivox history --site demo`)"],
        "2026-11-03": [],
    }


def test_shifts_that_take_the_place_of_removed_ones_are_told(office: Office) -> None:
    office.do("shift", "remove", "--seller", "anna")
    office.shifts(ANNA)
    assert not any(touched(office, "hour,seller", key="seller_id").values()), "all is as it was"
    office.do("shift", "remove", "--seller", "anna")
    office.shifts(ANNA.replace("anna,Anna", "olga,Olga"))
    notes = touched(office, "hour,seller", key="seller_id")
    assert notes == {"olga": ["chef: 1 shift (see `trivox history --site demo`)"], "boris": [], "vera": [], None: []}


def test_a_shift_that_takes_the_rest_of_another_is_told(office: Office) -> None:
    office.shifts(BORIS.replace("T16:00", "T13:01"), "demo,till-1,dan,Dan,2026-11-02T13:01,2026-11-02T16:00")
    note = ["chef: 1 shift (see `trivox history --site demo`)"]
    notes = touched(office, "seller")
    assert (notes["anna"], notes["boris"], notes["dan"]) == ([], note, note)


def test_a_placement_that_takes_the_place_of_a_removed_one_is_told(office: Office) -> None:
    office.do("checkout-point", "remove", "demo", "p1", "--console", "till-1")
    office.do("checkout-point", "set", "demo", "p3", "--console", "till-1")
    note = ["chef: 1 placement (see `trivox history --site demo`)"]
    assert touched(office, "checkout_point", key="checkout_point_id") == {"p1": note, "p2": [], "p3": note}


def test_what_was_swapped_back_is_told_no_more_and_what_was_swapped_often_once(office: Office) -> None:
    swapped = ANNA.replace("anna,Anna", "boris,Boris"), BORIS.replace("boris,Boris", "anna,Anna")
    for lines in (swapped, (ANNA, BORIS)):
        office.shifts(*lines)
    assert not any(touched(office, "seller").values())
    for lines in (swapped, (ANNA, BORIS), swapped):
        office.shifts(*lines)
    assert touched(office, "seller")["anna"] == ["chef: 2 shifts (see `trivox history --site demo`)"]


def test_shifts_of_tomorrow_and_of_nobody_yet_are_no_corrections(office: Office) -> None:
    for seller in ("anna,Anna", "boris,Boris"):
        assert office.shifts(f"demo,till-1,{seller},2099-11-02T08:00,2099-11-02T12:00").status == 0
    assert office.shifts("demo,till-2,olga,Olga,2026-11-03T08:00,2026-11-03T12:00").status == 0
    assert not any(touched(office, "seller", to_day="2099-12-01").values())


def test_a_shift_that_ended_earlier_leaves_surveys_to_nobody(office: Office) -> None:
    assert "1 survey now belongs to another seller" in office.shifts(BORIS.replace("T16:00", "T13:01")).out
    note = ["chef: 1 shift (see `trivox history --site demo`)"]
    assert touched(office, "seller") == {"anna": [], "boris": note, "vera": [], None: note}


def test_a_corrected_count_is_told(office: Office) -> None:
    assert counts(office, 30) == "1 count imported.\n1 count replaced: see `trivox history`.\n"
    note = ["chef: 1 count (see `trivox history --site demo`)"]
    assert touched(office, "seller") == {"anna": note, "boris": [], "vera": [], None: []}
    assert {row["checkout_point_id"]: row["visitors"] for row in office.rows("checkout_point")} == {
        "p1": 30,
        "p2": None,
    }
    assert touched(office, "week") == {"2026-W45": note}


def test_a_removed_count_is_told_only_where_it_counted(office: Office) -> None:
    office.do("counts", "remove", "--site", "demo")
    note = ["chef: 1 count (see `trivox history --site demo`)"]
    assert touched(office, "seller") == {"anna": note, "boris": [], "vera": [], None: []}
    assert touched(office, "checkout_point", key="checkout_point_id") == {"p1": note, "p2": []}
    text = (office.folder / "counts.csv").read_text("utf-8")
    office.do("counts", "import", office.file("moved.csv", text.replace("p1", "p2")))
    assert touched(office, "checkout_point", key="checkout_point_id") == {"p1": note, "p2": note}
    office.do("counts", "remove", "--site", "demo")
    counts(office, 10)
    assert not any(touched(office, "seller").values()), "all is as it was"


def shared_count(office: Office, figure: int = 40) -> None:
    """Have another door of p1 count all day, which is shared out between Anna and Boris."""
    counts(office, figure, (8, 16), "gate")


@pytest.mark.parametrize(
    ("correct", "kind"),
    [
        (lambda office: shared_count(office, 60), "count"),
        (lambda office: office.do("counts", "remove", "--site", "demo", "--source", "gate"), "count"),
        (lambda office: office.shifts(ANNA.replace("T12:00", "T10:00")), "shift"),
        (lambda office: office.do("shift", "remove", "--seller", "anna"), "shift"),
        (lambda office: office.do("shift", "remove", "--seller", "boris"), "shift"),
        (
            lambda office: office.do("checkout-point", "set", "demo", "p3", "--console", "till-1", "--from", DAY),
            "placement",
        ),
    ],
)
def test_a_correction_is_told_to_all_who_share_the_count(
    office: Office, correct: Callable[[Office], object], kind: str
) -> None:
    shared_count(office)
    before = {row["seller_id"]: row["visitors"] for row in office.rows("seller")}
    correct(office)
    notes = touched(office, "seller")
    note = [f"chef: 1 {kind} (see `trivox history --site demo`)"]
    assert notes["vera"] == [], "she is at another checkout point"
    figures = {row["seller_id"]: row["visitors"] for row in office.rows("seller")}
    changed = [seller for seller, figure in figures.items() if figure != before[seller]]
    assert {"anna", "boris"} & set(changed)
    assert all(notes[seller] == note for seller in changed)


def test_a_shift_is_told_on_the_day_under_which_its_count_stands(office: Office) -> None:
    lines = [HEAD, "demo,gate,visitors,2026-11-02T08:00,2026-11-03T12:00,40,p1"]
    office.do("counts", "import", office.file("long.csv", "\n".join(lines) + "\n"))
    olga = "demo,till-1,olga,Olga,2026-11-03T08:00,2026-11-03T12:00"
    office.shifts(olga)
    office.shifts(olga.replace("T12:00", "T09:00"))
    note = ["chef: 1 shift (see `trivox history --site demo`)"]
    notes = touched(office, "seller", to_day="2026-11-03")
    assert notes == {"anna": note, "boris": note, "olga": note, "vera": [], None: note}


def test_a_console_that_came_to_stand_beside_another_is_told_there(office: Office) -> None:
    office.do("checkout-point", "set", "demo", "p1", "--console", "till-2", "--from", "2026-11-02")
    note = ["chef: 1 placement (see `trivox history --site demo`)"]
    assert touched(office, "console", key="console_id") == {"till-1": note, "till-2": note}
    assert {row["visitors"] for row in office.rows("console")} == {None}, "the count is of no one console"
    assert touched(office, "seller") == {"anna": note, "boris": [], "vera": note, None: note}


def test_a_till_that_corrects_an_old_count_is_told(office: Office) -> None:
    span = {"from_ms": at("2026-11-02T08:00+00:00"), "to_ms": at("2026-11-02T09:00+00:00")}
    for figure in (4, 4, 6):
        office.count("pos", {"id": "a", "kind": "transactions", "count": figure, **span})
    assert touched(office, "site") == {"demo": ["chef: 1 count (see `trivox history --site demo`)"]}


@pytest.mark.parametrize(
    ("command", "kind", "told"),
    [
        ("site set demo --timezone Asia/Tokyo", "1 time zone", "14 surveys now lie in other hours"),
        (
            "checkout-point set demo p9 --console till-1 --from 2026-11-02",
            "1 placement",
            "9 surveys now belong to other",
        ),
        ("question set staff --silent-weight 0.2", "1 silent weight", CORRECTED),
        ("settings set --all force_majeure_scope_s=60", "1 setting", CORRECTED),
        ("settings set --all force_majeure_level_max=0.5", "1 setting", CORRECTED),
    ],
)
def test_other_corrections_are_told(office: Office, command: str, kind: str, told: str) -> None:
    said = office.do(*command.split())
    assert told in said
    office.do(*command.split())
    (row,) = office.rows("site")
    (note,) = [note for note in row["notes"] if "corrected after the fact" in note]
    assert f" by chef: {kind} (see `trivox history" in note
    assert not any(
        "corrected" in note
        for row in office.rows("site", from_day="2026-12-01", to_day="2027-01-01")
        for note in row["notes"]
    )


def test_settings_for_the_time_to_come_correct_nothing(office: Office) -> None:
    office.do("settings", "set", "--all", "survey_window_ms=9000", "ask_every=2")
    office.do("question", "set", "office", "--silent-weight", "0.2")
    assert CORRECTED not in office.do("question", "set", "staff", "--kind", "office"), "surveys keep their kind"
    office.do("checkout-point", "set", "demo", "p9", "--console", "till-2", "--from", "2099-11-02")
    assert not any(touched(office, "site").values())


def test_a_zone_that_nobody_has_set_is_told_until_it_is(tmp_path: Path) -> None:
    office = Office(tmp_path)
    till = OfficeTill()
    till.surveys(at("2026-11-02T09:00+00:00"), no=4)
    office.take(till)
    sentence = "nobody has set the time zone of demo: days and hours are those of UTC (see `trivox site set`)"
    assert all(sentence in row["notes"] for by in ("site", "seller", "hour", "question") for row in office.rows(by))
    assert "Nobody has set the time zone of site demo" in office.do("doctor")
    assert sentence in office.do("watch", "--once")
    assert json.loads(office.do("site", "list", "--json"))[0]["timezone_is_set"] is False
    office.do("site", "set", "demo", "--timezone", "UTC")
    assert all("time zone" not in note for row in office.rows("hour") for note in row["notes"])
    assert "Nobody has set" not in office.do("doctor")
    assert "nobody has set" not in office.do("watch", "--once")
    assert json.loads(office.do("site", "list", "--json"))[0]["timezone_is_set"] is True
    assert not any(touched(office, "hour").values())


def test_a_first_zone_that_moves_surveys_to_another_day_is_told_after_it(tmp_path: Path) -> None:
    office = Office(tmp_path)
    till = OfficeTill()
    till.surveys(at("2026-11-02T23:00+00:00"), no=4)
    office.take(till)
    assert "4 surveys now lie on other days, 4 surveys now lie in other hours" in office.do(
        "site", "set", "demo", "--timezone", "Europe/Sofia"
    )
    (note,) = touched(office, "site")["demo"]
    assert note.endswith(": 1 time zone (see `trivox history --site demo`)")
