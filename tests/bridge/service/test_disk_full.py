"""Test a full disk: the bridge keeps running, acknowledges nothing, says so, and continues when there is room again.

`prlimit` stops a file from growing on any machine (SQLite calls that an I/O error); where the machine allows mounting,
a small tmpfs really fills up.
"""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bridge.office import Office
from tests.bridge.shop import RealShop, batch
from tests.support import facts
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = 3 * 1024 * 1024


class Disk:
    """A disk for a database, which tests fill up and free."""

    def __init__(self, folder: Path, *, is_mounted: bool) -> None:
        self.folder = folder
        self.is_mounted = is_mounted

    def fill(self, shop: RealShop) -> None:
        if not self.is_mounted:
            shop.limit_files(shop.database.with_name("a.db-wal").stat().st_size)
            return
        self.leave_no_room()

    def leave_no_room(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self, shop: RealShop) -> None:
        if self.is_mounted:
            (self.folder / "ballast").unlink()
        else:
            shop.limit_files(resource.RLIM_INFINITY)  # a bridge that is started again has no limit anyway


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
def shop(tmp_path: Path, disk: Disk) -> Iterator[RealShop]:
    with RealShop(tmp_path, disk.folder) as shop:
        yield shop


def fill(shop: RealShop, disk: Disk) -> None:
    """Store the first events, then leave no room for more."""
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    disk.fill(shop)


def test_nothing_is_acknowledged_on_a_full_disk_and_everything_is_stored_once_afterwards(
    shop: RealShop, disk: Disk
) -> None:
    fill(shop, disk)
    for base in range(11, 2011, 32):
        shop.send(batch(base, 32))
    told = shop.wait_logged("cannot write the database")
    assert (told["level"], told["reason"] in {"disk_full", "io_error"}) == ("warning", True)
    shop.wait_metric("trivox_database_writable", 0)
    refused = shop.trivox("site", "set", "s1", "--timezone", "Europe/Sofia")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "cannot write" in refused.stderr
    stored, at = shop.stored(), shop.metrics()
    wait_until("what was stored is acknowledged", lambda: shop.through() >= stored)
    assert shop.through() == stored < 2026  # … and nothing else
    assert at["trivox_events_stored_total"] == stored
    assert at["trivox_backlog_messages"] > 0
    disk.free(shop)
    shop.wait_acknowledged(2026)
    shop.wait_logged("the database can be written again")
    shop.wait_metric("trivox_database_writable", 1)
    assert shop.stored() == 2026
    assert facts.surveys(shop.database, "outcome") == ["yes"] * 1013
    assert facts.rejects(shop.database) == []
    assert shop.metrics()["trivox_events_stored_total"] == 2026
    assert (
        len(shop.lines("cannot write the database")) < 10
    )  # each event is logged once, and repeated at most once a minute


def test_the_bridge_stops_soon_and_what_was_not_stored_is_sent_again(shop: RealShop, disk: Disk) -> None:
    fill(shop, disk)
    for base in range(11, 1011, 10):
        shop.send(batch(base, 10))
    shop.wait_logged("cannot write the database")
    stored = shop.stored()
    assert shop.stop_bridge() == 0
    wait_until("what was stored is acknowledged", lambda: shop.through() >= stored)
    assert shop.through() == stored
    disk.free(shop)
    shop.start_bridge()
    shop.wait_acknowledged(1010)  # the broker kept them: there was no PUBACK
    assert shop.stored() == 1010


def test_a_bridge_that_starts_on_a_full_disk_says_so_and_waits_for_room(shop: RealShop, disk: Disk) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    assert shop.stop_bridge() == 0
    if disk.is_mounted:
        disk.fill(shop)
        shop.start_bridge(connected=False)
    else:
        shop.start_bridge(connected=False, under=("prlimit", "--fsize=20000:"))  # large enough for its own log file
    shop.wait_logged("make room on its disk")
    shop.send_events(11, 10)
    disk.free(shop)
    shop.wait_acknowledged(20)
    assert shop.stored() == 20
    assert len(shop.lines("make room on its disk")) == 1


def test_a_bridge_that_waits_for_room_obeys_sigterm(shop: RealShop, disk: Disk) -> None:
    shop.start_bridge()
    assert shop.stop_bridge() == 0
    shop.start_bridge(connected=False, under=("prlimit", "--fsize=20000:"))
    shop.wait_logged("make room on its disk")
    assert shop.stop_bridge() == 0


def test_a_log_that_cannot_be_moved_into_the_file_only_waits(shop: RealShop, disk: Disk) -> None:
    """A checkpoint needs room in the file itself: the log grows instead, and nothing is lost or reported twice."""
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    disk.fill(shop)
    base = 11
    while not shop.lines("cannot write the database"):
        shop.send_events(base, 320)
        base += 320
        wait_until("stored, or told", lambda: shop.through() >= base - 1 or shop.lines("cannot write the database"))  # noqa: B023
    disk.free(shop)
    shop.wait_acknowledged(base - 1)
    assert shop.stop_bridge() == 0
    assert not shop.database.with_name("a.db-wal").exists()
    assert shop.stored() == base - 1


def test_settings_made_on_a_full_disk_are_published_when_there_is_room(shop: RealShop, disk: Disk) -> None:
    fill(shop, disk)
    shop.send(b'{"epoch":"0000000a","settings_revision":7}', leaf="health")
    shop.send(batch(11, 32))
    shop.wait_logged("cannot write the database")
    assert shop.settings == []
    disk.free(shop)
    shop.wait_acknowledged(42)
    assert shop.trivox("settings", "set", "--all", "ask_every=5").returncode == 0
    wait_until("settings above those in use", lambda: [one for one in shop.settings if one["revision"] > 7])
    assert shop.settings[-1]["ask_every"] == 5


@pytest.mark.parametrize("disk", ["tmpfs"], indirect=True)
def test_what_only_reads_needs_no_room(disk: Disk, tmp_path: Path) -> None:
    if not disk.is_mounted:
        pytest.skip("no disk can be mounted here")
    office = Office(disk.folder)
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    disk.leave_no_room()
    assert "Europe/Sofia" in office.do("site", "list")
    assert "disk has 0 MB free: make room" in office.do("doctor")
    office.do("backup", tmp_path / "copy.db")
    assert facts.damage(tmp_path / "copy.db") == []
    assert "make room on its disk" in office.run("site", "set", "demo", "--timezone", "UTC").err
