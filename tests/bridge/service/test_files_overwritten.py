"""Test a database whose files another program writes to in place while the bridge has them open."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.service.nightly import NIGHTLY
from tests.bridge.shop import RealShop, log_of
from tests.support import facts, planted
from tests.support.programs import is_stopped, wait_until

Change = Callable[[RealShop], None]
COPIED, STORED = 320, 640
REPORT = ("report", "--from", "2025-01-01", "--to", "2026-12-31")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RealShop]:
    (tmp_path / "data").mkdir()
    with RealShop(tmp_path, tmp_path / "data") as shop:
        yield shop


def copy_files(shop: RealShop, *suffixes: str) -> None:
    (shop.folder / "copy").mkdir()
    for suffix in suffixes:
        shutil.copy(f"{shop.database}{suffix}", shop.folder / "copy")


def put_back(shop: RealShop) -> None:
    """Write the copies into the files of today, as `cp copy/* .` does."""
    for file in (shop.folder / "copy").iterdir():
        (shop.folder / "data" / file.name).write_bytes(file.read_bytes())


def at_once(shop: RealShop, change: Change) -> None:
    """Change files while the bridge stands still and has nothing to do: it might read what is half written."""
    wait_until("the night's jobs are done", lambda: len(shop.lines("operation=RunNightlyJob")) >= len(NIGHTLY))
    os.kill(shop.bridge.pid, signal.SIGSTOP)
    wait_until("the bridge stands still", lambda: is_stopped(shop.bridge.pid))
    change(shop)
    os.kill(shop.bridge.pid, signal.SIGCONT)


# An older log, or a part of it ------------------------------------------------------------------------------------


def old_log(shop: RealShop) -> None:
    copy_files(shop, "-wal")


def old_database_and_log(shop: RealShop) -> None:
    copy_files(shop, "", "-wal")


def old_files(shop: RealShop) -> None:
    copy_files(shop, "", "-wal", "-shm")


def old_files_before_a_checkpoint(shop: RealShop) -> None:
    copy_files(shop, "", "-wal", "-shm")
    planted.without_log(shop.database)


def nothing(_shop: RealShop) -> None:
    """Keep no copy."""


def log_cut_off(shop: RealShop) -> None:
    os.truncate(log_of(shop.database), log_of(shop.database).stat().st_size // 2)


def last_page_of_the_log_cut_off(shop: RealShop) -> None:
    os.truncate(log_of(shop.database), log_of(shop.database).stat().st_size - 1)


def header_of_the_log_overwritten(shop: RealShop) -> None:
    planted.overwrite(log_of(shop.database), 0, 32)


@pytest.mark.parametrize(
    ("keep", "change"),
    [
        (old_log, put_back),
        (old_database_and_log, put_back),
        (old_files, put_back),
        (old_files_before_a_checkpoint, put_back),
        (nothing, log_cut_off),
        (nothing, last_page_of_the_log_cut_off),
        (nothing, header_of_the_log_overwritten),
    ],
)
def test_nothing_is_acknowledged_into_a_log_that_was_set_back(shop: RealShop, keep: Change, change: Change) -> None:
    shop.start_bridge()
    shop.send_events(1, COPIED)
    shop.wait_acknowledged(COPIED)
    keep(shop)
    shop.send_events(COPIED + 1, STORED - COPIED)
    shop.wait_acknowledged(STORED)
    at_once(shop, change)
    shop.send_events(STORED + 1, 20)
    assert shop.bridge.wait() == 1
    assert shop.through() == STORED
    sentence = shop.log.read_text().splitlines()[-1]
    assert "was overwritten" in sentence
    assert "nothing was acknowledged since" in sentence
    assert "start the bridge again, which goes on from what is in the database" in sentence
    shop.acks.clear()
    shop.start_bridge()
    shop.keep_sending(1, STORED + 20)
    assert facts.events(shop.database, "seq") == list(range(1, STORED + 21))
    assert facts.damage(shop.database) == []


def test_an_older_copy_that_sqlite_puts_back_is_noticed(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, COPIED)
    shop.wait_acknowledged(COPIED)
    older = shop.folder / "older.db"
    assert shop.trivox("backup", str(older)).returncode == 0
    shop.send_events(COPIED + 1, STORED - COPIED)
    shop.wait_acknowledged(STORED)
    planted.copied_into(older, shop.database)
    shop.send_events(STORED + 1, 20)
    assert shop.bridge.wait() == 1
    assert shop.through() == STORED
    assert "overwritten with an older one" in shop.log.read_text().splitlines()[-1]


# VACUUM, which moves every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [nothing, lambda shop: planted.without_log(shop.database)])
def test_a_vacuum_keeps_the_log_the_database_s_own(shop: RealShop, before: Change) -> None:
    shop.start_bridge()
    shop.send_events(1, STORED)
    shop.wait_acknowledged(STORED)
    assert shop.stop_bridge() == 0
    shop.start_bridge()
    shop.keep_sending(STORED + 1, 20)
    before(shop)
    planted.vacuumed(shop.database)
    shop.keep_sending(STORED + 21, 20)
    assert shop.trivox(*REPORT).returncode == 0
    shop.stop_bridge(9)
    shop.start_bridge()
    shop.keep_sending(STORED + 41, 20)
    assert facts.events(shop.database, "seq") == list(range(1, STORED + 61))
    assert facts.damage(shop.database) == []


def test_a_checkpoint_of_a_vacuum_may_be_cut_off_anywhere(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, STORED)
    shop.wait_acknowledged(STORED)
    planted.without_log(shop.database)
    shop.keep_sending(STORED + 1, 20)
    planted.vacuumed(shop.database)
    shop.keep_sending(STORED + 21, 20)
    shop.stop_bridge(9)
    file, whole = shop.database, shop.folder / "whole.db"
    before, log = file.read_bytes(), log_of(file).read_bytes()
    shutil.copy(file, whole)
    shutil.copy(log_of(file), log_of(whole))
    planted.without_log(whole)
    after = whole.read_bytes()
    for size in range(0, len(after), 16 * planted.PAGE):
        file.write_bytes(after[:size] + before[size:])
        log_of(file).write_bytes(log)  # the last command moved it into the file
        done = shop.trivox("backup", str(shop.folder / f"{size}.db"))
        assert done.returncode == 0, (size, done.stderr)
        assert facts.stored(shop.folder / f"{size}.db") == STORED + 40
