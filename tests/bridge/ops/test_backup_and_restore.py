"""A copy made while the bridge writes, and what it holds when it is put in the database's place."""

from __future__ import annotations

import json
import subprocess

from tests.bridge.shop import RealShop, batch
from tests.support import facts, planted
from tests.support.programs import TRIVOX, wait_until

EVENTS = 16_000


def test_a_copy_made_at_full_speed_is_intact_and_agrees_with_its_own_rebuild(shop: RealShop) -> None:
    shop.start_bridge()
    copies = []
    for number in range(2):
        shop.send_events(number * EVENTS + 1, EVENTS)
        wait_until("the bridge is at work", lambda: shop.through() > number * EVENTS)  # noqa: B023
        copies.append(shop.folder / f"copy-{number}.db")
        before = shop.through()
        assert shop.trivox("backup", str(copies[-1])).returncode == 0
        assert facts.damage(copies[-1]) == []
        through = facts.through(copies[-1], "c1")
        assert facts.events(copies[-1], "seq") == list(range(1, through + 1))
        assert through >= before
        derived = facts.derived(copies[-1])
        assert len(derived["survey"]) > 0
        shop.database, original = copies[-1], shop.database
        assert shop.trivox("rebuild").returncode == 0
        shop.database = original
        assert facts.derived(copies[-1]) == derived
    shop.wait_acknowledged(2 * EVENTS)


def test_a_restored_bridge_gets_back_what_consoles_hold_and_continues_its_revisions(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 100)
    shop.wait_acknowledged(100)
    copy = shop.folder / "copy.db"
    assert shop.trivox("settings", "set", "--all", "ask_every=2").returncode == 0
    wait_until("settings", lambda: [settings for settings in shop.settings if settings["ask_every"] == 2])
    assert shop.trivox("backup", str(copy)).returncode == 0
    shop.send_events(101, 100)
    shop.wait_acknowledged(200)
    assert shop.trivox("settings", "set", "--all", "ask_every=3").returncode == 0
    wait_until("newer settings", lambda: [settings for settings in shop.settings if settings["ask_every"] == 3])
    in_use = max(settings["revision"] for settings in shop.settings)
    running = shop.trivox("restore", str(copy))
    assert (running.returncode, running.stderr.count("\n")) == (1, 1)
    assert "end it" in running.stderr
    shop.stop_bridge(9)
    assert shop.database.with_name("a.db-wal").stat().st_size > 0
    restored = shop.trivox("restore", str(copy))
    assert (restored.returncode, restored.stderr) == (0, "")
    assert shop.stored() == 100
    (aside,) = shop.folder.glob("a.db.replaced-*Z")
    assert facts.stored(aside) == 200  # nothing is thrown away
    shop.acks.clear()
    shop.settings.clear()
    shop.start_bridge()
    shop.send(json.dumps({"epoch": "0000000a", "settings_revision": in_use}).encode(), leaf="health")
    shop.send(batch(201, 1))
    wait_until("an ack goes back", lambda: shop.acks)
    assert shop.through() == 100
    shop.keep_sending(101, 101)
    assert shop.stored() == 201
    assert facts.surveys(shop.database, "outcome").count("yes") == 100
    wait_until(
        "the revision continues", lambda: [settings for settings in shop.settings if settings["revision"] > in_use]
    )


def test_only_a_copy_is_put_back(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    assert shop.stop_bridge() == 0
    before = shop.database.read_bytes()
    letter = shop.folder / "letter.db"
    letter.write_text("This is no database." * 300)
    other = shop.folder / "other.db"
    planted.of_another_program(other)
    damaged = shop.folder / "damaged.db"
    damaged.write_bytes(before[: len(before) // 2])
    for copy in (letter, other, damaged, shop.folder / "none.db"):
        done = shop.trivox("restore", str(copy))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), copy
        assert "trivox backup" in done.stderr
    assert shop.database.read_bytes() == before
    assert not list(shop.folder.glob("a.db.*replaced*")) + list(shop.folder.glob("*.part"))


def test_a_lost_database_is_put_back_too(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    copy = shop.folder / "copy.db"
    assert shop.trivox("backup", str(copy)).returncode == 0
    assert shop.stop_bridge() == 0
    shop.database.unlink()
    assert shop.trivox("restore", str(copy)).returncode == 0
    assert shop.stored() == 10
    assert shop.database.stat().st_mode & 0o777 == 0o600


def test_a_copy_without_room_on_the_disk_is_an_error(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 2_000)
    shop.wait_acknowledged(2_000)
    copy = shop.folder / "copy.db"
    command = ["prlimit", "--fsize=50000", TRIVOX, "backup", str(copy), "--database", str(shop.database)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "make room" in done.stderr
    assert not list(shop.folder.glob("copy*"))
