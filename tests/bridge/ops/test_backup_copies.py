"""Dated copies, the folders beside them, and copies into which somebody has put something of his own."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.admin.firmware_bundle import make_key
from bridge.cli import backup as command
from bridge.keyring import SESSION
from bridge.ops.side_folders import MAX_FILE_BYTES
from tests.bridge.office import Office, OfficeTill, at
from tests.support import planted
from tests.support.facts import schema_names, stored

NINE = at("2026-11-02T09:00+00:00")
START = datetime(2026, 11, 30, 3, 15, tzinfo=UTC)


class BackupClock:
    """A clock that the test sets, in place of `datetime` in the command."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = START
        monkeypatch.setattr(command, "datetime", self)

    def now(self, _zone: object) -> datetime:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> BackupClock:
    return BackupClock(monkeypatch)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A survey, a console's and a viewer's credentials, and a trusted key."""
    office, till = Office(tmp_path), OfficeTill()
    till.survey(NINE, "yes")
    office.take(till)
    office.do("console", "enroll", "demo/till-1")
    office.do("viewer", "enroll", "boss")
    make_key(tmp_path / "signing.key")
    office.do("firmware", "trust", tmp_path / "signing.key.pub")
    (tmp_path / "copies").mkdir()
    (tmp_path / "trivox.db-keys" / SESSION).write_text('{"client_id":"secret"}')
    return office


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_each_day_and_the_oldest_goes(office: Office, clock: BackupClock) -> None:
    copies = office.folder / "copies"
    others = ("shop.db", "shop-2026-11-01T000000Z.db.old", "shop-2-2026-11-01T000000Z.db", "shop-2026-11-01.db")
    for name in others:
        (copies / name).write_text("not ours")
    (copies / "shop-2026-10-01T000000Z.db").mkdir()  # no copy either
    (copies / "shop-2026-10-02T000000Z.db.77.part").touch()  # of one that was killed
    (copies / "shop-2026-10-02T000000Z.db-keys").mkdir()
    for day in range(4):
        clock.at = START + timedelta(days=day)
        said = office.do("backup", copies / "shop.db", "--keep", "2")
        assert f"shop-2026-{'11-30' if day == 0 else f'12-0{day}'}T031500Z.db (" in said
    clock.at += timedelta(hours=12)  # twice a day works
    said = office.do("backup", copies / "shop.db", "--keep", "2")
    assert f"Removed {copies / 'shop-2026-12-02T031500Z.db'}." in said
    kept = [f"shop-2026-12-03T{hour}1500Z.db{suffix}" for hour in ("03", "15") for suffix in ("", "-firmware", "-keys")]
    assert names(copies) == sorted([*others, "shop-2026-10-01T000000Z.db", *kept])
    assert stored(copies / kept[0]) == 2


def test_the_newest_copy_stays_whatever_the_clock_said_before(office: Office, clock: BackupClock) -> None:
    copies = office.folder / "copies"
    clock.at = START.replace(year=2031)
    office.do("backup", copies / "shop.db", "--keep", "1")
    clock.at = START
    office.do("backup", copies / "shop.db", "--keep", "1")
    assert [name for name in names(copies) if name.endswith(".db")] == ["shop-2026-11-30T031500Z.db"]


def test_nothing_is_removed_if_no_copy_could_be_made(office: Office, clock: BackupClock) -> None:
    copies = office.folder / "copies"
    office.do("backup", copies / "shop.db", "--keep", "1")
    before = names(copies)
    planted.overwrite(office.database, planted.middle(office.database))
    clock.at += timedelta(days=1)
    assert office.run("backup", copies / "shop.db", "--keep", "1").status == 1
    assert names(copies) == before
    again = office.run("backup", copies / before[0])
    assert (again.status, "is there already" in again.err) == (1, True)
    assert office.run("backup", copies / "shop.db", "--keep", "0").status == 2


def test_keys_and_firmware_are_in_the_copy_and_come_back(office: Office) -> None:
    copy, database = office.folder / "copies" / "shop.db", office.database
    said = office.do("backup", copy)
    assert "shop.db-keys" in said
    assert "shop.db-firmware" in said
    for kind in ("keys", "firmware"):
        original, copied = (path.with_name(f"{path.name}-{kind}") for path in (database, copy))
        expected = {name: data for name, data in contents(original).items() if name != SESSION}
        assert contents(copied) == expected != {}
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (copied, *copied.rglob("*"))}
        assert modes == {0o700, 0o600}
    office.database = copy  # any command works on the copy as on the original
    assert "unchanged credentials" in office.do("console", "enroll", "demo/till-1")
    office.database = office.folder / "new" / "shop.db"
    office.database.parent.mkdir()
    keys = office.folder / "new" / "shop.db-keys"
    keys.mkdir(mode=0o700)  # by a bridge that was started too early, and has a name of its own
    (keys / SESSION).write_text('{"client_id":"new"}')
    assert office.do("restore", copy).count("is put back too") == 2
    assert "new" in (keys / SESSION).read_text()
    (keys / SESSION).unlink()
    for kind in ("keys", "firmware"):
        assert contents(office.folder / "new" / f"shop.db-{kind}") == contents(copy.with_name(f"shop.db-{kind}"))
    office.do("viewer", "revoke", "boss")
    assert office.do("restore", copy).count("stays as it is") == 2
    assert not (office.folder / "new" / "shop.db-keys" / "boss.viewer").exists(), "who was revoked stays so"


def test_what_is_not_in_a_copy_is_named_and_older_copies_stay(office: Office, clock: BackupClock) -> None:
    copies, keys = office.folder / "copies", office.folder / "trivox.db-keys"
    office.do("backup", copies / "shop.db", "--keep", "1")
    older = names(copies)
    clock.at += timedelta(days=1)
    (keys / "demo" / "till-2.json").symlink_to("/etc/hostname")
    (keys / "demo" / "till-3.json").mkdir()
    os.mkfifo(keys / "demo" / "till-4.json")
    (keys / "big.viewer").write_bytes(bytes(MAX_FILE_BYTES + 1))
    done = office.run("backup", copies / "shop.db", "--keep", "1")
    assert (done.status, done.err.count("\n")) == (1, 5)
    for name in ("demo/till-2.json", "demo/till-3.json", "demo/till-4.json", "big.viewer"):
        assert f"trivox: not in the copy: {keys}/{name} cannot be copied (it is " in done.err
    assert "The copy is not complete, which removed no older one: put right" in done.err
    new = copies / "shop-2026-12-01T031500Z.db"
    assert set(names(copies)) == {*older, *(f"{new.name}{suffix}" for suffix in ("", "-keys", "-firmware"))}
    assert sorted(contents(copies / f"{new.name}-keys")) == ["boss.viewer", "demo/till-1.json"]
    keys.rename(office.folder / "elsewhere")
    keys.symlink_to(office.folder / "elsewhere")
    done = office.run("backup", copies / "plain.db")
    assert (done.status, f"not in the copy: {keys} is a link" in done.err) == (1, True)
    assert stored(copies / "plain.db") == 2


def test_a_folder_is_no_name_for_a_copy(office: Office) -> None:
    for options in ((), ("--keep", "1")):
        refused = office.run("backup", office.folder / "copies", *options)
        assert (refused.status, "is a folder: name a file in it" in refused.err) == (2, True)
    assert names(office.folder / "copies") == []


@pytest.mark.parametrize("kind", planted.STRANGE)
def test_what_somebody_planted_in_a_copy_is_left_out_and_told(office: Office, kind: str) -> None:
    copy = office.folder / "copies" / "shop.db"
    office.do("backup", copy)
    planted.changed_schema(copy, kind)
    done = office.run("restore", copy)
    assert done.status == 0, done
    assert f"trivox: {'table' if kind == 'generated' else kind.split(maxsplit=1)[0]} planted was left out" in done.err
    assert "planted" not in schema_names(office.database)
    assert stored(office.database) == 2


def test_a_copy_in_which_something_of_ours_is_not_there_is_refused(office: Office) -> None:
    copy = office.folder / "copies" / "shop.db"
    office.do("backup", copy)
    planted.without_table(copy)
    refused = office.run("restore", copy)
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "cannot be put right" in refused.err
    assert stored(office.database) == 2
    assert not list(office.folder.glob("*.part*"))


@pytest.mark.parametrize("kind", ["trigger", "trigger before"])
def test_triggers_in_a_database_do_nothing(office: Office, kind: str) -> None:
    planted.changed_schema(office.database, kind)
    till = OfficeTill(console_id="till-2", epoch="0000abce")
    till.survey(NINE, "no")
    office.take(till)
    assert stored(office.database) == 4
    (row,) = json.loads(
        office.do("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "site", "--format", "json")
    )
    assert (row["yes"], row["no"]) == (1, 1)


def test_a_database_of_an_older_version_is_copied_as_it_is(office: Office) -> None:
    older = Office(office.folder / "copies")
    planted.settings_ended(older.database, 7, [3])
    before = older.database.read_bytes()
    assert "older Trivox" in older.run("site", "list").err
    older.do("backup", office.folder / "older.db")
    assert older.database.read_bytes() == before
    assert schema_names(office.folder / "older.db") == schema_names(older.database)
    older.do("restore", office.folder / "older.db")
    older.do("site", "set", "demo", "--timezone", "UTC")
    assert "UTC" in older.do("site", "list")
