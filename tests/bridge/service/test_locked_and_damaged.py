"""A database that another program locks, and one that is damaged: before the start and while the bridge runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bridge.shop import END_S, Shop, batch
from tests.support import facts, forked, planted
from tests.support.programs import wait_until


def filled(shop: Shop, events: int = 2_000) -> None:
    """A shop whose bridge has stored so many events and ended."""
    shop.start_bridge()
    shop.send_events(1, events)
    shop.acknowledged(events)
    assert shop.stop_bridge() == 0


def refused(shop: Shop) -> str:
    """The sentence with which the bridge refuses to start."""
    done = forked.run(*shop.command())
    assert done.returncode == 1, done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("trivox: ")
    assert "Traceback" not in done.stderr
    return sentence


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_lock_of_another_program_is_waited_for_however_long(shop: Shop, how: str) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    with planted.locked(shop.database, how):
        for seq in range(11, 1011):
            shop.send(batch(seq, 1))
        assert shop.said("cannot write the database")["reason"] == "locked"
        shop.measured("trivox_database_writable", 0)
        wait_until("they wait", lambda: shop.metrics()["trivox_backlog_messages"] > 500)
        assert shop.through() == 10
    shop.acknowledged(1010)
    shop.said("the database is written again")
    assert shop.stored() == 1010
    assert facts.rejects(shop.database) == []


def test_a_database_that_is_locked_at_the_start_is_waited_for(shop: Shop) -> None:
    filled(shop, 10)
    with planted.locked(shop.database, "EXCLUSIVE", log=False):
        shop.start_bridge(connected=False)
        shop.said("another program has locked the database")
    wait_until("it goes on", lambda: len(shop.lines("connected to the broker")) == 2)
    shop.send_events(11, 10)
    shop.acknowledged(20)


def test_a_locked_database_does_not_hold_up_the_end(shop: Shop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    with planted.locked(shop.database):
        shop.send_events(11, 320)
        shop.said("cannot write the database")
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
def test_a_damaged_database_is_refused_with_how_to_restore_it(shop: Shop, damage: object) -> None:
    filled(shop)
    damage(shop.database)  # type: ignore[operator]
    sentence = refused(shop)
    assert "damaged" in sentence
    assert "`trivox restore" in sentence
    assert "trivox backup" in sentence


def test_damage_found_while_it_runs_ends_the_bridge_with_nothing_more_acknowledged(shop: Shop) -> None:
    shop.start_bridge()
    shop.send_events(1, 4_000)
    shop.acknowledged(4_000)
    planted.without_log(shop.database)
    planted.overwrite(shop.database, 3 * planted.PAGE, shop.database.stat().st_size - 3 * planted.PAGE)
    shop.acks.clear()
    shop.trivox("rebuild")  # reads all of it
    assert shop.bridge is not None
    assert shop.bridge.wait(END_S) == 1
    sentence = shop.log.read_text().splitlines()[-1]
    assert "damaged" in sentence
    assert "`trivox restore" in sentence
    assert shop.through() == 0


def test_a_damaged_log_costs_only_what_nobody_holds_any_more(shop: Shop) -> None:
    """SQLite ends a log where it is damaged: the bridge is back at an earlier state, as after an old backup."""
    shop.start_bridge()
    shop.send_events(1, 100)
    shop.acknowledged(100)
    log = shop.database.with_name("a.db-wal")
    before = log.stat().st_size
    shop.send_events(101, 100)
    shop.acknowledged(200)
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


def test_a_copy_put_beside_the_log_of_another_database_is_refused(shop: Shop) -> None:
    filled(shop, 100)
    copy = shop.folder / "copy.db"
    assert shop.trivox("backup", str(copy)).returncode == 0
    shop.start_bridge()
    shop.send_events(101, 100)
    shop.acknowledged(200)
    shop.stop_bridge(9)
    assert shop.database.with_name("a.db-wal").stat().st_size > 0
    shutil.copy(copy, shop.database)
    sentence = refused(shop)
    assert "a.db-wal is the log of another database" in sentence
    assert "trivox restore" in sentence
