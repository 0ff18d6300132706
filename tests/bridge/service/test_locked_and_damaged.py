"""Test databases that another program locks or that are damaged, before the start and while the bridge runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bridge.shop import RealShop, batch
from tests.support import facts, forked, planted
from tests.support.programs import wait_until


def filled(shop: RealShop, events: int = 2_000) -> None:
    """Have the bridge store events, then stop it."""
    shop.start_bridge()
    shop.send_events(1, events)
    shop.wait_acknowledged(events)
    assert shop.stop_bridge() == 0


def refused(shop: RealShop) -> str:
    """Return the sentence with which the bridge refuses to start."""
    done = forked.run(*shop.command())
    assert done.returncode == 1, done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("trivox: ")
    assert "Traceback" not in done.stderr
    return sentence


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_lock_of_another_program_is_waited_for_however_long(shop: RealShop, how: str) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    with planted.locked(shop.database, how):
        for seq in range(11, 1011):
            shop.send(batch(seq, 1))
        assert shop.wait_logged("cannot write the database")["reason"] == "locked"
        shop.wait_metric("trivox_database_writable", 0)
        wait_until("they wait", lambda: shop.metrics()["trivox_backlog_messages"] > 500)
        assert shop.through() == 10
    shop.wait_acknowledged(1010)
    shop.wait_logged("the database can be written again")
    assert shop.stored() == 1010
    assert facts.rejects(shop.database) == []


def test_a_database_that_is_locked_at_the_start_is_waited_for(shop: RealShop) -> None:
    filled(shop, 10)
    with planted.locked(shop.database, "EXCLUSIVE", log=False):
        shop.start_bridge(connected=False)
        shop.wait_logged("another program has locked the database")
    wait_until("it goes on", lambda: len(shop.lines("connected to the broker")) == 2)
    shop.send_events(11, 10)
    shop.wait_acknowledged(20)


def test_a_locked_database_does_not_delay_the_end(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    with planted.locked(shop.database):
        shop.send_events(11, 320)
        shop.wait_logged("cannot write the database")
        assert shop.stop_bridge() == 0
        assert shop.through() == 10


def truncated(database: Path) -> None:
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 2)


def overwritten(database: Path) -> None:
    planted.overwrite(database, planted.middle(database))


def headless(database: Path) -> None:
    with database.open("r+b") as file:
        file.write(b"This is a letter to the manager.")


@pytest.mark.parametrize("damage", [truncated, overwritten, headless])
def test_a_damaged_database_is_refused_with_how_to_restore_it(shop: RealShop, damage: object) -> None:
    filled(shop)
    damage(shop.database)  # type: ignore[operator]
    sentence = refused(shop)
    assert "damaged" in sentence
    assert "`trivox restore" in sentence
    assert "trivox backup" in sentence


def test_damage_found_while_it_runs_ends_the_bridge_with_nothing_more_acknowledged(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 4_000)
    shop.wait_acknowledged(4_000)
    planted.without_log(shop.database)
    planted.overwrite(shop.database, 3 * planted.PAGE, shop.database.stat().st_size - 3 * planted.PAGE)
    shop.acks.clear()
    shop.trivox("rebuild")  # reads all of it
    assert shop.bridge.wait() == 1
    sentence = shop.log.read_text().splitlines()[-1]
    assert "damaged" in sentence
    assert "`trivox restore" in sentence
    assert shop.through() == 0


def test_a_damaged_log_costs_only_what_nobody_holds_any_more(shop: RealShop) -> None:
    """SQLite ends a log where it is damaged: the bridge returns to an earlier state, as after an old backup."""
    shop.start_bridge()
    shop.send_events(1, 100)
    shop.wait_acknowledged(100)
    log = shop.database.with_name("a.db-wal")
    before = log.stat().st_size
    shop.send_events(101, 100)
    shop.wait_acknowledged(200)
    shop.stop_bridge(9)
    planted.overwrite(log, before, 500)
    shop.acks.clear()
    shop.start_bridge()
    shop.send(batch(200, 1))  # the console's last one; the answer makes it send again what it holds
    wait_until("an ack", lambda: shop.acks)
    assert shop.through() == 100
    shop.keep_sending(101, 100)
    assert shop.stored() == 200
    assert facts.surveys(shop.database, "outcome") == ["yes"] * 100


def test_a_copy_next_to_the_log_of_another_database_is_refused(shop: RealShop) -> None:
    filled(shop, 100)
    copy = shop.folder / "copy.db"
    assert shop.trivox("backup", str(copy)).returncode == 0
    shop.start_bridge()
    shop.send_events(101, 100)
    shop.wait_acknowledged(200)
    shop.stop_bridge(9)
    assert shop.database.with_name("a.db-wal").stat().st_size > 0
    shutil.copy(copy, shop.database)
    sentence = refused(shop)
    assert "a.db-wal is the log of another database" in sentence
    assert "trivox restore" in sentence
