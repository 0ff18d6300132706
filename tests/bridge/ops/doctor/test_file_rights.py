"""What doctor says about files of older versions, which others may read, lock or replace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bridge.admin.commands import SetSite
from bridge.store import open_store
from tests.bridge.office import Office
from tests.support.intake import execute
from tests.support.other_user import STRANGER, give

FILES = ("trivox.db", "trivox.db-wal", "trivox.db-shm", "trivox.db.lock")


def others(office: Office, *words: object) -> list[str]:
    """Return what doctor says about others on this machine."""
    return [line for line in office.do("doctor", *words).splitlines() if line.startswith("! ") and "ther" in line]


@pytest.mark.parametrize("name", FILES)
def test_each_file_that_others_may_use_is_told_with_the_command_that_mends_it(office: Office, name: str) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    store = open_store(office.database, writing=True)
    with store.transaction(1):
        execute(store, SetSite(site_id="demo", timezone="Europe/Sofia"))
    assert others(office) == []
    file = office.folder / name
    file.chmod(0o644)
    (told,) = others(office)
    assert f"may read {file}, or lock the bridge out: run `chmod go= {file}`" in told
    subprocess.run(["sh", "-c", told.split("`")[1]], check=True)
    assert others(office) == []
    office.database.chmod(0o640)  # a group that may read is somebody's choice
    assert others(office) == []
    store.close()


def test_a_folder_where_others_may_put_files_is_told(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    for mode, words in ((0o777, f"run `chmod go-w {office.folder}`"), (0o1777, "to its own folder")):
        office.folder.chmod(mode)
        assert words in "".join(others(office))
    office.folder.chmod(0o755)
    assert others(office) == []
    give(office.folder, STRANGER, STRANGER)
    text = office.run("doctor")
    assert text.status == 0 or "may put another file in its place" in text.err


def test_keys_and_firmware_that_others_may_enter_or_write_are_told(office: Office) -> None:
    office.do("console", "enroll", "demo/till-1")
    keys, firmware = office.folder / "trivox.db-keys", office.folder / "trivox.db-firmware"
    firmware.mkdir(mode=0o700)
    assert others(office) == []
    keys.chmod(0o755)
    assert f"run `chmod -R go= {keys}`" in "".join(others(office))
    keys.chmod(0o700)
    firmware.chmod(0o775)
    assert f"run `chmod -R go-w {firmware}`" in "".join(others(office))
    firmware.chmod(0o755)
    assert others(office) == []


def test_an_authoritys_key_that_others_may_read_is_told(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    broker = office.folder / "broker"
    office.do("broker-config", "--out", broker, "--host", "a")
    broker_options = ("--broker", "mqtts://127.0.0.1:9", "--config", broker / "bridge.toml")
    assert "ca.key" not in "".join(others(office, *broker_options))
    key = broker / "authority" / "ca.key"
    key.chmod(0o644)
    assert f"may read {key}, with which they can play the broker" in "".join(others(office, *broker_options))


def test_files_with_names_that_no_command_gives_are_told_and_left_out(office: Office) -> None:
    office.do("console", "enroll", "demo/till-1")
    office.do("source", "enroll", "demo/door")
    office.do("viewer", "enroll", "boss")
    keys, firmware = office.folder / "trivox.db-keys", office.folder / "trivox.db-firmware"
    (firmware / "trusted").mkdir(parents=True)
    planted = (
        keys / "boss\ntopic readwrite #\nuser x.viewer",
        keys / "demo" / "till-1\ntopic readwrite #.json",
        keys / "demo" / "door topic.source",
        keys / "bridge.viewer",
        firmware / "1.0.0\n.bundle",
        firmware / "trusted" / "planted.pub",
    )
    for path in planted:
        source = next(keys.glob(f"**/*{path.suffix}"), keys / "boss.viewer")
        path.write_bytes(source.read_bytes())
        path.chmod(0o600)
    broker = office.folder / "broker"
    said = office.do("broker-config", "--out", broker, "--host", "a")
    assert "the bridge, 1 console, 1 source of counts, 1 viewer." in said
    assert said.count("gives no rights to anybody") == 4
    access = (broker / "acl").read_text()
    assert "readwrite" not in access
    assert [line for line in access.splitlines() if line.startswith("user ")] == [
        "user demo.till-1",
        "user demo.door",
        "user boss",
    ]
    assert len((broker / "passwords").read_text().splitlines()) == 4
    text = office.do("doctor")
    assert (text.count("gives no rights to anybody"), text.count("is not used")) == (4, 2)
    listed = office.run("firmware", "list")
    assert (listed.out, listed.err.count("is not used")) == ("", 2)


def test_credentials_under_another_ones_name_are_refused(office: Office) -> None:
    office.do("console", "enroll", "demo/till-1")
    office.do("viewer", "enroll", "boss", "aide")
    keys = office.folder / "trivox.db-keys"
    (keys / "aide.viewer").write_bytes((keys / "boss.viewer").read_bytes())
    assert "aide.viewer is damaged" in office.do("broker-config", "--out", office.folder / "broker", "--host", "a")
    text = "".join((office.folder / "broker" / name).read_text() for name in ("passwords", "acl"))
    assert ("aide" in text, text.count("boss")) == (False, 2)


@pytest.mark.parametrize("name", ["a shop", "50%", "$HOME", 'a"b', "a\\b", "a\nUser=root"])
@pytest.mark.parametrize("what", ["database", "out", "program"])
def test_no_path_becomes_another_line_of_a_unit(
    office: Office, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    folder = office.folder / name
    folder.mkdir()
    out = office.folder / "broker"
    if what == "database":
        office.database = folder / "a.db"
    elif what == "out":
        out = folder
    else:
        monkeypatch.setattr("sys.argv", [str(folder / "trivox")])
    refused = office.run("broker-config", "--out", out, "--host", "a")
    assert (refused.status, "systemd cannot use" in refused.err, refused.err.count("\n")) == (2, True, 1)
    assert not list(Path(out).glob("*"))


def test_a_link_in_the_place_of_the_lock_is_told(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    lock = office.folder / "trivox.db.lock"
    lock.unlink()
    lock.symlink_to("elsewhere")
    assert f"{lock} is a link, so nothing can be written: find out who put it there" in office.do("doctor")
    told = office.run("site", "set", "demo", "--timezone", "Europe/Sofia")
    assert (told.status, told.err.count("\n")) == (1, 1)
    assert "find out who put it there, and remove it" in told.err
