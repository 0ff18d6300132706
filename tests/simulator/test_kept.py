"""The outbox's files are read from outside as the firmware writes them: on any board, of any length, over restarts."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from simulator import Console
from simulator.bench.flash_contents import FOLDER, FlashContents
from simulator.bench.journal import Journal
from simulator.console.firmware_modules import FirmwareModules
from simulator.console.pinmap import FIRMWARE
from tests.support.seeds import seeded

LIMIT_S = 60.0


def seen(journal: Journal) -> list[tuple[int, dict[str, Any]]]:
    return [(entry.facts["seq"], entry.facts["event"]) for entry in journal.since(0) if entry.kind == "kept"]


def waits(journal: Journal) -> tuple[int, int] | None:
    entry = journal.newest("outbox")
    return (entry.facts["first"], entry.facts["next"]) if entry else None


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def watched(tmp_path: Path, journal: Journal) -> Iterator[Callable[[Console], None]]:
    """Return a function that watches a console's flash from then on."""
    watching: list[FlashContents] = []

    def watch(console: Console) -> None:
        watching.append(FlashContents(lambda: console, journal, tmp_path / "mirror"))
        watching[-1].watch()

    yield watch
    for contents in watching:
        contents.close()


@pytest.mark.parametrize(("board", "seed"), [("unix", 2), ("esp32", 4100509204)])
def test_each_of_many_presses_is_seen_once_and_in_order(
    tmp_path: Path, journal: Journal, watched: Callable[[Console], None], board: str, seed: int
) -> None:
    chance = seeded(seed)
    count = 0
    with Console(tmp_path, board=board) as console:
        watched(console)
        for _ in range(3):
            presses = chance.randrange(30, 90)
            plan = [(500, "no", True), (100, "no", False)] * presses
            console.hurry([*plan, (1000, None, False)])
            count += presses
            assert journal.wait(lambda wanted=count + 1: len(seen(journal)) >= wanted, LIMIT_S), seen(journal)[-1:]
            console.power_off()
            console.power_on()
            count += 1  # booted
        assert journal.wait(lambda: waits(journal) == (1, count + 2), LIMIT_S), (waits(journal), count)
    assert [seq for seq, _ in seen(journal)] == list(range(1, count + 2))
    types = [event["type"] for _, event in seen(journal)]
    assert (types.count("booted"), types.count("stray_pressed")) == (4, count - 3)


def test_a_late_watcher_reports_what_waits(
    tmp_path: Path, journal: Journal, watched: Callable[[Console], None]
) -> None:
    with Console(tmp_path) as console:
        console.hurry([(500, "yes", True), (100, "yes", False), (1000, None, False)])
        journal.write("wire", leaf="status", payload=None)
        watched(console)
        assert journal.wait(lambda: waits(journal) == (1, 3), LIMIT_S), waits(journal)
        assert [entry.facts["old"] for entry in journal.since(0) if entry.kind == "kept"] == [True, True]
        epoch = journal.since(0)[-1].facts["epoch"]
        journal.write("wire", leaf="ack", payload={"epoch": epoch, "through": 1})
        assert journal.wait(lambda: waits(journal) == (2, 3), LIMIT_S), waits(journal)


class KeptFlash:
    """A board's flash with the firmware's own outbox on it, which goes on between any two calls."""

    def __init__(self, folder: Path, outbox: ModuleType, prog_size: int) -> None:
        self.folder = folder / FOLDER
        self.between: Callable[[], None] = lambda: None
        self.writes = 0
        self.appended: dict[str, list[int]] = {}
        events = FirmwareModules().events
        self._open = lambda: outbox.Outbox(str(self.folder), events.encode, events.decode, prog_size)
        self.restart()

    def restart(self) -> None:
        self.outbox = self._open()
        self.outbox.open()
        if self.outbox.doubt:
            self.outbox.trust()
        self.writes += 1

    def append(self) -> None:
        event = {"boot": 1, "up_ms": 5, "at_ms": None, "type": "stray_pressed", "button": "no", "reason": "no_survey"}
        epoch = self.outbox.epoch
        self.appended.setdefault(epoch, []).append(self.outbox.append(event))
        self.writes += 1

    def acknowledge(self, through: int) -> None:
        self.outbox.acknowledge(self.outbox.epoch, through)
        self.writes += 1

    # The methods of a console that are called.

    def flash_counts(self) -> tuple[int, int]:
        self.between()
        return 0, self.writes

    def flash_files(self, folder: str) -> dict[str, int]:
        self.between()
        assert folder == FOLDER
        return {path.name: path.stat().st_size for path in self.folder.iterdir()}

    def flash_heads(self, folder: str, names: list[str], length: int) -> dict[str, bytes]:
        self.between()
        assert folder == FOLDER
        return {name: (self.folder / name).read_bytes()[:length] for name in names if (self.folder / name).exists()}

    def flash_file(self, path: str) -> bytes | None:
        self.between()
        file = self.folder.parent / path
        return file.read_bytes() if file.exists() else None


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FIRMWARE)
    return importlib.import_module("console.outbox")


@pytest.mark.parametrize("prog_size", [32, 256])
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_missed_while_the_board_goes_on(
    tmp_path: Path, journal: Journal, outbox: ModuleType, prog_size: int, seed: int
) -> None:
    chance = seeded(f"{seed} {prog_size}")
    flash = KeptFlash(tmp_path, outbox, prog_size)
    contents = FlashContents(lambda: flash, journal, tmp_path / "mirror")  # type: ignore[arg-type, return-value]
    acknowledged = 0

    def live() -> None:
        for _ in range(chance.choice((0, 0, 0, 1, 2, 5, 40))):
            flash.append()
        if chance.random() < 0.02:
            flash.restart()

    for _ in range(12):
        flash.between = live if chance.random() < 0.7 else lambda: None
        contents.look()
        written = [seq for seq, _ in seen(journal)]
        if written and chance.random() < 0.4:  # what the bridge has may be deleted, seen or not
            acknowledged = chance.randrange(acknowledged, written[-1] + 1)
            journal.write("wire", leaf="ack", payload={"epoch": flash.outbox.epoch, "through": acknowledged})
            flash.acknowledge(acknowledged)
    flash.between = lambda: None
    contents.look()
    ((_, appended),) = flash.appended.items()
    assert [seq for seq, _ in seen(journal)] == appended
    assert waits(journal) == (acknowledged + 1, appended[-1] + 1)
