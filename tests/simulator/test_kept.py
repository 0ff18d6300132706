"""What lies in the outbox's files is seen from outside as the firmware keeps it: any board, any length, any restart."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator import Console
from simulator.bench.journal import Journal
from simulator.bench.kept import Kept

PROG_SIZE = {"unix": 256, "esp32": 32}


@pytest.fixture(params=["unix", "esp32"])
def console(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Console]:
    with Console(tmp_path, board=request.param) as console:
        yield console


def seen(journal: Journal) -> list[tuple[int, dict[str, Any]]]:
    return [(entry.facts["seq"], entry.facts["event"]) for entry in journal.since(0) if entry.kind == "kept"]


def waits(journal: Journal) -> tuple[int, int] | None:
    entry = journal.newest("outbox")
    return (entry.facts["first"], entry.facts["next"]) if entry else None


@pytest.mark.timeout(120)
def test_many_presses_are_seen_each_once_in_order(console: Console, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    journal = Journal()
    kept = Kept(lambda: console, journal, tmp_path / "mirror")
    count = 0
    for _ in range(3):
        presses = chance.randrange(30, 90)
        plan = []
        for _ in range(presses):
            plan += [(500, "no", True), (100, "no", False)]
        console.hurry([*plan, (1000, None, False)])
        count += presses
        assert journal.wait(lambda wanted=count + 1: len(seen(journal)) >= wanted, 30), seen(journal)[-1:]
        console.power_off()
        console.power_on()
        count += 1  # booted
    assert journal.wait(lambda: waits(journal) == (1, count + 2), 30), (waits(journal), count)
    kept.close()
    assert [seq for seq, _ in seen(journal)] == list(range(1, count + 2))
    types = [event["type"] for _, event in seen(journal)]
    assert (types.count("booted"), types.count("stray_pressed")) == (4, count - 3)


@pytest.mark.timeout(60)
def test_a_later_look_tells_what_waits(console: Console, tmp_path: Path) -> None:
    console.hurry([(500, "yes", True), (100, "yes", False), (1000, None, False)])
    journal = Journal()
    journal.write("wire", leaf="status", payload=None)
    kept = Kept(lambda: console, journal, tmp_path / "mirror")
    assert journal.wait(lambda: waits(journal) == (1, 3), 30), waits(journal)
    assert [entry.facts["old"] for entry in journal.since(0) if entry.kind == "kept"] == [True, True]
    epoch = journal.since(0)[-1].facts["epoch"]
    journal.write("wire", leaf="ack", payload={"epoch": epoch, "through": 1})
    assert journal.wait(lambda: waits(journal) == (2, 3), 30), waits(journal)
    kept.close()
