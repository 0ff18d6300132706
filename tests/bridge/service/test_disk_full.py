"""A full disk: the bridge stays, acknowledges nothing, says so, and goes on by itself when there is room again.

`prlimit` stops a file from growing on any machine (SQLite calls that an I/O error); where the machine lets us mount, a
small tmpfs fills up for real.
"""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bridge.shop import Shop, batch
from tests.support import facts
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = 3 * 1024 * 1024


class Disk:
    """A place for a database, to be filled up and freed."""

    def __init__(self, folder: Path, *, is_mounted: bool) -> None:
        self.folder = folder
        self.is_mounted = is_mounted

    def fill(self, shop: Shop) -> None:
        if not self.is_mounted:
            shop.limit_files(shop.database.with_name("a.db-wal").stat().st_size)
            return
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self, shop: Shop) -> None:
        if self.is_mounted:
            (self.folder / "ballast").unlink()
        else:
            shop.limit_files(resource.RLIM_INFINITY)  # a bridge that is started anew has no limit anyway


@pytest.fixture(params=["prlimit", "tmpfs where it can be mounted"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "trivox-test", str(folder)]
    is_mounted = request.param != "prlimit" and subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield Disk(folder, is_mounted=is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def shop(tmp_path: Path, disk: Disk) -> Iterator[Shop]:
    with Shop(tmp_path, disk.folder) as shop:
        yield shop


def fill(shop: Shop, disk: Disk) -> None:
    """The first events are stored, then there is no room for more."""
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    disk.fill(shop)


def test_nothing_is_acknowledged_meanwhile_and_everything_is_stored_once_afterwards(shop: Shop, disk: Disk) -> None:
    fill(shop, disk)
    for base in range(11, 2011, 32):
        shop.send(batch(base, 32))
    told = shop.said("cannot write the database")
    assert (told["level"], told["reason"] in {"disk_full", "io_error"}) == ("warning", True)
    shop.measured("trivox_database_writable", 0)
    refused = shop.trivox("site", "set", "s1", "--timezone", "Europe/Sofia")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "cannot write" in refused.stderr
    stored, at = shop.stored(), shop.metrics()
    wait_until("what was stored is acknowledged", lambda: shop.through() >= stored)
    assert shop.through() == stored < 2026  # … and nothing else
    assert at["trivox_events_stored_total"] == stored
    assert at["trivox_backlog_messages"] > 0
    disk.free(shop)
    shop.acknowledged(2026)
    shop.said("the database is written again")
    shop.measured("trivox_database_writable", 1)
    assert shop.stored() == 2026
    assert facts.surveys(shop.database, "outcome") == ["yes"] * 1013
    assert facts.rejects(shop.database) == []
    assert shop.metrics()["trivox_events_stored_total"] == 2026
    assert len(shop.lines("cannot write the database")) < 10  # a line an event of note, at most once a minute


def test_the_end_comes_soon_and_what_was_not_stored_comes_again(shop: Shop, disk: Disk) -> None:
    fill(shop, disk)
    for base in range(11, 1011, 10):
        shop.send(batch(base, 10))
    shop.said("cannot write the database")
    stored = shop.stored()
    assert shop.stop_bridge() == 0
    wait_until("what was stored is acknowledged", lambda: shop.through() >= stored)
    assert shop.through() == stored
    disk.free(shop)
    shop.start_bridge()
    shop.acknowledged(1010)  # the broker held on to it: there was no PUBACK
    assert shop.stored() == 1010


def test_a_bridge_that_starts_on_a_full_disk_says_so_and_waits_for_room(shop: Shop, disk: Disk) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    assert shop.stop_bridge() == 0
    if disk.is_mounted:
        disk.fill(shop)
        shop.start_bridge(connected=False)
    else:
        shop.start_bridge(connected=False, under=("prlimit", "--fsize=20000:"))  # the log of its words has room
    shop.said("make room on its disk")
    shop.send_events(11, 10)
    disk.free(shop)
    shop.acknowledged(20)
    assert shop.stored() == 20
    assert len(shop.lines("make room on its disk")) == 1


def test_a_bridge_that_waits_for_room_ends_when_it_is_told(shop: Shop, disk: Disk) -> None:
    shop.start_bridge()
    assert shop.stop_bridge() == 0
    shop.start_bridge(connected=False, under=("prlimit", "--fsize=20000:"))
    shop.said("make room on its disk")
    assert shop.stop_bridge() == 0


def test_a_log_that_cannot_go_into_the_file_only_waits(shop: Shop, disk: Disk) -> None:
    """A checkpoint needs room in the file itself: the log grows instead, and nothing is lost or told twice."""
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.acknowledged(10)
    disk.fill(shop)
    base = 11
    while not shop.lines("cannot write the database"):
        shop.send_events(base, 320)
        base += 320
        wait_until("stored, or told", lambda: shop.through() >= base - 1 or shop.lines("cannot write the database"))  # noqa: B023
    disk.free(shop)
    shop.acknowledged(base - 1)
    assert shop.stop_bridge() == 0
    assert not shop.database.with_name("a.db-wal").exists()
    assert shop.stored() == base - 1


def test_settings_made_on_a_full_disk_are_published_when_there_is_room(shop: Shop, disk: Disk) -> None:
    fill(shop, disk)
    shop.send(b'{"epoch":"0000000a","settings_revision":7}', leaf="health")
    shop.send(batch(11, 32))
    shop.said("cannot write the database")
    assert shop.settings == []
    disk.free(shop)
    shop.acknowledged(42)
    assert shop.trivox("settings", "set", "--all", "ask_every=5").returncode == 0
    wait_until("settings above those in use", lambda: [one for one in shop.settings if one["revision"] > 7])
    assert shop.settings[-1]["ask_every"] == 5
