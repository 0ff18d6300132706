"""The cable is pulled, and with it the power, at any byte or flash operation: the console starts on old or new, whole.

Flash changes by its operations alone, so those between two of them all leave the same; `make flash-cuts` pulls at each
operation of an update, `make test` at some of them and at some bytes, by a seed.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.ops.flash.assignments import Roster, Wanted
from bridge.ops.flash.console_json import Common
from bridge.ops.flash.errors import FlashError
from bridge.ops.flash.flash_board import FlashJob, Outcome, flash
from bridge.ops.flash.install import FirmwareImage
from bridge.ops.flash.ports import Port
from simulator.console.bare_board import BareBoard
from tests.bridge.ops.flash.desk import last_message
from tests.support.cuts import LIMIT_S, places
from tests.support.once import once
from tests.support.programs import wait_until
from tests.support.seeds import seeded
from tests.support.versions import other_version

SOME = 4
IMPATIENCE_S = 1.0
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

    def __init__(self, folder: Path, image: Path | None, new: FirmwareImage) -> None:
        self._folder, self._image, self._new = folder, image, new
        self._count = 0
        self.versions = {None, NEW} if image is None else {OLD, NEW}

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

    def flash_in_vain(self, board: BareBoard) -> str | None:
        """The same for a board that is to lose its power, whose coming back is not waited for."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bridge.ops.flash.flash_board.BOOT_LIMIT_S", IMPATIENCE_S)
            return self.flash(board)

    def whole(self) -> dict[str, int]:
        """How many bytes and how many operations an uncut run takes."""
        with self.board() as board:
            before, begun = board.arrived, sum(board.flash_counts())
            assert self.flash(board) is None
            board.power_off()
            arrived = board.arrived - before
        with BareBoard(board.folder, "pico") as again:
            assert version_of(again) == NEW
            return {"bytes": arrived, "operations": sum(again.flash_counts()) - begun}


def flash_with(board: BareBoard, firmware: FirmwareImage) -> str | None:
    roster = Roster([Wanted("demo", "till-1")], {})
    work = FlashJob(firmware, roster, Common(), tests=False)
    try:
        flash(Port(board.port), work, Desk(), Outcome(board.port))
    except FlashError as error:  # a sentence about this board; anything else is a mistake of ours
        return str(error)
    return None


def version_of(board: BareBoard) -> str | None:
    """The version that serves, by its heartbeat; None if it is at its prompt, with nothing to run."""

    def says() -> Any:
        return last_message(board, "health") or (">>> " in board.runs()[-1].output and "prompt")

    said = wait_until("the board starts", says)
    return None if said == "prompt" else str(said["firmware"])


@pytest.fixture(params=["updating", "fresh"])
def cutter(
    request: pytest.FixtureRequest, compiled_firmware: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Cutter:
    """One of boards that served with the old version and have events, or of new ones."""
    old, new = (
        once(tmp_path_factory, version, lambda folder, name=version: other_version(compiled_firmware, folder, name))
        for version in (OLD, NEW)
    )
    image = None
    if request.param == "updating":
        image = once(tmp_path_factory, "served", lambda folder: serve(folder, FirmwareImage(old))) / "flash.bin"
    return Cutter(tmp_path, image, FirmwareImage(new))


def serve(folder: Path, version: FirmwareImage) -> None:
    with BareBoard(folder, "pico") as board:
        assert flash_with(board, version) is None
        assert version_of(board) == OLD
        board.press("yes")
        wait_until("the event is sent", lambda: "stray_pressed" in board.output())


@pytest.fixture
def whole(cutter: Cutter, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What an uncut run takes."""
    kind = request.node.callspec.params["cutter"]
    measured = once(tmp_path_factory, f"whole-{kind}", lambda folder: measure(cutter, folder)) / "whole.json"
    counts: dict[str, int] = json.loads(measured.read_text())
    return counts


def measure(cutter: Cutter, folder: Path) -> None:
    (folder / "whole.json").write_text(json.dumps(cutter.whole()))


def at_last(cutter: Cutter, folder: Path) -> None:
    """Flashed again, with nobody pulling, it is the new version."""
    board = BareBoard(folder, "pico")
    board.plug_in_holding("no", "seller")
    with board:
        assert cutter.flash(board) is None
        assert version_of(board) == NEW


@pytest.mark.long
def test_pulled_at_some_bytes(cutter: Cutter, whole: dict[str, int]) -> None:
    total = whole["bytes"]
    for place in places(total, SOME, seeded("pulled cable"), all_of_them=False):
        with cutter.board() as board:
            pulled = board.pull_cable_after(place)
            reason = cutter.flash_in_vain(board)
            wait_until(f"it is pulled at byte {place} of {total}", pulled.is_set)
        with BareBoard(board.folder, "pico") as again:
            version = version_of(again)
        assert version in cutter.versions, f"byte {place}: {version}"
        assert reason is not None or version == NEW, f"byte {place} of {total}: said to be done"
    at_last(cutter, board.folder)


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
def test_power_goes_within_flash_operations(cutter: Cutter, whole: dict[str, int]) -> None:
    chance = seeded("power cuts of a flashing")
    for operation in places(whole["operations"], SOME, chance):
        with cutter.board() as board:
            board.cut_power_at(operation, chance.choice([0.0, 0.5, 1.0, -0.5]))
            cutter.flash_in_vain(board)
            # Not each run takes as many operations: one that ended before the cut was whole.
            assert not board.powered or version_of(board) == NEW, f"operation {operation}"
        with BareBoard(board.folder, "pico") as again:
            version = version_of(again)
        assert version in cutter.versions, f"operation {operation}: {version}"
    at_last(cutter, board.folder)
