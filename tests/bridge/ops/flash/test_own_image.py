"""Flash a board with the project's own image of MicroPython: it formats nothing by itself, and keeps a second name."""

import json
from collections.abc import Callable
from pathlib import Path

from simulator.console.bare_board import BareBoard
from tests.bridge.ops.flash.desk import TILL, UNTESTED, flash, log_of

PlugIn = Callable[..., BareBoard]
BLOCK_SIZE = 4096
COUNTS_BYTES = 24  # at the end of the flash's file
DAMAGE = b"\xff" * 2 * BLOCK_SIZE  # not blank: there is more behind


def blocks_of(board: BareBoard) -> bytes:
    return board.flash.read_bytes()[:-COUNTS_BYTES]


def name_in_copy(board: BareBoard) -> str:
    """Return the console's id in the copy of `console.json` outside the filesystem."""
    content = (board.folder / "rom.bin").read_bytes()
    copy: dict[str, str] = json.JSONDecoder().raw_decode(content[content.index(b"{") :].decode("latin-1"))[0]
    return copy["console_id"]


def erase(board: BareBoard) -> None:
    """Leave the board as its maker does: without a filesystem."""
    board.power_off()
    content = board.flash.read_bytes()
    board.flash.write_bytes(b"\xff" * (len(content) - COUNTS_BYTES) + content[-COUNTS_BYTES:])
    board.power_on()


def test_a_blank_board_gets_its_filesystem_and_a_copy_of_its_name(plugged: PlugIn, tmp_path: Path) -> None:
    board = plugged("pico", own_image=True)
    erase(board)
    done = flash(tmp_path, *TILL, "--port", board.port, UNTESTED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert name_in_copy(board) == "till-1"
    assert log_of(tmp_path)[-1]["events_wiped"] == 0


def test_a_broken_filesystem_is_replaced_only_if_that_is_wanted(plugged: PlugIn, tmp_path: Path) -> None:
    board = plugged("pico", own_image=True)
    done = flash(tmp_path, *TILL, "--port", board.port, UNTESTED)
    assert done.returncode == 0, done.stdout + done.stderr
    board.power_off()
    board.flash.write_bytes(DAMAGE + board.flash.read_bytes()[len(DAMAGE) :])
    before = blocks_of(board)
    board.power_on()
    refused = flash(tmp_path, *TILL, "--port", board.port, UNTESTED)
    assert refused.returncode == 1
    assert "can't be mounted, and events may wait in it: give --wipe" in refused.stderr
    assert blocks_of(board) == before
    done = flash(tmp_path, "--site", "sofia-1", "--console", "till-2", "--port", board.port, UNTESTED, "--wipe")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wiped an unknown number of events" in done.stdout
    assert log_of(tmp_path)[-1]["events_wiped"] is None
    assert name_in_copy(board) == "till-2"
