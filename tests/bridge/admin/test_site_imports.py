"""Test imports of sites and checkout points: all of a file or nothing, with the same result as single commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.bridge.office import Office, OfficeTill, at
from tests.support import facts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    till = OfficeTill()
    till.survey(at("2026-11-02T09:00+00:00"), "yes")
    till.survey(at("2026-11-12T09:00+00:00"), "no")
    made.take(till)
    return made


def sites(office: Office, *lines: str) -> Any:
    return office.run("site", "import", office.file("sites.csv", "\n".join(["site_id,timezone", *lines])))


def points(office: Office, *lines: str, head: str = "site_id,checkout_point_id,console_id,from") -> Any:
    return office.run("checkout-point", "import", office.file("points.csv", "\n".join([head, *lines])), "--new")


def zones(office: Office) -> dict[str, str]:
    return dict(facts.sites(office.database, "site_id", "timezone"))


def at_points(office: Office) -> dict[str | None, int]:
    return {row["checkout_point_id"]: row["surveys"] for row in office.rows("checkout_point")}


def test_sites_get_their_time_zones_and_surveys_follow(office: Office) -> None:
    result = sites(office, "demo,Asia/Tokyo", "new,Europe/Sofia")
    assert result.status == 0
    told = "2 sites imported.\n2 surveys now lie in other hours: see `trivox history`.\n"
    assert result.out == f"Made site new.\n{told}"
    assert zones(office) == {"demo": "Asia/Tokyo", "new": "Europe/Sofia"}
    assert [row["hour"] for row in office.rows("hour")] == ["2026-11-02T18:00+09:00", "2026-11-12T18:00+09:00"]
    assert sites(office, "demo,UTC").out.startswith("1 site imported.\n")
    assert [row["hour"][-6:] for row in office.rows("hour")] == ["+00:00", "+00:00"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Demo,UTC", "line 3: site_id 'Demo' is not a valid id"),
        ("shop,Europe/Sofa", "line 3: There is no time zone 'Europe/Sofa': give a name such as Europe/Sofia or UTC\n"),
        ("shop,", "line 3: There is no time zone ''"),
        ("shop,Factory", "line 3: Time zone 'Factory' is not that of a place: give a name such as Europe/Sofia"),
        ("demo,Europe/Sofia", "line 3: site demo is also in an earlier line: give it once"),
        ("demo", "line 3: it has 1 value, but the first line has 2"),
    ],
)
def test_a_bad_site_is_named_and_none_is_set(office: Office, line: str, words: str) -> None:
    result = sites(office, "demo,Asia/Tokyo", line)
    assert result.status == 1
    assert words in result.err
    assert zones(office) == {"demo": "UTC"}


def test_consoles_are_placed_where_and_since_when_the_file_says(office: Office) -> None:
    result = points(office, "demo,cash,till-1,", "demo,desk,till-1,2026-11-10", "shop,cash,till-1,")
    assert result.status == 0
    assert result.out.endswith("Made checkout point shop/cash.\n3 checkout points imported.\n")
    assert at_points(office) == {"cash": 1, "desk": 1}
    assert points(office, "demo,door,till-1,2026-11-10", "demo,cash,till-1,29.11.2026 23:00").status == 0
    assert facts.placements(office.database, "from_ms")[2] == at("2026-11-29T23:00+00:00")
    sites(office, "demo,Europe/Sofia")
    assert facts.placements(office.database, "from_ms")[2] == at("2026-11-29T23:00+02:00")
    assert at_points(office) == {"cash": 1, "door": 1}


def test_a_file_without_dates_does_the_same_as_the_command(office: Office, tmp_path: Path) -> None:
    other = Office(tmp_path / "other")
    other.folder.mkdir()
    till = OfficeTill()
    till.survey(at("2026-11-02T09:00+00:00"), "yes")
    other.take(till)
    other.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    assert points(office, "demo,cash,till-1", head="site_id,checkout_point_id,console_id").status == 0
    for one in (office, other):
        assert facts.placements(one.database, "from_ms", "checkout_point_id") == [(0, "cash")]


def test_figures_of_tills_follow_a_console_to_its_new_place(office: Office) -> None:
    sale = {"id": "a", "kind": "transactions", "from_ms": at("2026-11-02T09:00+00:00"), "count": 4}
    office.count("till", {**sale, "to_ms": sale["from_ms"] + 1, "checkout_point_id": "cash"})
    assert [row["transactions"] for row in office.rows("console")] == [None]
    points(office, "demo,cash,till-1,")
    assert [row["transactions"] for row in office.rows("console")] == [4]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("demo,cash,Till,", "line 3: console_id 'Till' is not a valid id"),
        (",cash,till-2,", "line 3: site_id '' is not a valid id"),
        ("demo,,till-2,", "line 3: checkout_point_id must be 1 to 64 printable characters"),
        ("demo,cash,till-2,Monday", "line 3: from 'Monday' is not a time such as 2026-11-22 13:00"),
        ("demo,desk,till-1,", "line 3: console demo/till-1 is also in an earlier line without a date: give it once"),
    ],
)
def test_a_bad_checkout_point_is_named_and_nothing_is_placed(office: Office, line: str, words: str) -> None:
    result = points(office, "demo,cash,till-1,", line)
    assert result.status == 1
    assert words in result.err
    assert facts.placements(office.database) == []


def test_rollups_are_as_a_rebuild_would_have_them(office: Office) -> None:
    sites(office, "demo,Asia/Tokyo")
    points(office, "demo,cash,till-1,", "demo,desk,till-1,2026-11-10")
    before = facts.derived(office.database)
    office.do("rebuild")
    assert facts.derived(office.database) == before
