"""What doctor says of a broker whose access rules let a login take another's client id, or keep claims from it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.shop import RealShop
from tests.support import forked
from tests.support.mosquitto import PASSWD, Mosquitto
from tests.support.programs import wait_until

NAMED = "is let in where the bridge is and may choose its client id"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RealShop]:
    with RealShop(tmp_path, account=("bridge", "a-password")) as shop:
        yield shop


def doctor(shop: RealShop) -> str:
    done = shop.trivox("doctor", "--broker", f"mqtt://127.0.0.1:{shop.broker.port}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("kind", "name", "file"),
    [
        ("console", "s1/c9", "s1/c9.json"),
        ("source", "s1/door", "s1/door.source"),
        ("viewer", "boss", "boss.viewer"),
    ],
)
def test_each_login_that_is_let_in_beside_the_bridge_is_named(shop: RealShop, kind: str, name: str, file: str) -> None:
    shop.start_bridge()
    assert "let no others in there" in doctor(shop), "nobody is enrolled: it is not known who else can log in"
    new = ["--new"] if kind == "source" else []
    assert shop.trivox(kind, "enroll", name, *new).returncode == 0
    told = doctor(shop)
    assert NAMED not in told, "that login is not let in"
    login = json.loads((shop.folder / "a.db-keys" / file).read_text())
    passwords = shop.folder / "passwords"
    subprocess.run([PASSWD, "-b", passwords, login["user"], login["password"]], check=True, capture_output=True)
    shop.broker.reload()
    assert f"! The login of {name} {NAMED}" in doctor(shop)
    assert len(shop.lines("connected to the broker")) == 1, "the bridge was not cut off"


def test_a_broker_that_ties_client_ids_to_logins_is_not_named(shop: RealShop) -> None:
    shop.start_bridge()
    assert shop.stop_bridge() == 0
    config = shop.folder / "mosquitto.conf"
    config.write_text(config.read_text() + "use_username_as_clientid true\n")
    shop.broker.stop()
    shop.broker.start()
    told = doctor(shop)
    assert "answers (mosquitto" in told
    assert "client id" not in told


def test_a_broker_without_logins_is_named(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        words = ("--database", str(tmp_path / "a.db"))
        assert forked.run("site", "set", "s1", "--timezone", "UTC", *words).returncode == 0
        assert forked.run("viewer", "enroll", "boss", *words).returncode == 0
        told = forked.run("doctor", "--broker", broker.url(), *words).stdout
    assert "lets anybody in without a login" in told


def test_a_bridge_without_the_right_to_claims_serves_and_is_named(shop: RealShop) -> None:
    access = shop.folder / "acl"
    access.write_text("user bridge\ntopic readwrite trivox/v1/+/+/+\ntopic read $SYS/#\n")
    access.chmod(0o600)
    config = shop.folder / "mosquitto.conf"
    config.write_text(f"acl_file {access}\n{config.read_text()}")
    shop.broker.stop()
    shop.broker.start()
    wait_until("the consoles are back", shop.client.is_connected)
    shop.start_bridge()
    shop.wait_logged("a second bridge would not be noticed")
    shop.keep_sending(1, 4)
    assert "! The broker does not let the bridge write and read trivox/v1/bridge/+" in doctor(shop)
