"""A mistyped name makes nothing: what is not known is refused with the nearest known name, unless it is to be made."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.bridge.office import Office, OfficeTill, at
from tests.support import facts
from tests.support.service import Service

if TYPE_CHECKING:
    from pathlib import Path

NINE = at("2026-11-02T09:00+00:00")
FILES = {
    "shifts.csv": (
        "site_id,console_id,seller_id,seller_name,started_at,ended_at",
        "{site}-1,{console}-1,anna,Anna,2026-11-02T08:00,2026-11-02T17:00",
    ),
    "counts.csv": (
        "site_id,source_id,kind,from,to,count,checkout_point_id",
        "{site}-1,door,visitors,2026-11-02T08:00,2026-11-02T17:00,7,{point}",
    ),
    "points.csv": ("site_id,checkout_point_id,console_id", "{site}-1,{point},{console}-1"),
}
RIGHT = {"site": "sofia", "console": "till", "point": "counter"}

MEANT_COUNTER = "(did you mean sofia-1/counter? If so, run `trivox checkout-point remove sofia-1 countr`)"

UNKNOWN = [
    (("settings", "set", "ask_every=2", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("settings", "set", "ask_every=2", "--console", "sofia-1/tll-1"), "console sofia-1/tll-1", "sofia-1/till-1"),
    (("settings", "set", "ask_every=2", "--console", "sofya-1/till-1"), "console sofya-1/till-1", "sofia-1/till-1"),
    (("question", "set", "staff", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("question", "set", "staff", "--console", "sofia-1/tll-1"), "console sofia-1/tll-1", "sofia-1/till-1"),
    (
        ("checkout-point", "set", "sofya-1", "counter", "--console", "till-1"),
        "console sofya-1/till-1",
        "sofia-1/till-1",
    ),
    (("checkout-point", "set", "sofia-1", "counter", "--console", "tll-1"), "console sofia-1/tll-1", "sofia-1/till-1"),
    (("source", "enroll", "sofya-1/door"), "site sofya-1", "sofia-1"),
    (("console", "keys", "keys.json", "sofia-1/tll-1"), "console sofia-1/tll-1", "sofia-1/till-1"),
    (("bridge", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("console", "flash", "--site", "sofya-1", "--console", "till-1"), "site sofya-1", "sofia-1"),
]
UNKNOWN_FOR_EVER = [  # nothing could be made of these names
    (("settings", "set", "--all", "question_id=staf"), "key question staf", "staff"),
    (("question", "set", "staf", "--silent-weight", "0.4"), "key question staf", "staff"),
    (("question", "card", "loyalti"), "key question loyalti", "loyalty"),
    (("question", "remove", "ofice"), "key question ofice", "office"),
    (("question", "card", "staff", "--for", "seller", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("console", "list", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("console", "revoke", "sofia-1/tll-1"), "console sofia-1/tll-1", "sofia-1/till-1"),
    (("console", "retire", "sofia-1/tll-1"), "console sofia-1/tll-1", "sofia-1/till-1"),
    (("console", "remove", "sofia-1/tll-1"), "console sofia-1/tll-1", "sofia-1/till-1"),
    (("site", "remove", "sofya-1"), "site sofya-1", "sofia-1"),
    (("checkout-point", "remove", "sofia-1", "countr"), "checkout point sofia-1/countr", "sofia-1/counter"),
    (("checkout-point", "list", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("shift", "list", "--console", "sofia-1/tll-1"), "console sofia-1/tll-1", "sofia-1/till-1"),
    (("shift", "remove", "--seller", "ana"), "seller ana", "anna"),
    (("seller", "remove", "ana"), "seller ana", "anna"),
    (("console", "update", "--to", "1.0.0", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("history", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("counts", "remove", "--site", "sofya-1"), "site sofya-1", "sofia-1"),
    (("counts", "list", "--source", "dor"), "source dor", "door"),
    (("report", "--period", "today", "--console", "tll-1"), "console tll-1", "sofia-1/till-1"),
    (("shift", "list", "--seller", "ANNA"), "seller ANNA", "anna"),
]


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Make an office that knows sofia-1/till-1 at the checkout point `counter`, and the seller anna.

    It is made once: what is refused changes nothing.
    """
    office = Office(tmp_path_factory.mktemp("office"))
    office.do("site", "set", "sofia-1", "--timezone", "UTC")
    office.do("console", "enroll", "sofia-1/till-1")
    office.do("checkout-point", "set", "sofia-1", "counter", "--console", "till-1")
    office.shifts("sofia-1,till-1,anna,Anna,2026-10-02T08:00,2026-10-02T17:00")
    office.count("door", {"id": "a", "kind": "visitors", "from_ms": NINE, "to_ms": NINE, "count": 1}, "sofia-1")
    return office


@pytest.fixture
def office(unchanged: Office, tmp_path: Path) -> Office:
    """Copy that office."""
    shutil.copytree(unchanged.folder, tmp_path, dirs_exist_ok=True)
    return Office(tmp_path)


def known(office: Office) -> tuple[object, ...]:
    """Return everything that a mistyped name could add to."""
    return (
        facts.sites(office.database),
        facts.consoles(office.database, "site_id", "console_id"),
        facts.placements(office.database),
        facts.settings(office.database),
        facts.shifts(office.database),
        facts.counts(office.database),
        sorted(str(path) for path in office.folder.rglob("*-keys/**")),
    )


def file(office: Office, name: str, *, lines: int = 1, **wrong: str) -> Path:
    """Write a file for an import whose last line has something `wrong`."""
    head, line = FILES[name]
    return office.file(name, "\n".join([head, *[line.format(**RIGHT)] * (lines - 1), line.format(**RIGHT | wrong)]))


@pytest.mark.parametrize(("words", "unknown", "nearest"), UNKNOWN + UNKNOWN_FOR_EVER)
def test_an_unknown_name_is_refused_with_the_nearest(
    unchanged: Office, words: tuple[str, ...], unknown: str, nearest: str
) -> None:
    before = known(unchanged)
    result = unchanged.run(*words)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1), result
    assert result.err.startswith(f"trivox: There is no {unknown}")
    assert f"did you mean {nearest}?" in result.err
    assert ("--new" in result.err) == ((words, unknown, nearest) in UNKNOWN)
    assert known(unchanged) == before


@pytest.mark.parametrize(
    ("command", "name", "wrong", "unknown", "nearest"),
    [
        ("shift", "shifts.csv", {"site": "sofya"}, "console sofya-1/till-1", "sofia-1/till-1"),
        ("shift", "shifts.csv", {"console": "tll"}, "console sofia-1/tll-1", "sofia-1/till-1"),
        ("counts", "counts.csv", {"site": "sofya"}, "site sofya-1", "sofia-1"),
        ("counts", "counts.csv", {"point": "countr"}, "checkout point sofia-1/countr", "sofia-1/counter"),
        ("checkout-point", "points.csv", {"site": "sofya"}, "console sofya-1/till-1", "sofia-1/till-1"),
        ("checkout-point", "points.csv", {"console": "tll"}, "console sofia-1/tll-1", "sofia-1/till-1"),
    ],
)
def test_an_unknown_name_in_a_file_is_refused_with_its_line(
    unchanged: Office, command: str, name: str, wrong: dict[str, str], unknown: str, nearest: str
) -> None:
    before = known(unchanged)
    result = unchanged.run(command, "import", file(unchanged, name, lines=2, **wrong))
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1), result
    assert (
        f"{name}: nothing was imported; correct line 3: there is no {unknown}: did you mean {nearest}? " in result.err
    )
    assert "If it is new, give --new" in result.err
    assert known(unchanged) == before


def test_the_nearest_site_is_named_where_no_console_of_it_is_near(unchanged: Office) -> None:
    assert "did you mean site sofia-1?" in unchanged.run("settings", "set", "a=1", "--console", "sofya-1/kiosk").err
    assert "see `trivox site list`" in unchanged.run("settings", "set", "a=1", "--site", "zzzz").err


def test_a_seller_whom_only_counts_name_is_told_with_the_nearest(office: Office) -> None:
    head, line = FILES["counts.csv"]
    table = f"{head},seller_id\n{line.format(**RIGHT)},Anna\n{line.format(**RIGHT).replace('T08', 'T09')},zoe\n"
    told = office.do("counts", "import", office.file("counts.csv", table))
    assert "line 2: no shift names seller Anna: did you mean anna?" in told
    assert "zoe" not in told


def test_other_names_are_refused_with_the_known_ones(unchanged: Office) -> None:
    assert "give one of annotation, audit, camera, " in unchanged.run("history", "--kind", "shft").err
    unchanged.do("source", "enroll", "sofia-1/door")
    assert "did you mean sofia-1/door?" in unchanged.run("source", "revoke", "sofia-1/dor").err


# -- what makes names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (("site", "set", "varna-1", "--timezone", "UTC"), ["site varna-1"]),
        (
            ("site", "set", "sofai-2", "--timezone", "UTC"),
            ["site sofai-2 (did you mean sofia-1? If so, run `trivox site remove sofai-2`)"],
        ),
        (("site", "set", "sofia-2", "--timezone", "UTC"), ["site sofia-2"]),
        (("console", "enroll", "sofia-1/till-2"), ["console sofia-1/till-2"]),
        (
            ("console", "enroll", "sofia-1/tlil-2"),
            ["console sofia-1/tlil-2 (did you mean sofia-1/till-1? If so, run `trivox console remove sofia-1/tlil-2`)"],
        ),
        (
            ("checkout-point", "set", "sofia-1", "countr", "--console", "till-1"),
            [f"checkout point sofia-1/countr {MEANT_COUNTER}"],
        ),
        (("console", "enroll", "varna-1/till-1"), ["site varna-1", "console varna-1/till-1"]),
        (("checkout-point", "set", "sofia-1", "desk", "--console", "till-1"), ["checkout point sofia-1/desk"]),
        (("settings", "set", "ask_every=2", "--site", "varna-1", "--new"), ["site varna-1"]),
        (("question", "set", "staff", "--console", "sofia-1/till-2", "--new"), ["console sofia-1/till-2"]),
        (("source", "enroll", "varna-1/door", "--new"), ["site varna-1"]),
        (
            ("checkout-point", "set", "varna-1", "desk", "--console", "till-1", "--new"),
            ["site varna-1", "console varna-1/till-1", "checkout point varna-1/desk"],
        ),
    ],
)
def test_what_is_made_is_said_once(office: Office, words: tuple[str, ...], made: list[str]) -> None:
    output = office.do(*words)
    assert [line for line in output.splitlines() if line.startswith("Made ")] == [f"Made {name}." for name in made]
    assert "Made " not in office.do(*words)


def test_imports_make_what_is_new_if_they_are_told_to(office: Office) -> None:
    shifts = office.do("shift", "import", file(office, "shifts.csv", site="varna"), "--new")
    assert shifts == "Made site varna-1.\nMade console varna-1/till-1.\n1 shift imported.\n"
    counts = office.do("counts", "import", file(office, "counts.csv", site="ruse", point="desk"), "--new")
    assert counts == "Made site ruse-1.\nMade checkout point ruse-1/desk.\n1 count imported.\n"
    points = office.do("checkout-point", "import", file(office, "points.csv", site="ruse", point="desk"), "--new")
    assert points == "Made console ruse-1/till-1.\n1 checkout point imported.\n"
    assert office.do("counts", "import", file(office, "counts.csv", site="ruse", point="desk")) == "1 count imported.\n"


def test_a_site_import_makes_its_sites(office: Office) -> None:
    sites = office.file("sites.csv", "site_id,timezone\nsofia-1,UTC\nvarna-1,Europe/Sofia\nsofya-1,UTC\n")
    mistyped = "Made site sofya-1 (did you mean sofia-1? If so, run `trivox site remove sofya-1`)."
    assert office.do("site", "import", sites) == f"Made site varna-1.\n{mistyped}\n3 sites imported.\n"


def test_what_consoles_and_tills_say_themselves_makes_them(office: Office) -> None:
    till = OfficeTill("varna-1", "till-7")
    till.survey(NINE, "yes")
    office.take(till)
    sale = {"id": "a", "kind": "transactions", "from_ms": NINE, "to_ms": NINE + 1, "count": 1}
    office.count("till", sale | {"checkout_point_id": "desk"}, site="ruse-1")
    office.do("settings", "set", "ask_every=2", "--console", "varna-1/till-7")
    counts = file(office, "counts.csv", site="ruse", point="desk")
    assert office.do("counts", "import", counts) == "1 count imported.\n"


def test_a_bridge_makes_the_sites_that_it_is_to_serve_if_it_is_told_to(office: Office, tmp_path: Path) -> None:
    closed = "mqtt://127.0.0.1:1"
    for database, options in ((office.database, ["--new"]), (tmp_path / "fresh.db", [])):
        words = ["bridge", "--broker", closed, "--site", "varna-1", "--metrics-port", "0", "--database", str(database)]
        with Service(*words, *options, log=tmp_path / f"{database.stem}.log", ready="made site varna-1"):
            assert "varna-1" in facts.sites(database, "site_id")


# -- two files in one --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("again", ["{head}", "\ufeff{head}", "{spaced}"])
def test_a_second_first_line_is_refused(unchanged: Office, name: str, again: str) -> None:
    command = {"shifts.csv": "shift", "counts.csv": "counts", "points.csv": "checkout-point"}[name]
    head, line = FILES[name]
    second = again.format(head=head, spaced=", ".join(head.upper().split(",")))
    text = "\n".join([head, line.format(**RIGHT), second])
    result = unchanged.run(command, "import", unchanged.file(name, text), "--new")
    assert result.status == 1
    assert "correct line 3: it names the columns again, as where two files were joined" in result.err
    assert facts.consoles(unchanged.database, "console_id") == ["till-1"]
