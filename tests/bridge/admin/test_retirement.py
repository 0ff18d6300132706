"""A retired console is neither red nor counted; what it sent stays, and that it speaks again is told."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from bridge.admin.commands import RetireConsoles
from bridge.service.metrics import BridgeCollector
from bridge.service.writer import ReceivedMessage
from tests.bridge.office import MINUTE_MS, Office, OfficeTill
from tests.support import facts
from tests.support.writing import writing

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.service.vitals import Vitals


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Make an office of two consoles; demo/till-1 has been silent for three hours."""
    office = Office(tmp_path)
    for name, ago_ms in (("till-1", 180 * MINUTE_MS), ("till-2", 0)):
        till = OfficeTill(console_id=name)
        till.survey(now() - ago_ms - MINUTE_MS, "yes")
        office.take(till)
    return office


def listed(office: Office, *options: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(office.do("console", "list", "--json", *options))
    return rows


def consoles(office: Office, *options: object) -> list[tuple[str, str, str | None]]:
    return sorted((row["console_id"], row["health"], row["rule"]) for row in listed(office, *options))


def test_a_retired_console_is_neither_red_nor_counted(office: Office) -> None:
    assert consoles(office) == [("till-1", "red", "silent"), ("till-2", "green", None)]
    assert office.do("console", "retire", "demo/till-1") == "Console demo/till-1 is retired.\n"
    assert consoles(office) == [("till-2", "green", None)]
    assert office.do("console", "list").endswith("1 green.\n1 console out of service: see them with --all.\n")
    assert consoles(office, "--all") == [("till-1", "grey", "retired"), ("till-2", "green", None)]
    assert [row["retired_at_ms"] is None for row in listed(office, "--all")] == [False, True]
    office.do("settings", "set", "--site", "demo", "ask_every=2")
    told = office.do("doctor")
    assert "till-1" not in told
    assert "New settings for 1 console are" in told, "… of the other one"
    assert "till-1" not in office.do("watch", "--once")
    assert json.loads(office.do("site", "list", "--json"))[0]["retired"] == 1
    assert len(facts.surveys(office.database, console_id="till-1")) == 1, "what it sent stays"
    assert office.do("console", "retire", "demo/till-1") == "Console demo/till-1 was retired before.\n"


@pytest.mark.parametrize("back", [("retire", "--undo"), ("enroll",)])
def test_a_retired_console_comes_back(office: Office, back: tuple[str, ...]) -> None:
    office.do("console", "enroll", "demo/till-2")
    retired = office.do("console", "retire", "demo/till-1", "demo/till-2")
    assert retired.endswith("Its login stays: if sold or lost, run `trivox console revoke demo/till-2`.\n")
    assert "is in service again." in office.do("console", *back, "demo/till-1")
    assert [name for name, *_ in consoles(office)] == ["till-1"]
    recorded = json.loads(office.do("history", "--kind", "console", "--json"))
    states = [change["after"]["retired"] for change in recorded if "retired" in (change["after"] or {})]
    assert states == [True, True, False]


def test_a_retired_console_that_speaks_again_is_told(office: Office) -> None:
    office.do("console", "retire", "demo/till-1")
    till = OfficeTill(epoch="0000beef")
    till.survey(now() + MINUTE_MS, "no")
    office.take(till)
    assert ("till-1", "amber", "retired_heard") in consoles(office)
    (sentence,) = [line for line in office.do("doctor").splitlines() if "demo/till-1" in line]
    assert sentence.startswith("! Console demo/till-1 is retired, but was heard just now: unplug it, or ")
    assert "`trivox console retire --undo demo/till-1`" in sentence
    assert len(facts.surveys(office.database, console_id="till-1")) == 2, "it is counted as any other"


def test_a_running_bridge_forgets_it_in_its_metrics_and_logs_that_it_speaks(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    def sampled(vitals: Vitals) -> set[str]:
        families = BridgeCollector(vitals, office.database, "1", 10).collect()
        return {
            sample.labels["console_id"]
            for family in families
            for sample in family.samples
            if sample.labels.get("console_id")
        }

    health = json.dumps({"epoch": "0000000a", "heap_free": 9}).encode()
    with writing(office.database) as writer:
        writer.perform(RetireConsoles(consoles=["demo/till-1"]))
        assert sampled(writer.vitals) == {"till-2"}
        writer.enqueue([ReceivedMessage("trivox/v1/demo/till-1/health", health, now(), 0, 1)])
        writer.perform(RetireConsoles(consoles=["demo/till-2"], undo=True))
        assert sampled(writer.vitals) == {"till-2"}
        assert "a retired console is heard" in caplog.text
        writer.perform(RetireConsoles(consoles=["demo/till-1"], undo=True))
        assert sampled(writer.vitals) == {"till-1", "till-2"}
