"""Whatever only reads works without the right to write, sees what is stored, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.admin.commands import SetSite
from bridge.reports.live_table import Watcher
from bridge.store import open_store
from bridge.store.places import timezones
from tests.bridge.office import Office, OfficeTill, at
from tests.support import planted
from tests.support.facts import stored
from tests.support.intake import execute
from tests.support.other_user import SERVICE_GROUP, STRANGER, as_user, give, service_folder

NINE = at("2026-11-02T09:00+00:00")
REPORT = ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "site", "--format", "csv")
READING = (
    REPORT,
    ("compare", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "site"),
    ("compare", "--from", "2026-11-01", "--to", "2026-12-01", "--target"),
    ("target", "list"),
    ("question", "list"),
    ("settings", "list"),
    ("console", "list"),
    ("chart", "--from", "2026-10-01", "--to", "2026-12-01"),
    ("annotation", "list"),
    ("doctor",),
    ("watch", "--once"),
    ("firmware", "list"),
    ("question", "card", "staff", "--for", "customer", "--out", "{outside}/card.svg"),
    ("backup", "{outside}/copy.db"),
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Surveys stored by the bridge's user, in a folder of that user."""
    with service_folder() as folder:
        office = Office(folder)
        till = OfficeTill()
        till.surveys(NINE, yes=4, no=2)
        recorded = tmp_path / "recorded.ndjson"
        recorded.write_text("".join(json.dumps(message) + "\n" for message in till.messages()))
        office.do("ingest", recorded)
        yield office


@contextmanager
def own_temporary_folder() -> Iterator[Path]:
    """Have temporary files made in a folder that no other test uses, and that every user may use."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patched:
        Path(name).chmod(0o1777)
        patched.setattr(tempfile, "tempdir", name)
        yield Path(name)


def read_all(office: Office, outside: Path) -> None:
    """Run all commands that read; check that they tell of the stored surveys, and that no file comes or goes."""
    before = sorted(office.folder.iterdir())
    with own_temporary_folder() as temporary:
        for words in READING:
            result = office.run(*(word.format(outside=outside) for word in words))
            assert (result.status, result.err) == (0, ""), (words, result)
            if words == REPORT:
                assert ",6,4,2,0,0," in result.out
        assert list(temporary.iterdir()) == []
    assert stored(outside / "copy.db") == 12
    assert sorted(office.folder.iterdir()) == before


def test_in_a_folder_that_may_not_be_written(office: Office, tmp_path: Path) -> None:
    (office.folder / "trivox.db.lock").unlink()
    office.folder.chmod(0o500)
    read_all(office, tmp_path)


def test_from_a_disk_mounted_read_only(office: Office, tmp_path: Path) -> None:
    office.database.chmod(0o400)
    office.folder.chmod(0o500)
    read_all(office, tmp_path)


def test_a_file_that_may_only_be_read_in_a_folder_that_may_be_written(office: Office, tmp_path: Path) -> None:
    office.database.chmod(0o400)
    read_all(office, tmp_path)


def test_what_lies_in_a_log_that_a_killed_bridge_left_is_read(office: Office) -> None:
    dead = office.folder / "dead"
    dead.mkdir()
    store = open_store(office.database, writing=True)
    with store.transaction(1):
        execute(store, SetSite(site_id="demo", timezone="Asia/Tokyo"))
    for suffix in ("", "-wal"):
        shutil.copy(f"{office.database}{suffix}", dead / f"trivox.db{suffix}")
    store.close()
    for path in (*dead.iterdir(), dead):
        give(path)
    dead.chmod(0o500)
    office.database = dead / "trivox.db"
    assert office.do(*REPORT).startswith("site_id")
    reader = open_store(office.database)
    assert timezones(reader) == {"demo": "Asia/Tokyo"}
    reader.close()
    assert sorted(path.name for path in dead.iterdir()) == ["trivox.db", "trivox.db-wal"]
    dead.chmod(0o700)


def test_a_command_that_writes_says_that_it_cannot(office: Office) -> None:
    (office.folder / "trivox.db.lock").unlink()
    office.folder.chmod(0o500)
    result = office.run("site", "set", "demo", "--timezone", "UTC")
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert "Permission denied" in result.err
    assert not (office.folder / "trivox.db.lock").exists()


def test_a_database_of_an_older_version_is_named(office: Office) -> None:
    planted.of_version(office.database, 1)
    office.folder.chmod(0o500)
    result = office.run(*REPORT)
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert "older Trivox: copy it" in result.err


@pytest.mark.parametrize("is_written", [False, True])
def test_a_member_of_the_databases_group_reads_what_the_owner_writes(office: Office, *, is_written: bool) -> None:
    expected = office.do(*REPORT)
    office.database.chmod(0o640)
    office.folder.chmod(0o750)
    store = open_store(office.database, writing=is_written)
    before = sorted(office.folder.iterdir())
    assert as_user(lambda: int(office.do(*REPORT) != expected), STRANGER, SERVICE_GROUP) == 0
    assert sorted(office.folder.iterdir()) == before
    store.close()


@pytest.mark.parametrize(
    ("out_of_reach", "what"),
    [
        ("trivox.db-keys", "credentials"),
        ("trivox.db-keys/demo", "credentials"),
        ("trivox.db-firmware", "firmware"),
        ("trivox.db-firmware/trusted", "firmware"),
    ],
)
def test_who_may_not_see_what_lies_beside_the_database_reads_all_else(
    office: Office, out_of_reach: str, what: str
) -> None:
    office.do("console", "enroll", "demo/till-1")
    for folder in (office.folder / "trivox.db-firmware", office.folder / "trivox.db-firmware" / "trusted"):
        folder.mkdir()
        give(folder)
    for path in (office.database, *office.folder.iterdir(), *office.folder.glob("trivox.db-*/*")):
        path.chmod(0o750 if path.is_dir() else 0o640)
    office.folder.chmod(0o750)
    (office.folder / out_of_reach).chmod(0o000)  # for whoever is not root, the owner too
    try:
        assert as_user(lambda: _listed_without(what, office), STRANGER, SERVICE_GROUP) == 0
    finally:
        (office.folder / out_of_reach).chmod(0o700)


def _listed_without(what: str, office: Office) -> int:
    assert "till-1" in office.do("console", "list")
    told = office.do("doctor")
    assert "is intact" in told
    (told_of,) = [line for line in told.splitlines() if "not checked: only the bridge's user may read" in line]
    assert told_of.startswith(f"  The {what} in {office.database}-")
    assert "No bridge is running" in told
    return 0


def test_the_live_table_follows_a_database_that_had_to_be_copied(office: Office) -> None:
    office.database.chmod(0o400)
    watcher = Watcher(open_store(office.database))
    assert watcher.read().figures.events == 12
    office.database.chmod(0o600)
    till = OfficeTill(console_id="till-2", epoch="0000abce")
    till.surveys(NINE, yes=1)
    office.take(till)
    office.database.chmod(0o400)
    assert watcher.read().figures.events == 14
    watcher.close()
