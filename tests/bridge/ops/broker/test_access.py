"""`trivox console enroll` and `revoke`, `source`, `viewer` and `broker-config`, as a technician uses them."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.keyring import Keyring
from bridge.ops.broker import certificates
from bridge.ops.broker.folder import LOCK
from bridge.service.control import LocalWriter
from bridge.system import try_lock
from tests.bridge.office import CommandResult, Office
from tests.bridge.secured import SecuredShop
from tests.support.other_user import IS_ROOT, SERVICE_USER, STRANGER, as_user, service_folder

SECRET = 0o600
ANALYZE = shutil.which("systemd-analyze")


def keys(office: Office) -> Path:
    return office.database.with_name(f"{office.database.name}-keys")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def configure(office: Office, *words: object) -> str:
    return office.do("broker-config", "--out", office.folder / "broker", *words)


def test_each_console_gets_credentials_of_its_own_and_keeps_them(office: Office) -> None:
    output = office.do("console", "enroll", "shop/till-1", "shop/till-2", "shop/till-1")
    files = [keys(office) / "shop" / f"till-{number}.json" for number in (1, 2)]
    first, second = (json.loads(file.read_text()) for file in files)
    assert first["user"] == "shop.till-1"
    assert not set(first.values()) & set(second.values())
    assert re.fullmatch("[0-9a-f]{64}", first["key"])
    assert [mode(path) for path in (keys(office), keys(office) / "shop", *files)] == [0o700, 0o700, SECRET, SECRET]
    assert "\n2 consoles enrolled.\n" in output
    assert str(files[0]) in output
    assert not [
        secret for secret in (first["password"], first["key"], second["password"], second["key"]) if secret in output
    ]
    assert "shop/till-1: unchanged credentials" in office.do("console", "enroll", "shop/till-1")
    assert json.loads(files[0].read_text()) == first
    assert "shop/till-1: new" in office.do("console", "enroll", "shop/till-1", "--renew")
    renewed = json.loads(files[0].read_text())
    assert renewed["user"] == first["user"]
    assert (renewed["password"], renewed["key"]) != (first["password"], first["key"])
    assert json.loads(files[1].read_text()) == second


def test_who_gets_no_credentials_is_not_enrolled(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.do("console", "enroll", "shop/till-1")
    before, secret = office.do("history"), (keys(office) / "shop" / "till-1.json").read_text()
    (keys(office) / "shop" / "till-3.json").mkdir()
    for words in (
        ("enroll", "shop/till-2", "shop/till-3"),
        ("keys", office.folder / "keys.json", "shop/till-3", "--new"),
    ):
        refused = office.run("console", *words)
        assert (refused.status, refused.err.count("\n"), "till-3.json cannot be" in refused.err) == (1, 1, True)
    (keys(office) / "boss.viewer").mkdir()
    assert office.run("viewer", "enroll", "boss", "--renew").status == 1

    def perform(*_: object) -> None:
        Keyring(office.database).issue("shop", "till-1")  # as another command does meanwhile

    with monkeypatch.context() as patch:
        patch.setattr(LocalWriter, "perform", perform)
        refused = office.run("console", "enroll", "shop/till-1", "--renew")
    assert (refused.status, "Another command has just written" in refused.err) == (1, True)
    assert (keys(office) / "shop" / "till-1.json").read_text() != secret
    assert office.do("history") == before
    assert [path.name for path in sorted(keys(office).rglob("*"))] == [
        "boss.viewer",
        "shop",
        "till-1.json",
        "till-3.json",
    ]


def test_credentials_can_be_carried_to_a_technicians_laptop(office: Office) -> None:
    out = office.folder / "till-1.json"
    office.do("console", "enroll", "shop/till-1", "--out", out)
    issued = json.loads((keys(office) / "shop" / "till-1.json").read_text())
    assert json.loads(out.read_text()) == {
        "site_id": "shop",
        "console_id": "till-1",
        "key": issued["key"],
        "broker": {"user": issued["user"], "password": issued["password"]},
    }
    assert mode(out) == SECRET
    again = office.run("console", "enroll", "shop/till-1", "--out", out)
    assert (again.status, "is there already" in again.err) == (1, True)
    two = office.run("console", "enroll", "shop/till-1", "shop/till-9", "--out", office.folder / "two.json")
    assert (two.status, "give only one" in two.err) == (2, True)
    assert not (keys(office) / "shop" / "till-9.json").exists(), "nothing is half done"
    nowhere = office.run("console", "enroll", "shop/till-9", "--out", office.folder / "none" / "a.json")
    assert (nowhere.status, "cannot be written" in nowhere.err) == (1, True)
    assert not (keys(office) / "shop" / "till-9.json").exists()


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("console", "enroll", "till-1"), 2, "'till-1' is not a console: give SITE/CONSOLE."),
        (("console", "enroll", "shop/../../x"), 2, "is not a valid id"),
        (("console", "enroll", "shop/door"), 1, "shop/door is a source: give the console another id."),
        (("source", "enroll", "door"), 2, "'door' is not a source: give SITE/SOURCE."),
        (("source", "enroll", "shop/till-1"), 1, "shop/till-1 is a console: give the source another id."),
        (("source", "revoke", "shop/till-1"), 1, "shop/till-1 had no credentials: check the name."),
        (("viewer", "enroll", "bridge"), 2, "is the bridge's own user"),
        (("viewer", "revoke", "bridge"), 2, "is the bridge's own user"),
        (("viewer", "enroll", "trivox-doctor"), 2, "is doctor's own user"),
        (("viewer", "revoke", "trivox-doctor"), 2, "is doctor's own user"),
        (("viewer", "enroll", "Boss!"), 2, "is not a valid id"),
        (("console", "revoke", "shop/nobody"), 2, "There is no console shop/nobody: see `trivox console list --all`."),
        (("broker-config", "--out", "x y", "--host", "a"), 2, "has spaces"),
        (("broker-config", "--out", "/dev/null/x", "--host", "a"), 1, "cannot be made"),
        (("broker-config", "--out", "nothing-there"), 2, "--host HOST"),
        (("broker-config", "--out", "nothing-there", "--host", "a b"), 2, "'a b' is not a host"),
        (("broker-config", "--out", "nothing-there", "--host", "192.168.1.999"), 2, "'192.168.1.999' is not a host"),
        (("broker-config", "--out", "nothing-there", "--host", "a", "--port", "80"), 2, "--port"),
        (("broker-config", "--out", "x", "--host", "a", "--bridge-port", "8883"), 2, "a port of its own, and 8883 is"),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(
    office: Office, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, sentence: str
) -> None:
    monkeypatch.chdir(office.folder)
    office.do("console", "enroll", "shop/till-1")
    office.do("source", "enroll", "shop/door")
    result = office.run(*words)
    assert (result.status, result.err.count("\n")) == (status, 1), result.err
    assert sentence in result.err
    assert not Path("nothing-there").exists()


def test_a_damaged_file_of_keys_is_named(office: Office) -> None:
    office.do("console", "enroll", "shop/till-1", "shop/till-2")
    path = keys(office) / "shop" / "till-1.json"
    for text in ("{", "[]", '{"user":"a","password":"b","key":"xyz"}', '{"user":"a b","password":"c"}', "{}"):
        path.write_text(text)
        result = office.run("console", "enroll", "shop/till-1")
        assert (result.status, result.err.startswith(f"trivox: {path} is damaged")) == (1, True), result.err
        assert f"{path} is damaged" in configure(office, "--host", "a"), "the others need not wait for it"
        assert "till-1" not in (office.folder / "broker" / "passwords").read_text()
    office.do("console", "enroll", "shop/till-1", "--renew")
    assert "is damaged" not in configure(office)


def test_one_command_at_a_time_writes_the_brokers_files(office: Office) -> None:
    office.do("site", "set", "shop", "--timezone", "UTC")
    configure(office, "--host", "a")
    with (office.folder / "broker" / LOCK).open("ab") as other:
        assert try_lock(other)
        refused = office.run("broker-config", "--out", office.folder / "broker", "--host", "b")
    assert (refused.status, "Another command is writing" in refused.err) == (1, True)
    assert json.loads((office.folder / "broker" / "consoles" / "broker.json").read_text())["host"] == "a"


def test_broker_config_names_the_enrolled_whose_credentials_are_gone(office: Office) -> None:
    office.do("console", "enroll", "shop/till-1", "shop/till-2", "shop/till-3")
    assert "is missing" not in configure(office, "--host", "localhost")
    for name in ("till-1", "till-3"):
        (keys(office) / "shop" / f"{name}.json").unlink()
    told = configure(office)
    for name in ("till-1", "till-3"):
        assert f"shop/{name} is enrolled, but may not log in: {keys(office)}/shop/{name}.json is missing." in told
    assert "shop/till-2 is enrolled" not in told
    office.do("console", "revoke", "shop/till-1")
    office.do("console", "enroll", "shop/till-3")
    assert "is missing" not in configure(office)


def test_a_link_to_a_database_leads_to_its_keys(office: Office, tmp_path: Path) -> None:
    office.do("console", "enroll", "shop/till-1")
    (tmp_path / "links").mkdir()
    linked = Office(tmp_path / "links")
    linked.database.symlink_to(office.database)
    assert "shop/till-1: unchanged credentials" in linked.do("console", "enroll", "shop/till-1")
    assert "1 console," in configure(linked, "--host", "localhost")
    other = tmp_path / "links" / "trivox.db-keys"
    other.mkdir()
    for words in (("console", "enroll", "shop/till-2"), ("doctor",)):
        refused = linked.run(*words)
        assert (refused.status, f"move them to {keys(office)}" in refused.err) == (1, True)
    assert not (keys(office) / "shop" / "till-2.json").exists()
    away = keys(office).rename(tmp_path / "away")
    keys(office).symlink_to(away)
    refused = office.run("console", "enroll", "shop/till-2")
    assert (refused.status, f"{keys(office)} is a link" in refused.err) == (1, True)
    away.rename(tmp_path / "nowhere")
    assert office.run("console", "enroll", "shop/till-2").err == refused.err
    assert "till-2" not in office.do("history")


def test_sources_and_viewers_are_enrolled_and_revoked(office: Office) -> None:
    office.do("source", "enroll", "shop/door", "shop/till-pc", "--new")
    office.do("viewer", "enroll", "boss")
    assert "1 console" not in configure(office, "--host", "a")
    users = [line.split(":")[0] for line in (office.folder / "broker" / "passwords").read_text().splitlines()]
    assert users == ["trivox-doctor", "shop.door", "shop.till-pc", "boss"]
    boss = keys(office) / "boss.viewer"
    boss.write_text("{}")
    damaged = f"{boss} is damaged: restore it from a copy, or enrol again with --renew."
    assert damaged in configure(office)
    assert damaged in office.do("doctor")
    users = [line.split(":")[0] for line in (office.folder / "broker" / "passwords").read_text().splitlines()]
    assert users == ["trivox-doctor", "shop.door", "shop.till-pc"]
    office.do("source", "revoke", "shop/door")
    office.do("viewer", "revoke", "boss")
    configure(office)
    text = (office.folder / "broker" / "passwords").read_text() + (office.folder / "broker" / "acl").read_text()
    assert "shop.till-pc" in text
    assert "door" not in text
    assert "boss" not in text


def test_the_authority_stays_and_its_key_may_be_kept_offline(office: Office) -> None:
    office.do("site", "set", "shop", "--timezone", "UTC")
    folder = office.folder / "broker"
    configure(office, "--host", "192.168.1.10", "--host", "Broker.Shop.example.")
    authority, server = (folder / "ca.pem").read_bytes(), (folder / "server.pem").read_bytes()
    hosts = certificates.hosts_of(certificates.read_certificate(folder / "server.pem"))
    assert hosts == ["192.168.1.10", "broker.shop.example", "localhost", "127.0.0.1", "::1"]
    assert json.loads((folder / "consoles" / "broker.json").read_text())["host"] == "192.168.1.10"
    away = (folder / "authority" / "ca.key").rename(office.folder / "ca.key")
    configure(office)
    assert (folder / "server.pem").read_bytes() == server
    refused = office.run("broker-config", "--out", folder, "--host", "elsewhere.example")
    assert (refused.status, "needs the authority's key" in refused.err) == (1, True)
    away.rename(folder / "authority" / "ca.key")
    configure(office, "--host", "elsewhere.example")
    assert (folder / "ca.pem").read_bytes() == authority
    assert (folder / "server.pem").read_bytes() != server
    (folder / "authority" / "ca.key").write_bytes((folder / "server.key").read_bytes())
    wrong = office.run("broker-config", "--out", folder, "--host", "third.example")
    assert (wrong.status, "is not the key of" in wrong.err) == (1, True)


def test_keys_that_others_may_read_are_reported(office: Office) -> None:
    office.do("console", "enroll", "shop/till-1", "shop/till-2")
    file = keys(office) / "shop" / "till-2.json"
    assert "files of keys" not in office.do("doctor")
    file.chmod(0o640)
    assert f"! Others on this machine may read 1 file of keys, for example {file}: run `chmod" in office.do("doctor")
    assert file.read_text() not in office.do("doctor")


def test_files_of_another_database_are_not_overwritten(office: Office, tmp_path: Path) -> None:
    broker = office.folder / "broker"
    office.do("site", "set", "shop", "--timezone", "UTC")
    configure(office, "--host", "a")  # nobody is enrolled yet
    office.do("console", "enroll", "shop/till-1")
    configure(office)
    before = (broker / "passwords").read_bytes()
    (tmp_path / "other").mkdir()
    other = Office(tmp_path / "other")
    other.do("console", "enroll", "shop/till-2")
    check_refused(other.run("broker-config", "--out", broker))
    other.do("broker-config", "--out", tmp_path / "trial", "--host", "a")  # it has a bridge of its own now
    check_refused(other.run("broker-config", "--out", broker))
    keys(office).rename(tmp_path / "away")
    check_refused(office.run("broker-config", "--out", broker))
    assert (broker / "passwords").read_bytes() == before
    (tmp_path / "away").rename(keys(office))
    configure(office)


def check_refused(result: CommandResult) -> None:
    assert (result.status, result.out) == (1, "")
    assert "was written for another database than" in result.err


def test_options_not_given_again_keep_their_values(office: Office) -> None:
    office.do("site", "set", "shop", "--timezone", "UTC")
    settings = office.folder / "broker" / "mosquitto.conf"
    assert "restart" not in configure(office, "--host", "a", "--port", "9999", "--no-log-denied")
    before = settings.read_text()
    assert "listener 9999\n" in before
    assert "\n# log_type debug\n" in before
    assert "restart" not in configure(office)
    assert settings.read_text() == before
    assert "restart trivox-broker" in configure(office, "--log-denied")
    assert settings.read_text() == before.replace("# log_type debug", "log_type debug")
    assert json.loads((office.folder / "broker" / "consoles" / "broker.json").read_text())["port"] == 9999
    assert "mqtts://localhost:10000" in (office.folder / "broker" / "systemd" / "trivox-bridge.service").read_text()


def test_files_of_an_earlier_version_are_renewed_and_what_to_do_is_said(office: Office) -> None:
    office.do("site", "set", "shop", "--timezone", "UTC")
    configure(office, "--host", "a", "--port", "9999")
    folder = office.folder / "broker"
    unit = folder / "systemd" / "trivox-bridge.service"
    (folder / "mosquitto.conf").write_text("listener 9999\nlog_type debug\n")  # everybody logged in at one port
    unit.write_text(unit.read_text().replace(":10000", ":9999").replace(" --signed-only", ""))
    told = configure(office)
    assert "run `sudo systemctl restart trivox-broker.service`" in told
    assert f"The bridge's unit has changed: run `sudo cp {unit} /etc/systemd/system/" in told
    assert "sudo systemctl restart trivox-bridge.service`" in told
    assert "With it the bridge takes only signed events (--signed-only)" in told
    assert "mqtts://localhost:10000" in unit.read_text()
    assert "--enrolled-only --signed-only\n" in unit.read_text()
    assert "has changed" not in configure(office)


def test_a_certificate_that_expires_soon_is_reported_and_renewed(tmp_path: Path) -> None:
    shop = SecuredShop(tmp_path)
    authority = certificates.read(shop.files / "ca.pem", shop.files / "authority" / "ca.key")
    soon = certificates.make_server(authority, ["localhost"], datetime.now(UTC) - timedelta(days=30), days=40)
    (shop.files / "server.pem").write_bytes(soon.pem())
    (shop.files / "server.key").write_bytes(soon.key_pem())
    doctor = (
        "doctor",
        "--broker",
        f"mqtts://localhost:{shop.bridge_port}",
        "--config",
        str(shop.files / "bridge.toml"),
    )
    key = shop.files / "authority" / "ca.key"
    away = key.rename(tmp_path / "ca.key")  # it lies in a drawer, and somebody has to be revoked now
    shop.do("viewer", "revoke", "boss")
    assert f"is to be renewed: put the authority's key back to {key}, and run this again." in shop.configure()
    assert "boss" not in (shop.files / "passwords").read_text()
    away.rename(key)
    shop.start_broker()
    try:
        assert "! The broker's certificate is valid for 9 more days: run `trivox broker-config` again" in shop.do(
            *doctor
        )
        assert "has a new certificate for localhost, 127.0.0.1, ::1" in shop.configure()
        shop.stop_broker()
        shop.start_broker()
        assert "  The broker's certificate is valid for 396 more days." in shop.do(*doctor)
    finally:
        shop.stop_broker()


def test_files_belong_to_the_user_who_reads_them(office: Office) -> None:
    office.do("console", "enroll", "shop/till-1")
    configure(office, "--host", "a")
    folder = office.folder / "broker"
    files = ("server.key", "passwords", "acl", "bridge-passwords", "bridge-acl")
    secret = (*files, "bridge.toml", "authority/ca.key")
    assert [mode(folder / name) for name in secret] == [SECRET] * len(secret)
    for name in files:
        owner = pwd.getpwuid((folder / name).stat().st_uid).pw_name
        assert owner == ("mosquitto" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)


def test_the_bridges_files_belong_to_the_databases_owner(office: Office) -> None:
    with service_folder(user=STRANGER) as home:
        shop = Office(home)
        shop.do("console", "enroll", "shop/till-1")
        folder = office.folder / "broker"
        shop.do("broker-config", "--out", folder, "--host", "a")
        owner = home.stat().st_uid
        assert (folder / "bridge.toml").stat().st_uid == owner
        assert {path.stat().st_uid for path in keys(shop).rglob("*")} == {owner}
        assert f"User={pwd.getpwuid(owner).pw_name}" in (folder / "systemd" / "trivox-bridge.service").read_text()
        if IS_ROOT:
            (file := keys(shop) / "shop" / "till-1.json").chmod(0o600)
            os.chown(file, 0, 0)
            user = pwd.getpwuid(owner).pw_name
            told = (
                f"! The bridge's user {user} may not read {file}, so the bridge refuses what is signed with them: run"
            )
            assert f"{told} `chown -R {user} {keys(shop)}`" in shop.do("doctor")
            home.chmod(0o755)
            for words in (("viewer", "list"), ("source", "list"), ("viewer", "revoke", "boss")):
                assert as_user(lambda words=words: "cannot be read" not in shop.run(*words).err, SERVICE_USER) == 0
            refused = shop.run("broker-config", "--out", home / "broker", "--host", "a")
            assert (refused.status, "could replace what mosquitto reads" in refused.err) == (1, True)


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_the_units_are_sound_and_give_few_rights(office: Office) -> None:
    office.do("site", "set", "shop", "--timezone", "UTC")
    configure(office, "--host", "a")
    for unit, exposure in (("trivox-broker.service", 1.5), ("trivox-bridge.service", 2.0)):
        path = office.folder / "broker" / "systemd" / unit
        text = path.read_text()
        path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
        checked = subprocess.run([str(ANALYZE), "verify", path], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr
        assessed = subprocess.run(
            [str(ANALYZE), "security", "--offline=true", "--no-pager", path], capture_output=True, text=True, check=True
        )
        level = re.search(r"exposure level for \S+: ([\d.]+)", assessed.stdout)
        assert level is not None
        assert float(level[1]) <= exposure
