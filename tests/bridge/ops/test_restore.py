"""What `trivox restore` refuses, keeps and leaves behind, whatever copy and database it finds."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bridge.admin.commands import SetSite
from bridge.errors import DatabaseError
from bridge.ops import restore as module
from bridge.ops.restore import restore
from bridge.service.metrics import BridgeCollector
from bridge.service.vitals import Vitals
from bridge.store import Store, open_store
from tests.bridge.office import Office, OfficeTill, at
from tests.support import planted
from tests.support.facts import sites, stored
from tests.support.intake import execute
from tests.support.other_user import IS_ROOT, SERVICE_GROUP, SERVICE_USER, give, service_folder

if TYPE_CHECKING:
    from pathlib import Path

NINE = at("2026-11-02T09:00+00:00")
NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Ten surveys stored, a copy of them in `copies/trivox.db`, then ten more stored."""
    office, till = Office(tmp_path), OfficeTill()
    (tmp_path / "copies").mkdir()
    till.surveys(NINE, yes=10)
    office.take(till)
    office.do("backup", copy_of(office))
    till.surveys(NINE + 3_600_000, yes=10)
    office.take(till)
    return office


def copy_of(office: Office) -> Path:
    return office.folder / "copies" / "trivox.db"


def change_time_zone(office: Office) -> Store:
    """Make another change, which stays in the log until the returned store is closed."""
    store = open_store(office.database, writing=True)
    with store.transaction(1):
        execute(store, SetSite(site_id="demo", timezone="Europe/Sofia"))
    return store


def log_beside(office: Office, neighbour: Path) -> Path:
    """Put a log of the office's database beside another file, and return the log's path."""
    log = neighbour.with_name(f"{neighbour.name}-wal")
    store = change_time_zone(office)
    shutil.copy(office.database.with_name("trivox.db-wal"), log)
    store.close()
    assert log.stat().st_size > 0
    return log


def test_a_log_beside_the_copy_is_never_applied_to_it(office: Office) -> None:
    log = log_beside(office, copy_of(office))
    refused = office.run("restore", copy_of(office))
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert f"{log} is the log of another database" in refused.err
    assert stored(office.database) == 40
    assert sorted(path.name for path in copy_of(office).parent.iterdir()) == ["trivox.db", "trivox.db-wal"]
    log.unlink()
    office.do("restore", copy_of(office))
    assert stored(office.database) == 20


def test_no_copy_is_made_beside_a_log_of_its_name(office: Office) -> None:
    copy = office.folder / "other.db"
    log = log_beside(office, copy)
    refused = office.run("backup", copy)
    assert refused.status == 1
    assert f"{log} is there already" in refused.err
    assert not copy.exists()


def test_a_log_beside_the_target_of_a_link_is_found(office: Office) -> None:
    log = log_beside(office, copy_of(office))
    link = office.folder / "link.db"
    link.symlink_to(copy_of(office))
    with pytest.raises(DatabaseError, match="log of another database"):
        open_store(link)
    metrics = BridgeCollector(Vitals(), link, "1", 10).collect()
    samples = {sample.name: sample.value for metric in metrics for sample in metric.samples}
    assert samples["trivox_database_log_bytes"] == log.stat().st_size


def test_a_folder_is_no_database(office: Office) -> None:
    folder = office.folder / "folder"
    folder.mkdir()
    (folder / "precious").write_text("x")
    with pytest.raises(DatabaseError, match="is not a file"):
        restore(copy_of(office), folder, NOW)
    assert (folder / "precious").exists()
    assert [path.name for path in office.folder.glob("folder*")] == ["folder"]


def test_a_folder_that_is_missing_is_named(office: Office) -> None:
    office.database = office.folder / "none" / "x.db"
    error = office.run("restore", copy_of(office)).err
    assert f"There is no folder {office.folder / 'none'}" in error
    assert ".lock" not in error


@pytest.mark.parametrize("can_link", [True, False])
def test_two_restores_in_one_second_keep_both_databases(
    office: Office, monkeypatch: pytest.MonkeyPatch, *, can_link: bool
) -> None:
    if not can_link:
        monkeypatch.setattr(module.os, "link", no_links)
    first = restore(copy_of(office), office.database, NOW).old_database
    second = restore(copy_of(office), office.database, NOW).old_database
    assert first is not None
    assert second is not None
    assert (stored(first), stored(second), stored(office.database)) == (40, 20, 20)


def no_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_copy_of_a_newer_trivox_replaces_nothing(office: Office) -> None:
    planted.of_a_newer_version(copy_of(office))
    with pytest.raises(DatabaseError, match="was made by a newer Trivox"):
        restore(copy_of(office), office.database, NOW)
    assert stored(office.database) == 40


@pytest.mark.parametrize("point", ["link", "replace", "unlink"])
def test_a_restore_that_is_killed_leaves_no_database_without_its_log(
    office: Office, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Killed at any step, it leaves the old database with its log, a copy refused beside that log, or the new one."""
    store = change_time_zone(office)
    child = os.fork()
    if not child:
        owner, name = (module.os, "link") if point == "link" else (type(office.database), point)
        real = getattr(owner, name)

        def kill(path: Path, *arguments: object, **options: object) -> object:
            if point == "unlink" and not str(path).endswith("trivox.db-wal"):
                return real(path, *arguments, **options)
            os._exit(9)

        monkeypatch.setattr(owner, name, kill)
        restore(copy_of(office), office.database, NOW)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    monkeypatch.undo()
    if point == "unlink":
        with pytest.raises(DatabaseError, match="restore COPY"):
            open_store(office.database)
    else:
        store.close()
        assert rows(office.database) == (40, "Europe/Sofia")
    aside = restore(copy_of(office), office.database, NOW).old_database
    assert rows(office.database) == (20, "UTC")
    assert aside is not None
    assert not list(office.folder.glob("*.part*"))


def rows(database: Path) -> tuple[int, str]:
    (timezone,) = sites(database, "timezone")
    return stored(database), timezone


def test_a_restore_by_root_keeps_owner_and_permissions(office: Office) -> None:
    with service_folder() as folder:
        shop = Office(folder)
        shop.do("site", "set", "demo", "--timezone", "UTC")
        shop.database.chmod(0o640)
        shop.do("restore", copy_of(office))
        assert stored(shop.database) == 20
        for path in (shop.database, *folder.glob("trivox.db.replaced-*"), folder / "trivox.db.lock"):
            status = path.stat()
            mode = 0o600 if path.suffix == ".lock" else 0o640
            assert (status.st_uid, status.st_gid) == (SERVICE_USER, SERVICE_GROUP)
            assert status.st_mode & 0o777 == mode


@pytest.mark.skipif(not IS_ROOT, reason="only root acts for others")
def test_a_link_of_another_user_that_leads_nowhere_is_explained(office: Office, tmp_path: Path) -> None:
    office.do("backup", copy := tmp_path / "copy.db")
    with service_folder() as home, service_folder(0o755, user=0) as other:
        shop = Office(home)
        shop.database.symlink_to(other / "elsewhere.db")
        give(shop.database)
        refused = shop.run("restore", copy)
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert f"Nothing can be written to {other} (" in refused.err, refused.err


def test_an_empty_file_is_reported_as_empty(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    with pytest.raises(DatabaseError, match=r"is empty.*trivox restore"):
        open_store(tmp_path / "a.db")
