"""Test what an accident has left in the database's folder: it is named, and nothing is written over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bridge.shop import RealShop, log_of
from tests.support import facts, planted

Change = Callable[[RealShop], None]
STORED = 100
REPORT = ("report", "--from", "2025-01-01", "--to", "2026-12-31")
SITE_SET = ("site", "set", "s1", "--timezone", "Europe/Sofia")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RealShop]:
    (tmp_path / "data").mkdir()
    with RealShop(tmp_path, tmp_path / "data") as shop:
        yield shop


def young(_shop: RealShop) -> None:
    """Leave everything in the log."""


def in_use_for_long(shop: RealShop) -> None:
    planted.without_log(shop.database)


def killed(shop: RealShop, before: Change) -> None:
    """Kill a bridge that has all its events, or the last half of them, in the log."""
    shop.start_bridge()
    shop.send_events(1, STORED // 2)
    shop.wait_acknowledged(STORED // 2)
    before(shop)
    shop.keep_sending(STORED // 2 + 1, STORED // 2)
    shop.stop_bridge(9)


def refused(shop: RealShop, *commands: tuple[str, ...]) -> str:
    """Return the sentence with which the bridge and `commands` refuse to begin; the database stays as it is."""
    before = shop.database.read_bytes()
    sentences = set()
    for words in (shop.command()[:-2], *commands):
        done = shop.trivox(*words)
        assert (done.returncode, done.stdout) == (1, ""), (words, done)
        sentences.add(done.stderr)
    assert shop.database.read_bytes() == before
    (sentence,) = sentences
    return sentence


def goes_on(shop: RealShop) -> None:
    shop.start_bridge()
    shop.keep_sending(STORED + 1, 20)
    assert facts.events(shop.database, "seq") == list(range(1, STORED + 21))
    assert facts.damage(shop.database) == []


# A log left behind ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [young, in_use_for_long])
@pytest.mark.parametrize("way", ["move the log", "move back", "restore"])
def test_a_database_moved_without_its_log_is_not_used_without_it(shop: RealShop, before: Change, way: str) -> None:
    killed(shop, before)
    old_place, log = shop.database, log_of(shop.database)
    shop.database = old_place.rename(old_place.with_name("archive.db"))
    sentence = refused(shop, ("doctor",), REPORT, SITE_SET, ("backup", str(shop.folder / "no.db")))
    assert f"{log} is the log of {shop.database}" in sentence
    assert f"move {shop.database} back to {old_place}, or the log to {log_of(shop.database)}" in sentence
    if way == "move the log":
        log.rename(log_of(shop.database))
    elif way == "move back":
        shop.database = shop.database.rename(old_place)
    else:
        archive, shop.database = shop.database, old_place
        assert shop.trivox("restore", str(archive)).returncode == 0
    goes_on(shop)


def test_a_young_database_in_another_folder_is_not_taken_for_a_new_one(shop: RealShop) -> None:
    killed(shop, young)
    log = log_of(shop.database)
    (shop.folder / "other").mkdir()
    shop.database = shop.database.rename(shop.folder / "other" / "a.db")
    sentence = refused(shop, ("doctor",), REPORT, SITE_SET)
    assert "is empty, as what was stored in it is in its log, which is not beside it" in sentence
    assert f"move that log to {log_of(shop.database)}" in sentence
    log.rename(log_of(shop.database))
    goes_on(shop)


def test_the_log_of_another_shop_holds_nobody_up(shop: RealShop) -> None:
    killed(shop, in_use_for_long)
    shop.database.rename(shop.folder / "archive.db")
    shop.database = shop.database.with_name("other.db")
    shop.acks.clear()
    for _ in range(2):
        shop.start_bridge()
        shop.keep_sending(1, STORED, "another")
        assert shop.stop_bridge() == 0
    assert shop.trivox("doctor").returncode == 0


def test_a_bridge_killed_at_its_first_start_begins_again(shop: RealShop) -> None:
    planted.just_begun(shop.database)
    assert "start the bridge to begin a new one" in shop.trivox("doctor").stderr
    shop.start_bridge()
    shop.keep_sending(1, 20)
    assert facts.stored(shop.database) == 20


# A copy that was saved --------------------------------------------------------------------------------------------


def replaced_while_running(shop: RealShop) -> Path:
    """Put an older copy in the place of a database in use; return the copy that the bridge saves before it ends."""
    shop.start_bridge()
    shop.send_events(1, STORED // 2)
    shop.wait_acknowledged(STORED // 2)
    assert shop.trivox("backup", str(shop.folder / "older.db")).returncode == 0
    shop.keep_sending(STORED // 2 + 1, STORED // 2)
    (shop.folder / "older.db").rename(shop.database)
    shop.send_events(STORED + 1, 20)
    assert shop.bridge.wait() == 1
    (saved,) = shop.database.parent.glob("*.rescued-*Z")
    return saved


def test_nothing_is_written_beside_a_saved_copy_until_it_is_restored(shop: RealShop) -> None:
    saved = replaced_while_running(shop)
    for sentence in (refused(shop, SITE_SET, ("rebuild",)), shop.trivox("doctor").stdout):
        assert f"{saved} holds what was stored in {shop.database}" in sentence
        assert f"run `trivox restore {saved}`" in sentence
    assert shop.trivox(*REPORT).returncode == 0
    assert shop.trivox("restore", str(saved)).returncode == 0
    assert not saved.exists()
    goes_on(shop)
    assert "rescued" not in shop.trivox("doctor").stdout


def test_a_saved_copy_that_is_moved_away_is_done_without(shop: RealShop) -> None:
    saved = replaced_while_running(shop)
    shutil.move(saved, shop.folder)
    shop.start_bridge()
    shop.acks.clear()
    shop.keep_sending(STORED // 2 + 1, STORED // 2 + 20)
    assert facts.stored(shop.database) == STORED + 20
