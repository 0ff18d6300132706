"""Boards on a desk, without power until they are plugged in."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.console.bare_board import BareBoard
from tests.bridge.ops.flash.desk import NOWHERE, TILL, UNTESTED, flash
from tests.support.once import once
from tests.support.programs import LIMIT_S
from tests.support.versions import compiled_firmware

__all__ = ["compiled_firmware", "in_service", "plugged"]


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[Callable[..., BareBoard]]:
    """Return a function that plugs in a new board of a kind; at the end, all are unplugged and checked."""
    with ExitStack() as desk:

        def plug_in(kind: str, name: str = "", **others: object) -> BareBoard:
            name = name or kind
            board = BareBoard(tmp_path / "boards" / name, kind, console_id=name.replace("/", "-"), **others)
            return desk.enter_context(board)

        yield plug_in


@pytest.fixture
def in_service(
    plugged: Callable[..., BareBoard], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], BareBoard]:
    """Return a function that plugs in a serving board of a kind, flashed as `TILL` with the broker `NOWHERE`."""

    def plug_in(kind: str) -> BareBoard:
        folder = once(tmp_path_factory, f"flashed-{kind}", lambda folder: _flashed(folder, kind))
        home = tmp_path / "boards" / kind
        home.mkdir(parents=True)
        shutil.copy(folder / "board" / "flash.bin", home)
        board = plugged(kind)
        board.wait_output("hello\t" if kind == "pico" else "boot: 2, ", LIMIT_S)
        return board

    return plug_in


def _flashed(folder: Path, kind: str) -> None:
    with BareBoard(folder / "board", kind, console_id=kind) as board:
        done = flash(folder, *TILL, "--port", board.port, *NOWHERE, UNTESTED)
        assert done.returncode == 0, done.stdout + done.stderr
