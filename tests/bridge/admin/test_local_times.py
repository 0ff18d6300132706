"""Test that times without an offset are kept as typed: whatever the order of commands, reports are the same."""

import json
import shutil
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.admin.commands import Rebuild
from bridge.model import local_time, zone_rules
from tests.bridge.office import Office, OfficeTill, at
from tests.support import facts, planted
from tests.support.writing import writing

ZONE = ("site", "set", "demo", "--timezone", "Europe/Sofia")
TOKYO = ("site", "set", "demo", "--timezone", "Asia/Tokyo")
SHIFTS = """site_id,console_id,seller_id,seller_name,started_at,ended_at
demo,till-1,anna,Anna,2026-11-03T09:00,2026-11-03T12:00
demo,till-1,boris,Boris,2026-11-03 12:00,03.11.2026 20:00
demo,till-1,vera,Vera,2026-11-03T20:00+02:00,2026-11-03T22:00+02:00
"""
COUNTS = """site_id,source_id,kind,from,to,count,checkout_point_id
demo,door,visitors,2026-11-03T09:00,2026-11-03T10:00,11,p1
demo,door,visitors,2026-11-03T12:00,2026-11-03T13:00,12,p1
demo,door,visitors,2026-11-04T00:00,2026-11-04T01:00,13,p2
"""
PLACE = ("checkout-point", "set", "demo", "p2", "--console", "till-1", "--from", "2026-11-04")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an office at which surveys were opened in the local hours 9, 13 and, of the next day, 0."""
    office = Office(tmp_path_factory.mktemp("office"))
    till = OfficeTill()
    till.surveys(at("2026-11-03T09:30+02:00"), yes=4)
    till.surveys(at("2026-11-03T13:00+02:00"), no=3)
    till.surveys(at("2026-11-04T00:30+02:00"), silent=2)
    office.take(till)
    office.do("checkout-point", "set", "demo", "p1", "--console", "till-1", "--from", "2026-11-01")
    office.file("shifts.csv", SHIFTS)
    office.file("counts.csv", COUNTS)
    return office.folder


@pytest.fixture
def office(tmp_path: Path, template: Path) -> Office:
    """Make a copy of that office."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Office(tmp_path)


def do(office: Office, steps: str) -> None:
    commands = {
        "zone": ZONE,
        "tokyo": TOKYO,
        "shifts": ("shift", "import", office.folder / "shifts.csv"),
        "counts": ("counts", "import", "--new", office.folder / "counts.csv"),
        "place": PLACE,
    }
    for step in steps.split():
        office.do(*commands[step])


def state(office: Office) -> Any:
    """Return all that reports show, but for their notes."""
    return [{**row, "notes": None} for row in office.rows("console,checkout_point,seller,hour")]


@pytest.mark.parametrize(
    "steps",
    [
        "zone shifts counts place",
        "shifts counts place zone",
        "counts shifts zone place",
        "place tokyo counts shifts zone",
        "tokyo shifts zone tokyo counts place zone",
        "shifts counts zone shifts counts place shifts counts zone",
    ],
)
def test_the_order_of_commands_does_not_matter(office: Office, steps: str) -> None:
    do(office, steps)
    sellers = {
        row["seller_id"]: (row["yes"], row["no"], row["silent"], row["visitors"]) for row in office.rows("seller")
    }
    assert sellers == {"anna": (4, 0, 0, 11), "boris": (0, 3, 0, 12), None: (0, 0, 2, 13)}
    points = {row["checkout_point_id"]: (row["surveys"], row["visitors"]) for row in office.rows("checkout_point")}
    assert points == {"p1": (7, 23), "p2": (2, 13)}
    days = {row["day"]: (row["surveys"], row["visitors"]) for row in office.rows("day")}
    assert days == {"2026-11-03": (7, 23), "2026-11-04": (2, 13)}
    before = state(office)
    do(office, "shifts counts place zone")
    assert state(office) == before, "the same files again change nothing"
    office.do("rebuild")
    assert state(office) == before
    ids = [f"visitors:2026-11-0{hour}" for hour in ("3T09:00", "3T12:00", "4T00:00")]
    assert facts.counts(office.database, "id") == ids


def test_a_file_with_other_figures_corrects_them_in_any_zone(office: Office) -> None:
    do(office, "counts zone")
    office.do("counts", "import", "--new", office.file("again.csv", COUNTS.replace(",11,", ",21,")))
    assert [row["visitors"] for row in office.rows("site")] == [46]
    office.shifts("demo,till-1,dora,Dora,2026-11-03T09:00,2026-11-03T12:00")
    do(office, "tokyo zone")
    assert [(row["seller_id"], row["yes"]) for row in office.rows("seller")] == [("dora", 4), (None, 0)]


@pytest.mark.parametrize(
    ("shift", "sentence"),
    [
        ("2026-03-29T03:30,2026-03-29T08:00", "2026-03-29 03:30:00 does not exist in Europe/Sofia"),
        ("2026-03-28T22:00,2026-03-29T03:15", "2026-03-29 03:15:00 does not exist in Europe/Sofia"),
        ("2026-03-29T01:00+00:00,2026-03-29T03:00:00", "it would end before it starts, at 2026-03-29T03:00"),
        ("2026-10-25T03:00,2026-10-25T08:00", "2026-10-25 03:00:00 comes twice in Europe/Sofia"),
        ("2026-05-05T09:00+00:00,2026-05-05T11:00", "it would end before it starts, at 2026-05-05T11:00"),
    ],
)
def test_a_zone_in_which_times_have_no_meaning_is_refused(office: Office, shift: str, sentence: str) -> None:
    do(office, "shifts counts")
    assert office.shifts(f"demo,till-1,eva,Eva,{shift}").status == 0
    before = state(office)
    refused = office.run(*ZONE)
    assert refused.status == 1
    assert sentence in refused.err
    assert "shift at demo/till-1" in refused.err
    assert state(office) == before


def test_shifts_that_would_overlap_in_a_zone_are_told(office: Office) -> None:
    assert office.shifts("demo,till-1,anna,Anna,2026-11-03T09:00,2026-11-03T12:00").status == 0
    assert office.shifts("demo,till-1,vera,Vera,2026-11-03T12:00+00:00,2026-11-03T16:00+00:00").status == 0
    refused = office.run("site", "set", "demo", "--timezone", "America/New_York")
    assert "that of anna from 2026-11-03T09:00-05:00 would overlap that of vera" in refused.err
    do(office, "zone")


def test_a_count_that_has_no_hour_in_a_zone_is_told(office: Office) -> None:
    text = COUNTS + "demo,door,visitors,2026-03-29T03:00,2026-03-29T04:00,0,p1\n"
    office.do("counts", "import", "--new", office.file("counts.csv", text))
    refused = office.run(*ZONE)
    assert refused.status == 1
    assert "count visitors:2026-03-29T03:00 of demo/door: 2026-03-29 03:00:00 does not exist" in refused.err


@pytest.mark.parametrize(
    ("timezone", "day", "begins", "zone_comes"),
    [
        ("America/Santiago", "2026-09-06", "2026-09-06T01:00-03:00", "first"),
        ("America/Santiago", "2026-09-06", "2026-09-06T01:00-03:00", "last"),
        ("Asia/Beirut", "2026-03-29", "2026-03-29T01:00+03:00", "first"),
        ("America/Havana", "2026-03-08", "2026-03-08T01:00-04:00", "last"),
        ("Africa/Cairo", "2026-04-24", "2026-04-24T01:00+03:00", "first"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00-02:00", "last"),
        ("Pacific/Apia", "2011-12-30", "2011-12-31T00:00+14:00", "first"),
    ],
)
def test_a_day_that_does_not_begin_at_midnight(
    tmp_path: Path, timezone: str, day: str, begins: str, zone_comes: str
) -> None:
    following = date.fromisoformat(day) + timedelta(days=1)
    office = Office(tmp_path)
    till = OfficeTill(base_ms=at(begins) - 86_400_000)
    till.surveys(at(begins), yes=2)
    office.take(till)
    zone = ("site", "set", "demo", "--timezone", timezone)
    if zone_comes == "first":
        office.do(*zone)
    office.do("checkout-point", "set", "demo", "p1", "--console", "till-1", "--from", day)
    assert office.shifts(f"demo,till-1,anna,Anna,{day}T00:00,{following}T08:00").status == 0
    line = f"demo,door,visitors,{day}T00:00,{following}T00:00,5,p1"
    office.do("counts", "import", "--new", office.file("counts.csv", f"{COUNTS.splitlines()[0]}\n{line}\n"))
    if zone_comes == "last":
        office.do(*zone)
    assert facts.shifts(office.database, "started_at_ms") == [at(begins)]
    assert facts.placements(office.database, "from_ms") == [at(begins)]
    (row,) = office.rows("day,seller,checkout_point", from_day=day, to_day=str(following + timedelta(days=1)))
    assert (row["day"], row["seller_id"], row["surveys"], row["visitors"]) == (begins[:10], "anna", 2, 5)


def test_the_hours_of_a_day_that_begins_at_one_are_counts_of_their_own(tmp_path: Path) -> None:
    office = Office(tmp_path)
    head = COUNTS.splitlines()[0].removesuffix(",checkout_point_id")
    lines = [f"demo,door,visitors,2026-09-06T0{hour}:00,2026-09-06T0{hour + 1}:00,{hour}" for hour in range(3)]
    file = office.file("counts.csv", "\n".join([head, *lines]) + "\n")
    office.do("counts", "import", "--new", file)
    office.do("site", "set", "demo", "--timezone", "America/Santiago")
    assert office.do("counts", "import", file) == "3 counts imported.\n"
    office.do("counts", "import", office.file("again.csv", f"{head}\n{lines[0]}0\n{lines[1]}0\n"))
    assert facts.counts(office.database, "count") == [0, 10, 2]


def test_times_with_and_without_an_offset_are_the_same_only_once_the_zone_is_set(office: Office) -> None:
    shift = "demo,till-1,{0},{0},2026-11-03T{1},2026-11-03T{2}"
    assert office.shifts(shift.format("anna", "09:00", "10:00")).status == 0
    refused = office.shifts(shift.format("vera", "09:00Z", "10:00Z"))
    assert "the shift starts with one that was imported before, though one has an offset" in refused.err
    head, line, *_ = COUNTS.splitlines()
    files = [
        office.file("typed.csv", f"{head}\n{line}\n"),
        office.file("offset.csv", f"{head}\n{line.replace(':00', ':00Z')}\n"),
    ]
    for file in files:
        assert office.do("counts", "import", "--new", file).splitlines()[0] == "1 count imported."
    assert facts.counts(office.database, "count") == [11, 11]
    office.do("site", "set", "demo", "--timezone", "UTC")
    told = office.do("counts", "import", files[0])
    assert "1 count of this file may be counted twice: before the time zone was set" in told


def test_files_imported_by_an_older_version_double_nothing(office: Office) -> None:
    do(office, "zone shifts counts place")
    before = state(office)
    planted.forget_typed_times(office.database)
    do(office, "shifts counts place")
    assert state(office) == before
    do(office, "tokyo zone")
    assert state(office) == before, "now they are kept as typed"


@contextmanager
def zone_file(folder: Path, source: str) -> Iterator[None]:
    """Have this machine use the rules of another zone for Europe/Sofia."""
    file = folder / "Europe" / "Sofia"
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(next(path for top in zoneinfo.TZPATH if (path := Path(top) / source).exists()), file)
    try:
        use_zones([str(folder), *zoneinfo.TZPATH])
        yield
    finally:
        use_zones(None)


def use_zones(folders: list[str] | None) -> None:
    """Forget all zones, as a new process does, and read them from these folders; None: where they are."""
    zoneinfo.reset_tzpath(folders)
    zoneinfo.ZoneInfo.clear_cache()
    for cached in (*vars(local_time).values(), *vars(zone_rules).values()):
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


@pytest.mark.parametrize("who", ["command", "bridge"])
def test_new_rules_of_a_zone_are_followed_and_told(
    office: Office, who: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with zone_file(tmp_path / "zones", "Europe/Moscow"):  # an hour ahead
        do(office, "zone shifts counts place")
        assert facts.shifts(office.database, "started_at_ms")[0] == at("2026-11-03T09:00+03:00")
        assert not caplog.messages
    assert "new rules for the time zone Europe/Sofia: start the bridge again" in office.do("doctor")
    if who == "bridge":
        with writing(office.database) as writer:
            writer.perform(Rebuild())
    sellers = {
        row["seller_id"]: (row["yes"], row["no"], row["silent"], row["visitors"]) for row in office.rows("seller")
    }
    assert sellers == {"anna": (4, 0, 0, 11), "boris": (0, 3, 0, 12), None: (0, 0, 2, 13)}
    assert [row["day"] for row in office.rows("day")] == ["2026-11-03", "2026-11-04"]
    (told,) = [message for message in caplog.messages if "new rules" in message]
    assert "Europe/Sofia: days and hours of 1 site are derived again" in told
    before = state(office)
    office.do("rebuild")
    assert state(office) == before
    change = json.loads(office.do("history", "--json"))[-1]
    assert change["who"] == "-"
    assert any("by the bridge itself: new rules of 1 time zone" in note for note in office.rows("site")[0]["notes"])
    assert (change["before"]["offsets"][:6], change["after"]["offsets"][:6]) == ("+03:00", "+02:00")


def test_rules_that_change_in_future_move_nothing() -> None:
    rules = zone_rules.rules_of("Europe/Sofia")
    later = zone_rules.LAST_S - 10_000_000
    assert zone_rules.changed_span_s(rules, rules) is None
    changed = (*(rule for rule in rules if rule[0] < later), (later, 3600))
    assert zone_rules.changed_span_s(rules, changed) == (later, zone_rules.LAST_S)
    assert zone_rules.changed_span_s(((0, 0),), ((0, 0), (50, 3600), (70, 0))) == (50, 70)
