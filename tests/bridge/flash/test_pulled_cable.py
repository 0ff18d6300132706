"""The cable is pulled, and with it the power, at any byte or flash operation: the console starts on old or new, whole.

Flash changes by its operations alone, so those between two of them all leave the same; `make flash-cuts` pulls at each
operation of an update, `make test` at some of them and at some bytes, by a seed.
"""

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.firmware.compiled import compile_firmware
from bridge.firmware.configuration import Common
from bridge.firmware.errors import BoardError
from bridge.firmware.flashing import Outcome, Work, flash
from bridge.firmware.install import Firmware
from bridge.firmware.ports import Port
from bridge.firmware.roster import Roster, Wanted
from simulator.bare import BareBoard
from tests.bridge.flash.desk import last_message
from tests.support.programs import wait_until
from tests.support.versions import other_version

EVERY = os.environ.get("TRIVOX_EVERY_CUT") == "1"
SEED = int(os.environ.get("TRIVOX_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
SAMPLES = 4
OLD, NEW = "1.0.1", "1.0.2"


class Desk:
    """Nobody is there: what is told is kept, and no question comes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def named(self, name: str) -> None:
        del name

    def stage(self, what: str, done: int = 0, total: int = 0) -> None:
        del what, done, total

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def confirm(self, question: str) -> bool:
        raise AssertionError(question)


class Cutter:
    """Flashes a board from the image of one at its prompt, with a cut somewhere, and sees what comes up."""

    def __init__(self, folder: Path, image: Path | None, new: Firmware) -> None:
        self._folder, self._image, self._new = folder, image, new
        self._count = 0

    @contextmanager
    def board(self) -> Iterator[BareBoard]:
        """A board with that image at its prompt; without one, a new board."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        board = BareBoard(folder, "pico")
        if self._image:
            shutil.copy(self._image, folder / "flash.bin")
            board.plug_in_holding("no", "seller")
        with board:
            yield board

    def flash(self, board: BareBoard) -> str | None:
        """Why it could not be done."""
        return flash_with(board, self._new)

    def whole(self) -> tuple[int, int]:
        """How many bytes and how many operations an uncut run takes."""
        with self.board() as board:
            before, begun = board.arrived, sum(board.flash_counts())
            assert self.flash(board) is None
            board.power_off()
            arrived = board.arrived - before
        with BareBoard(board.folder, "pico") as again:
            assert version_of(again) == NEW
            return arrived, sum(again.flash_counts()) - begun


def flash_with(board: BareBoard, firmware: Firmware) -> str | None:
    roster = Roster([Wanted("demo", "till-1")], {})
    work = Work(firmware, roster, Common(), tests=False)
    try:
        flash(Port(board.port), work, Desk(), Outcome(board.port))
    except BoardError as error:  # a sentence about this board; anything else is a mistake of ours
        return str(error)
    return None


def version_of(board: BareBoard) -> str | None:
    """The version that serves, by its heartbeat; None if it is at its prompt, with nothing to run."""

    def says() -> Any:
        return last_message(board, "health") or (">>> " in board.runs()[-1].output and "prompt")

    said = wait_until("the board starts", says)
    return None if said == "prompt" else str(said["firmware"])


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Firmware, Firmware]:
    folder = tmp_path_factory.mktemp("versions")
    compiled = compile_firmware(folder / "compiled")
    old, new = (Firmware(other_version(compiled, folder / version, version)) for version in (OLD, NEW))
    return old, new


@pytest.fixture(scope="module")
def served(versions: tuple[Firmware, Firmware], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image of a board that served with the old version, and has events."""
    folder = tmp_path_factory.mktemp("served")
    with BareBoard(folder, "pico") as board:
        assert flash_with(board, versions[0]) is None
        assert version_of(board) == OLD
        board.press("yes")
        wait_until("the event is sent", lambda: "stray_pressed" in board.output())
    return board.flash


@pytest.fixture
def updating(served: Path, versions: tuple[Firmware, Firmware], tmp_path: Path) -> Cutter:
    return Cutter(tmp_path, served, versions[1])


@pytest.fixture
def fresh(versions: tuple[Firmware, Firmware], tmp_path: Path) -> Cutter:
    return Cutter(tmp_path, None, versions[1])


def places(total: int, chance: random.Random) -> Iterator[int]:
    """Some of `total`, one from each equal part, and the last one: there the version changes."""
    part = total // SAMPLES
    yield from (chance.randrange(number * part, (number + 1) * part) for number in range(SAMPLES))


def at_last(cutter: Cutter, folder: Path) -> None:
    """Flashed again, with nobody pulling, it is the new version."""
    board = BareBoard(folder, "pico")
    board.plug_in_holding("no", "seller")
    with board:
        assert cutter.flash(board) is None
        assert version_of(board) == NEW


@pytest.mark.long
@pytest.mark.parametrize("kind", ["updating", "fresh"])
def test_pulled_at_some_bytes(kind: str, request: pytest.FixtureRequest) -> None:
    cutter: Cutter = request.getfixturevalue(kind)
    print("seed", SEED)  # noqa: T201 - shown if it fails
    chance = random.Random(SEED)
    total, _ = cutter.whole()
    for place in places(total, chance):
        with cutter.board() as board:
            pulled = board.pull_cable_after(place)
            reason = cutter.flash(board)
            assert pulled.is_set() or pulled.wait(10), f"byte {place}"
        with BareBoard(board.folder, "pico") as again:
            version = version_of(again)
        assert version in ({OLD, NEW} if kind == "updating" else {None, NEW}), f"byte {place}: {version}"
        assert reason is not None or version == NEW, f"byte {place} of {total}: said to be done"
    at_last(cutter, board.folder)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["updating", "fresh"])
@pytest.mark.timeout(0 if EVERY else 300)
def test_power_goes_within_flash_operations(kind: str, request: pytest.FixtureRequest) -> None:
    cutter: Cutter = request.getfixturevalue(kind)
    print("seed", SEED)  # noqa: T201 - shown if it fails
    chance = random.Random(SEED)
    _, total = cutter.whole()
    for operation in range(1, total + 1) if EVERY else [place + 1 for place in places(total, chance)]:
        with cutter.board() as board:
            board.cut_power_at(operation, chance.choice([0.0, 0.5, 1.0, -0.5]))
            reason = cutter.flash(board)
            # Not each run takes as many operations: one that ended before the cut was whole.
            assert not board.powered or (reason is None and version_of(board) == NEW), f"operation {operation}"
        with BareBoard(board.folder, "pico") as again:
            version = version_of(again)
        assert version in ({OLD, NEW} if kind == "updating" else {None, NEW}), f"operation {operation}: {version}"
    at_last(cutter, board.folder)
