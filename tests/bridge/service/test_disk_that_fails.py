"""Test a disk that cannot be read: that is not called damage, which a copy would mend, and it may pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bridge.shop import RealShop
from tests.support import failing_disk, planted
from tests.support.programs import TRIVOX

PROGRAM = (sys.executable, "-P", failing_disk.__file__)
EVENTS = 2_000


@pytest.fixture
def switch(shop: RealShop) -> Path:
    """Store events, and return the file that makes the disk fail."""
    shop.start_bridge()
    shop.send_events(1, EVENTS)
    shop.wait_acknowledged(EVENTS)
    assert shop.stop_bridge() == 0
    return shop.folder / failing_disk.SWITCH


def test_each_command_tells_of_the_disk_and_not_of_damage(shop: RealShop, switch: Path) -> None:
    copy = shop.folder / "copy.db"
    assert shop.trivox("backup", str(copy)).returncode == 0
    switch.touch()
    commands = (
        tuple(shop.command()[:-4]),
        ("backup", str(shop.folder / "second.db")),
        ("restore", str(copy)),
    )
    for words in commands:
        where = () if "--database" in words else ("--database", str(shop.database))
        done = subprocess.run(
            [*PROGRAM, TRIVOX, *words, *where], capture_output=True, text=True, timeout=120, check=False
        )
        sentence = done.stderr.splitlines()[-1]
        assert done.returncode == 1, sentence
        assert "The disk cannot read the database" in sentence
        assert "damaged" not in sentence
        assert "make room" not in sentence
    switch.unlink()
    assert "is intact" in shop.trivox("doctor").stdout


def test_a_running_bridge_waits_for_the_disk(shop: RealShop, switch: Path) -> None:
    shop.start_bridge(under=PROGRAM)
    switch.touch()
    os.utime(shop.database)  # the bridge then reads it, to see whether another program wrote it
    shop.send_events(EVENTS + 1, 100)
    told = shop.wait_logged("cannot write the database")
    assert told["reason"] == "not_readable"
    assert "The disk cannot read the database" in told["error"]
    assert "its disk cannot be read" in shop.trivox("doctor").stdout
    assert shop.through() == EVENTS
    switch.unlink()
    shop.wait_acknowledged(EVENTS + 100)
    assert shop.stored() == EVENTS + 100
    assert shop.stop_bridge() == 0


def test_a_disk_that_gives_nothing_back_is_not_taken_for_another_file(shop: RealShop, switch: Path) -> None:
    shop.start_bridge(under=PROGRAM)
    shop.send_events(EVENTS + 1, 10)
    shop.wait_acknowledged(EVENTS + 10)
    switch.write_text("0")
    os.utime(shop.database)  # the bridge then looks whether another program wrote it
    shop.send_events(EVENTS + 11, 90)
    assert shop.wait_logged("cannot write the database")["reason"] == "not_readable"
    switch.unlink()
    shop.wait_acknowledged(EVENTS + 100)
    shop.wait_metric("trivox_database_writable", 1)
    assert shop.stop_bridge() == 0
    assert shop.stored() == EVENTS + 100


def test_a_bridge_whose_disk_gives_nothing_back_can_be_stopped(shop: RealShop, switch: Path) -> None:
    shop.start_bridge(under=PROGRAM)
    shop.send_events(EVENTS + 1, 10)
    shop.wait_acknowledged(EVENTS + 10)
    switch.write_text("0")
    os.utime(shop.database)
    shop.wait_logged("reason=not_readable")
    assert shop.stop_bridge() == 0
    switch.unlink()
    assert shop.stored() == EVENTS + 10


def test_a_disk_that_gives_nothing_back_of_a_database_with_a_log_is_told(shop: RealShop, switch: Path) -> None:
    shop.start_bridge()
    shop.send_events(EVENTS + 1, 10)
    shop.wait_acknowledged(EVENTS + 10)
    shop.stop_bridge(9)
    switch.write_text("0")
    where = ("--database", str(shop.database))
    for words in (shop.command(), ["rebuild", *where], ["backup", "no.db", *where], ["question", "list", *where]):
        done = run(*PROGRAM, TRIVOX, *words)
        assert done.returncode == 1, done
        assert f"The disk cannot read the database {shop.database}" in done.stderr.splitlines()[-1]
    told = run(*PROGRAM, TRIVOX, "doctor", *where).stdout
    assert f"The disk cannot read the database {shop.database}" in told
    assert "MB free" in told


def test_a_command_that_cannot_write_tells_of_the_disk(shop: RealShop, switch: Path) -> None:
    assert not switch.exists()
    done = run("prlimit", "--fsize=100000:", TRIVOX, "rebuild", "--database", str(shop.database))
    assert done.returncode == 1
    assert f"The disk cannot write the database {shop.database}" in done.stderr
    assert "make room" in done.stderr
    assert "check the disk" in done.stderr


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


def test_what_the_disk_reads_wrongly_is_still_damage(shop: RealShop, switch: Path) -> None:
    planted.overwrite(shop.database, failing_disk.GOOD_BYTES)
    told = shop.trivox("doctor")
    assert "is damaged" in told.stdout + told.stderr
    assert "disk cannot" not in told.stdout + told.stderr
