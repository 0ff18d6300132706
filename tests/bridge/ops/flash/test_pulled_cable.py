"""The cable is pulled, and with it the power, at any byte or flash operation: old or new firmware starts, whole.

Only flash operations change the flash, so all bytes between two of them leave the same state. `make flash-cuts` pulls
at each operation of an update, `make test` at some operations and some bytes, chosen by a seed.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.ops.flash.assignments import Assignment, AssignmentPool
from bridge.ops.flash.console_json import SharedConfig
from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.flash_board import FlashJob, FlashResult, flash_board
from bridge.ops.flash.install import FirmwareImage
from bridge.ops.flash.ports import Port
from simulator.console.bare_board import BareBoard
from tests.bridge.ops.flash.desk import last_message
from tests.support.cuts import LIMIT_S, cut_points
from tests.support.once import once
from tests.support.programs import wait_until
from tests.support.seeds import seeded
from tests.support.versions import other_version

SOME = 4
BOOT_LIMIT_S = 1.0
OLD, NEW = "1.0.1", "1.0.2"


class SilentPrompt:
    """A prompt with nobody there: it keeps the notes, and allows no question."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def show_name(self, name: str) -> None:
        del name

    def stage(self, what: str, done: int = 0, total: int = 0) -> None:
        del what, done, total

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def confirm(self, question: str) -> bool:
        raise AssertionError(question)


class Cutter:
    """Flashes a board from the image of one at its prompt, with a cut somewhere, and checks what starts."""

    def __init__(self, folder: Path, image: Path | None, new: FirmwareImage) -> None:
        self._folder, self._image, self._new = folder, image, new
        self._count = 0
        self.versions = {None, NEW} if image is None else {OLD, NEW}

    @contextmanager
    def board(self) -> Iterator[BareBoard]:
        """Yield a board with the image at its prompt, or a new board if there is no image."""
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
        """Return why it could not be done, or None."""
        return flash_with(board, self._new)

    def flash_until_cut(self, board: BareBoard) -> str | None:
        """Flash a board that will lose its power, without waiting for it to come back."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bridge.ops.flash.flash_board.BOOT_LIMIT_S", BOOT_LIMIT_S)
            return self.flash(board)

    def whole(self) -> dict[str, int]:
        """Return how many bytes and how many operations an uncut run takes."""
        with self.board() as board:
            before, begun = board.arrived, sum(board.flash_counts())
            assert self.flash(board) is None
            board.power_off()
            arrived = board.arrived - before
        with BareBoard(board.folder, "pico") as again:
            assert version_of(again) == NEW
            return {"bytes": arrived, "operations": sum(again.flash_counts()) - begun}


def flash_with(board: BareBoard, firmware: FirmwareImage) -> str | None:
    assignments = AssignmentPool([Assignment("demo", "till-1")], {})
    job = FlashJob(firmware, assignments, SharedConfig(), runs_self_test=False)
    try:
        flash_board(Port(board.port), job, SilentPrompt(), FlashResult(board.port))
    except FlashingError as error:  # a sentence about this board; anything else is a defect
        return str(error)
    return None


def version_of(board: BareBoard) -> str | None:
    """Return the version that serves, from its heartbeat, or None if the board is at its prompt with nothing to run."""

    def started() -> Any:
        return last_message(board, "health") or (">>> " in board.runs()[-1].output and "prompt")

    health = wait_until("the board starts", started)
    return None if health == "prompt" else str(health["firmware"])


@pytest.fixture(params=["updating", "fresh"])
def cutter(
    request: pytest.FixtureRequest, compiled_firmware: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Cutter:
    """Return a cutter for boards that served with the old version and have events, or for new boards."""
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
    """Return the bytes and operations of an uncut run."""
    kind = request.node.callspec.params["cutter"]
    measured = once(tmp_path_factory, f"whole-{kind}", lambda folder: measure(cutter, folder)) / "whole.json"
    counts: dict[str, int] = json.loads(measured.read_text())
    return counts


def measure(cutter: Cutter, folder: Path) -> None:
    (folder / "whole.json").write_text(json.dumps(cutter.whole()))


def check_final_flash(cutter: Cutter, folder: Path) -> None:
    """Check that the board, flashed again without a cut, runs the new version."""
    board = BareBoard(folder, "pico")
    board.plug_in_holding("no", "seller")
    with board:
        assert cutter.flash(board) is None
        assert version_of(board) == NEW


@pytest.mark.long
def test_pulled_at_some_bytes(cutter: Cutter, whole: dict[str, int]) -> None:
    total = whole["bytes"]
    for place in cut_points(total, SOME, seeded("pulled cable"), every=False):
        with cutter.board() as board:
            pulled = board.pull_cable_after(place)
            reason = cutter.flash_until_cut(board)
            wait_until(f"it is pulled at byte {place} of {total}", pulled.is_set)
        with BareBoard(board.folder, "pico") as again:
            version = version_of(again)
        assert version in cutter.versions, f"byte {place}: {version}"
        assert reason is not None or version == NEW, f"byte {place} of {total}: reported as done"
    check_final_flash(cutter, board.folder)


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
def test_power_goes_within_flash_operations(cutter: Cutter, whole: dict[str, int]) -> None:
    chance = seeded("power cuts of a flashing")
    for operation in cut_points(whole["operations"], SOME, chance):
        with cutter.board() as board:
            board.cut_power_at(operation, chance.choice([0.0, 0.5, 1.0, -0.5]))
            cutter.flash_until_cut(board)
            # Not every run takes equally many operations: one that ended before the cut is complete.
            assert not board.powered or version_of(board) == NEW, f"operation {operation}"
        with BareBoard(board.folder, "pico") as again:
            version = version_of(again)
        assert version in cutter.versions, f"operation {operation}: {version}"
    check_final_flash(cutter, board.folder)
