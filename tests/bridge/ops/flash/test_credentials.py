"""A console's secrets on their way from the bridge's keyring to a board, also through a technician's own machine."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.ops.flash.assignments import Assignment, AssignmentPool, numbered_assignments
from bridge.ops.flash.board_info import BoardInfo
from bridge.ops.flash.errors import FlashingError
from simulator.console.bare_board import BareBoard
from tests.bridge.ops.flash.desk import NOWHERE, TILL, UNTESTED, flash
from tests.support.command import trivox


def keys(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return trivox("console", "keys", *words, "--new", "--database", str(folder / "shop.db"), folder=folder)


def a_board(kind: str, hardware_id: str, console_id: str | None = None) -> BoardInfo:
    config = {"site_id": "s", "console_id": console_id} if console_id else None
    return BoardInfo(kind, "", hardware_id, "1.25.0", "", [], config)


def test_keys_reach_a_board_through_a_private_file(plugged: Callable[..., BareBoard], tmp_path: Path) -> None:
    made = keys(tmp_path, "keys.json", "sofia-1/till-1", "sofia-1/till-2")
    assert made.returncode == 0, made.stderr
    file = tmp_path / "keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    names = json.loads(file.read_text())
    assert set(names) == {"sofia-1/till-1", "sofia-1/till-2"}
    issued = json.loads((tmp_path / "shop.db-keys" / "sofia-1" / "till-1.json").read_text())
    assert names["sofia-1/till-1"] == issued
    board = plugged("pico")
    done = flash(tmp_path, *TILL, "--port", board.port, "--keys", "keys.json", UNTESTED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert issued["key"].encode() in board.flash.read_bytes()


def test_a_file_of_keys_is_made_again_and_no_other_file_is_replaced(tmp_path: Path) -> None:
    keys(tmp_path, "keys.json", "sofia-1/till-1")
    again = keys(tmp_path, "keys.json", "sofia-1/till-1", "sofia-1/till-2")
    assert again.returncode == 0, again.stderr
    assert set(json.loads((tmp_path / "keys.json").read_text())) == {"sofia-1/till-1", "sofia-1/till-2"}
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "sales.csv").write_text("site_id\n")
    (tmp_path / "link.json").symlink_to(tmp_path / "nothing")
    for other in ("sales.csv", "link.json", "shop.db-keys", "missing/keys.json"):
        refused = keys(tmp_path, other, "sofia-1/till-3")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert len(refused.stderr.splitlines()) == 1
        assert other.partition("/")[0] in refused.stderr
    assert (tmp_path / "sales.csv").read_text() == "site_id\n"
    assert not (tmp_path / "shop.db-keys" / "sofia-1" / "till-3.json").exists()


def test_a_file_of_keys_that_others_may_read_is_refused(tmp_path: Path) -> None:
    keys(tmp_path, "keys.json", "sofia-1/till-9")
    (tmp_path / "keys.json").chmod(0o644)
    assert "run chmod 600 keys.json" in flash(tmp_path, *TILL, "--keys", "keys.json").stderr


def test_a_console_without_keys_is_not_flashed(plugged: Callable[..., BareBoard], tmp_path: Path) -> None:
    keys(tmp_path, "keys.json", "sofia-1/till-9")
    board = plugged("pico")
    done = flash(tmp_path, *TILL, "--port", board.port, "--keys", "keys.json", UNTESTED)
    assert done.returncode == 1
    assert "keys.json has no keys for sofia-1/till-1: make it again" in done.stderr


def test_a_table_with_passwords_that_others_may_read_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("site_id,console_id,wifi_ssid,wifi_password\ns,till-1,shop,secret\n")
    table.chmod(0o644)
    assert "run chmod 600 t.csv" in flash(tmp_path, "--csv", "t.csv").stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("site_id\ns\n", "column console_id is missing"),
        ("site_id,console_id\n", "names no console"),
        ("site_id,console_id\nS,till\n", "line 2: site_id 'S' is not a valid id"),
        (
            "site_id,console_id,board\ns,till,esp8266\n",
            "line 2: board 'esp8266' is not known: give one of esp32, pico, pico_w",
        ),
        ("site_id,console_id\ns,till\ns,till\n", "line 3: s/till is listed twice"),
    ],
)
def test_a_bad_table_is_reported_by_line(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    done = flash(tmp_path, "--csv", "t.csv", *NOWHERE)
    assert done.returncode == 1
    assert sentence in done.stderr


def test_a_board_gets_its_own_console_again_and_its_copy_another() -> None:
    pool = AssignmentPool([Assignment("s", "till-1"), Assignment("s", "till-2")], {("s", "till-1"): "aa"})
    assert pool.take(a_board("pico", "aa", "till-1")).console_id == "till-1"
    assert pool.take(a_board("pico", "bb", "till-1")).console_id == "till-2"  # it was copied from the other
    with pytest.raises(FlashingError, match="one too many"):
        pool.take(a_board("pico", "cc"))


def test_rows_that_name_a_board_are_only_for_that_board() -> None:
    pool = AssignmentPool([Assignment("s", "till-1", hardware_id="bb"), Assignment("s", "till-2", board="esp32")], {})
    with pytest.raises(FlashingError, match=r"s/till-1 needs another board \(bb\)"):
        pool.take(a_board("pico", "aa"))
    assert pool.take(a_board("pico", "bb")).console_id == "till-1"
    assert pool.take(a_board("esp32", "cc")).console_id == "till-2"


def test_numbers_keep_their_width() -> None:
    assert [row.console_id for row in numbered_assignments("s", "till-09", 3)] == ["till-09", "till-10", "till-11"]
