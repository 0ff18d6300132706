"""What was mistyped is removed, and kept in the history; what consoles have sent is never removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bridge.admin.commands import Sweep
from bridge.service.writer import ReceivedMessage
from tests.bridge.office import Office, OfficeTill, at
from tests.support import facts
from tests.support.words import status
from tests.support.writing import writing

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.service.outcome import Publication

NINE = at("2026-11-02T09:00+02:00")
SHIFTS = (
    "demo,till-1,anna,Anna,2026-11-02T08:00,2026-11-02T12:00",
    "demo,till-1,boris,Boris,2026-11-03T08:00,2026-11-03T12:00",
)
COUNTS = (
    "site_id,source_id,kind,from,to,count,checkout_point_id\n"
    "demo,door,visitors,2026-11-02T08:00,2026-11-02T12:00,7,\n"
    "demo,shop,transactions,2026-11-02T08:00,2026-11-02T12:00,5,cash\n"
    "demo,shop,transactions,2026-11-03T08:00,2026-11-03T12:00,3,cash\n"
)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Make an office with a survey of two days each at the checkout point `cash`, with shifts and counts."""
    office = Office(tmp_path)
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    till = OfficeTill()
    till.survey(NINE, "yes")
    till.survey(NINE + 86_400_000, "no")
    office.take(till)
    office.do("checkout-point", "set", "demo", "cash", "--console", "till-1")
    assert office.shifts(*SHIFTS).status == 0
    office.do("counts", "import", office.file("counts.csv", COUNTS))
    return office


def surveys_by(office: Office, column: str) -> dict[str | None, int]:
    return {row[f"{column}_id"]: row["surveys"] for row in office.rows(column) if row["surveys"]}


def history(office: Office) -> list[tuple[Any, ...]]:
    """Return (command, kind, name, before, after) of each removal."""
    recorded = json.loads(office.do("history", "--json"))
    keys = ("command", "kind", "name", "before", "after")
    return [tuple(change[key] for key in keys) for change in recorded if "remove" in change["command"]]


def check_derived(office: Office) -> None:
    """Check that what is derived is what a rebuild would make of it."""
    before = facts.derived(office.database)
    office.do("rebuild")
    assert facts.derived(office.database) == before


def test_removed_shifts_leave_their_surveys_to_no_seller(office: Office) -> None:
    assert surveys_by(office, "seller") == {"anna": 1, "boris": 1}
    words = ("--console", "demo/till-1", "--from", "2026-11-03", "--to", "2026-11-04")
    assert [row["seller_id"] for row in json.loads(office.do("shift", "list", *words, "--json"))] == ["boris"]
    assert office.do("shift", "remove", *words) == (
        "1 shift removed.\n1 survey now belongs to another seller: see `trivox history`.\n"
    )
    assert surveys_by(office, "seller") == {"anna": 1, None: 1}
    before = {
        "seller_id": "boris",
        "started_at": "2026-11-03T08:00:00+02:00",
        "ended_at": "2026-11-03T12:00:00+02:00",
    }
    assert history(office) == [("shift remove", "shift", "till-1", before, None)]
    assert [row["transactions"] for row in office.rows("seller")] == [5, 3]
    check_derived(office)
    assert office.run("shift", "remove", *words).status == 2


def test_removed_counts_leave_the_figures(office: Office) -> None:
    words = ("--site", "demo", "--source", "shop", "--to", "2026-11-03")
    assert office.do("counts", "remove", *words) == "1 count removed: 5 transactions.\n"
    (row,) = office.rows("site")
    assert (row["transactions"], row["visitors"]) == (3, 7)
    ((command, kind, name, before, after),) = history(office)
    assert (command, kind, after) == ("counts remove", "count", None)
    assert name.startswith("shop/transactions:")
    assert (before["count"], before["from"], before["checkout_point_id"]) == (5, "2026-11-02T08:00:00+02:00", "cash")
    assert office.do("counts", "import", office.file("counts.csv", COUNTS)) == "3 counts imported.\n"
    assert office.rows("site")[0]["transactions"] == 8
    check_derived(office)


def test_a_removed_placement_leaves_the_one_before(office: Office) -> None:
    office.do("checkout-point", "set", "demo", "dekc", "--console", "till-1", "--from", "2026-11-03")
    assert surveys_by(office, "checkout_point") == {"cash": 1, "dekc": 1}
    assert office.do("checkout-point", "remove", "demo", "dekc") == (
        "Checkout point demo/dekc is removed, and with it 1 placement.\n"
        "1 survey now belongs to another checkout point: see `trivox history`.\n"
    )
    assert surveys_by(office, "checkout_point") == {"cash": 2}
    points = json.loads(office.do("checkout-point", "list", "--json"))
    assert [(point["checkout_point_id"], point["console_id"]) for point in points] == [("cash", "till-1")]
    assert history(office)[0] == (
        "checkout-point remove",
        "placement",
        "till-1",
        {"checkout_point_id": "dekc"},
        {"checkout_point_id": "cash"},
    )
    check_derived(office)
    refused = office.run("checkout-point", "remove", "demo", "cash")
    assert (refused.status, "has 2 counts" in refused.err) == (1, True)
    assert office.do("checkout-point", "remove", "demo", "cash", "--console", "till-1") == (
        "1 placement of console demo/till-1 at cash removed.\n"
        "2 surveys now belong to other checkout points: see `trivox history`.\n"
    )
    assert surveys_by(office, "checkout_point") == {None: 2}
    check_derived(office)


def test_a_mistyped_site_goes_with_all_that_was_decided_about_it(office: Office) -> None:
    before = facts.derived(office.database)
    office.do("console", "enroll", "dmeo/till-1")
    office.do("checkout-point", "set", "dmeo", "cash", "--console", "till-1")
    office.do("settings", "set", "--site", "dmeo", "ask_every=2")
    assert office.shifts("dmeo,till-1,anna,Anna,2026-11-02T08:00,2026-11-02T12:00").status == 0
    office.do("source", "enroll", "dmeo/door")
    assert office.do("site", "remove", "dmeo").startswith(
        "Site dmeo is removed, and with it 1 console, 1 shift and 1 placement.\n"
        "Their logins are removed too: dmeo/till-1, dmeo/door.\nNow update the broker"
    )
    assert facts.sites(office.database, "site_id") == ["demo"]
    assert facts.consoles(office.database, "site_id") == ["demo"]
    assert facts.settings(office.database) == []
    assert not list(office.folder.rglob("*-keys/dmeo/*"))
    assert {kind for _, kind, *_ in history(office)} == {"shift", "placement", "setting", "console", "site", "source"}
    assert facts.derived(office.database) == before
    office.do("console", "enroll", "dmeo/till-2")
    removed = office.do("console", "remove", "dmeo/till-2")
    assert removed.startswith("Console dmeo/till-2 is removed, and its credentials.\nNow update the broker")
    assert facts.consoles(office.database, "console_id") == ["till-1"]


def test_what_goes_with_a_console_is_told(office: Office) -> None:
    office.do("checkout-point", "set", "dmeo", "cash", "--console", "till-1", "--new")
    lines = [f"dmeo,till-1,anna,Anna,2026-11-0{day}T08:00,2026-11-0{day}T12:00" for day in (2, 3)]
    assert office.shifts(*lines).status == 0
    removed = office.do("console", "remove", "dmeo/till-1")
    assert removed == "Console dmeo/till-1 is removed, and with it 2 shifts and 1 placement.\n"
    assert office.do("site", "remove", "dmeo") == "Site dmeo is removed.\n"


IN_USE = {
    (
        "console",
        "remove",
        "demo/till-1",
    ): "has sent 4 events (2 surveys), which are never removed: take it out of service",
    ("site", "remove", "demo"): "Site demo has 3 counts: run `trivox counts remove --site demo` first",
    ("seller", "remove", "anna"): "Seller anna has 1 shift: run `trivox shift remove --seller anna` first",
    ("question", "remove", "office", "loyalty"): "Key question loyalty is chosen for demo: choose another",
}


def test_what_is_in_use_stays(office: Office) -> None:
    office.do("settings", "set", "--site", "demo", "question_id=loyalty")
    before = facts.content(office.database)
    for words, sentence in IN_USE.items():
        result = office.run(*words)
        assert (result.status, result.out) == (1, ""), words
        assert sentence in result.err
        assert facts.content(office.database) == before, f"{words}: all or none"


def test_a_seller_and_a_question_that_nobody_uses_go(office: Office) -> None:
    office.do("question", "set", "stuff", "--kind", "office", "--text", "en=Typo?")
    assert office.do("question", "remove", "stuff") == "Key question stuff is removed.\n"
    assert "stuff" not in office.do("question", "list")
    office.do("shift", "remove", "--seller", "anna")
    office.do("seller", "remove", "anna")
    assert [row["seller_id"] for row in json.loads(office.do("seller", "list", "--json"))] == ["boris"]
    assert [(kind, name) for _, kind, name, *_ in history(office)] == [
        ("question", "stuff"),
        ("shift", "till-1"),
        ("seller", "anna"),
    ]


def test_lists_show_what_is_known(office: Office) -> None:
    assert office.do("site", "list").splitlines()[1].split()[:5] == ["demo", "Europe/Sofia", "1", "0", "1"]
    begun, ends = "2026-11-02T08:00+02:00", ("2026-11-02T12:00+02:00", "2026-11-03T12:00+02:00")
    assert [line.split() for line in office.do("counts", "list").splitlines()[1:]] == [
        ["demo", "door", "visitors", "-", "1", "7", begun, ends[0]],
        ["demo", "shop", "transactions", "cash", "2", "8", begun, ends[1]],
    ]
    assert len(json.loads(office.do("counts", "list", "--each", "--json"))) == 3
    assert "boris      Boris" in office.do("seller", "list")
    assert "2026-11-03T12:00+02:00" in office.do("seller", "list"), "in the time of the site"
    office.do("source", "enroll", "demo/door")
    office.do("viewer", "enroll", "boss")
    assert (office.do("source", "list"), office.do("viewer", "list")) == ("demo/door\n", "boss\n")


def test_what_a_removed_console_says_again_stays_but_not_what_the_broker_had_kept(office: Office) -> None:
    office.do("console", "enroll", "demo/till-2")
    office.do("console", "remove", "demo/till-2")
    said = ReceivedMessage("trivox/v1/demo/till-2/status", status().encode(), NINE, 0, 1)
    published: list[Publication] = []
    with writing(office.database, on_commit=lambda outgoing: published.extend(outgoing.publications)) as writer:
        writer.enqueue([said._replace(is_retained=True)])
        writer.perform(Sweep())
        assert (said.topic, b"", True) in published
        assert facts.consoles(office.database, "console_id") == ["till-1"]
        published.clear()
        writer.enqueue([said])
    assert facts.consoles(office.database, "console_id") == ["till-1", "till-2"]
    assert said.topic not in {publication.topic for publication in published}
