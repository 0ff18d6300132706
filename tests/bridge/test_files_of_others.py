"""Nobody but its owner can read or lock what belongs to a database, and root follows no trap that its owner lays."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from bridge.admin.commands import SetSite
from bridge.admin.firmware_bundle import make_key
from bridge.errors import TrivoxError
from bridge.private_files import make_folder
from bridge.privileges import Owner, owner_of
from bridge.store import open_store
from tests.bridge.office import Office, OfficeTill, at
from tests.support.intake import execute
from tests.support.other_user import (
    IS_ROOT,
    NO_ACCESS,
    SERVICE_GROUP,
    SERVICE_USER,
    STRANGER,
    as_user,
    give,
    service_folder,
)

NINE = at("2026-11-02T09:00+00:00")
PRECIOUS = b"root's own\n"
SHM_WRITE_LOCK = 120  # the byte of the index by which SQLite's writers exclude each other


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file that only who runs the command may change."""
    file = tmp_path / "precious"
    file.write_bytes(PRECIOUS)
    file.chmod(0o600)
    return file


def survey(office: Office) -> None:
    till = OfficeTill()
    till.survey(NINE, "yes")
    path = office.folder.parent / "recorded.ndjson"
    path.write_text("".join(json.dumps(message) + "\n" for message in till.messages()))
    office.do("ingest", path)


def files_below(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if not path.is_socket()]


def all_commands_that_write(office: Office, outside: Path) -> None:
    """Write everything that a database has beside it, and what commands write elsewhere."""
    office.do("console", "enroll", "demo/till-1", "--out", outside / "till-1.json")
    office.do("source", "enroll", "demo/door")
    office.do("viewer", "enroll", "boss")
    office.do("console", "keys", outside / "keys.json", "demo/till-1")
    make_key(outside / "signing.key")
    office.do("firmware", "trust", outside / "signing.key.pub")
    office.do("backup", outside / "copy.db")
    office.do("question", "card", "staff", "--for", "customer", "--out", outside / "card.svg")


# -- from the first byte on -----------------------------------------------------------------------------------------


def test_whatever_is_made_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with service_folder() as folder:
            office = Office(folder)
            outside = tmp_path / "outside"
            outside.mkdir(mode=0o700)
            all_commands_that_write(office, outside)
            survey(office)
            office.do("restore", outside / "copy.db")
            files = [*files_below(folder), *files_below(outside)]
            public = {outside / "signing.key.pub"}
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in files if path not in public}
            assert {path.name: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
            assert {path.stat().st_uid for path in files_below(folder)} == {SERVICE_USER}
            assert {path.stat().st_gid for path in files_below(folder)} == {SERVICE_GROUP}
            assert {path.stat().st_uid for path in files_below(outside)} == {os.geteuid()}
            assert len(files) > 15
    finally:
        os.umask(before)


@pytest.mark.parametrize("name", ["trivox.db", "trivox.db.lock", "trivox.db-wal", "trivox.db-shm"])
def test_a_stranger_can_neither_read_nor_lock(name: str) -> None:
    with service_folder(0o755) as folder:
        office = Office(folder)
        office.do("site", "set", "demo", "--timezone", "UTC")
        store = open_store(office.database, writing=True)
        with store.transaction(1):
            execute(store, SetSite(site_id="demo", timezone="Europe/Sofia"))

        def lock() -> int:
            descriptor = os.open(folder / name, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, SHM_WRITE_LOCK)
            return 0

        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert as_user(lock) == (NO_ACCESS if IS_ROOT else 0)
        store.close()


# -- traps of the database's owner ----------------------------------------------------------------------------------

TRAPS: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda trap, precious: trap.symlink_to(precious),
    "link to nothing": lambda trap, precious: trap.symlink_to(precious.with_name("new")),
    "second name": lambda trap, precious: trap.hardlink_to(precious),
    "pipe": lambda trap, _: os.mkfifo(trap),
}
SET_SITE = ("site", "set", "demo", "--timezone", "UTC")
ENROL = ("console", "enroll", "demo/till-1", "--renew")
TRUST = ("firmware", "trust", "{outside}/signing.key.pub")
RESTORE = ("restore", "{outside}/copy.db")
PLACES = {  # where the trap is laid, and a command that works there
    "trivox.db": ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "site"),
    "trivox.db.lock": SET_SITE,
    "trivox.db-wal": SET_SITE,
    "trivox.db-shm": SET_SITE,
    "trivox.db-journal": SET_SITE,
    "trivox.db-keys": ENROL,
    "trivox.db-keys/demo": ENROL,
    "trivox.db-keys/demo/till-1.json": ENROL,
    "trivox.db-firmware": TRUST,
    "trivox.db-firmware/trusted": TRUST,
    "trivox.db.part": RESTORE,
    "trivox.db.joined": RESTORE,
    "copy.db": ("backup", "{shop}/copy.db"),
    "copy.db-keys": ("backup", "{shop}/copy.db"),
    "card.svg": ("question", "card", "staff", "--for", "customer", "--out", "{shop}/card.svg"),
    "keys.json": ("console", "keys", "{shop}/keys.json", "demo/till-1"),
    "till-1.json": (*ENROL, "--out", "{shop}/till-1.json"),
}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of who runs the commands, with a key and a copy of a database."""
    folder = tmp_path_factory.mktemp("outside")
    make_key(folder / "signing.key")
    office = Office(tmp_path_factory.mktemp("other"))
    office.do(*SET_SITE)
    office.do("backup", folder / "copy.db")
    return folder


@pytest.mark.parametrize("kind", TRAPS)
def test_a_trap_destroys_nothing_and_holds_nobody_up(outside: Path, precious: Path, kind: str) -> None:
    for place, words in PLACES.items():
        with service_folder() as folder:
            office = Office(folder)
            office.do(*SET_SITE)
            trap = folder / place
            trap.unlink(missing_ok=True)
            for parent in (trap.parent.parent, trap.parent):
                if not parent.exists():
                    parent.mkdir()
                    give(parent)
            TRAPS[kind](trap, precious)
            if kind != "second name":
                give(trap)
            result = office.run(*(word.format(shop=folder, outside=outside) for word in words))
            assert result.err.count("trivox: ") == result.status, (place, result)
            status = precious.stat()
            kept = (precious.read_bytes(), status.st_uid, stat.S_IMODE(status.st_mode))
            assert kept == (PRECIOUS, os.geteuid(), 0o600), (place, result)
            assert not precious.with_name("new").exists() or not IS_ROOT, (place, result)


@pytest.mark.skipif(not IS_ROOT, reason="only root acts for others")
def test_root_acts_for_the_one_who_decides_what_a_path_leads_to(tmp_path: Path) -> None:
    with service_folder() as folder:
        database, link = folder / "trivox.db", tmp_path / "link.db"
        service = Owner(SERVICE_USER, SERVICE_GROUP)
        assert owner_of(database) == service  # not there yet
        database.touch()
        assert owner_of(database) == service  # root's file, which the user may replace
        link.symlink_to(database)
        give(database)
        assert owner_of(link) == service  # root's link may lead anywhere
        inner = folder / "inner.db"
        inner.symlink_to(tmp_path / "roots.db")
        give(inner)
        assert owner_of(inner) == service
        (tmp_path / "roots.db").touch()
        assert owner_of(inner) == service
        stolen = folder.parent / "stolen.db"
        stolen.symlink_to(database)
        give(stolen, STRANGER, STRANGER)
        with pytest.raises(TrivoxError, match=r"is a link of .* and is not followed"):
            owner_of(stolen)
        assert owner_of(tmp_path / "roots.db") == Owner(0, 0)


@pytest.mark.skipif(not IS_ROOT, reason="only root is asked to give files away")
def test_nobody_is_told_to_give_away_what_a_link_leads_to(precious: Path) -> None:
    with service_folder() as folder:
        office = Office(folder)
        office.database.symlink_to(precious)
        give(office.database)
        for words in (("doctor",), ("console", "list"), ("site", "set", "demo", "--timezone", "UTC")):
            result = office.run(*words)
            assert "is a link to a file that" in result.err + result.out
            assert "chown" not in result.err + result.out
    assert precious.read_bytes() == PRECIOUS


def test_a_folder_that_two_make_at_once_is_made_once(tmp_path: Path) -> None:
    for number in range(100):
        folder, start = tmp_path / str(number), Barrier(4)

        def make(folder: Path = folder, start: Barrier = start) -> bool:
            start.wait()
            make_folder(folder)
            return folder.is_dir()

        with ThreadPoolExecutor(4) as threads:
            made = [threads.submit(make) for _ in range(4)]
            assert all(one.result() for one in made)
