"""Doctor says whether clients may choose their ids where consoles log in, and cuts nobody off to find out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bridge.ops.doctor.old_version import OldVersion
from tests.bridge.secured import SecuredShop
from tests.bridge.shop import RealShop
from tests.support.programs import wait_until

RULE = "use_username_as_clientid true\n"
MAY_CHOOSE = "where consoles log in, each login may choose its client id"
NOT_CHECKED = "where consoles log in, client ids were not checked"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredShop]:
    """Return a running shop; each test leaves its files as they were written."""
    with SecuredShop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture(autouse=True)
def as_written(shop: SecuredShop) -> Iterator[None]:
    yield
    shop.configure()
    restart_broker(shop)


def doctor(shop: SecuredShop) -> str:
    return shop.do("doctor", "--config", str(shop.files / "bridge.toml"))


def restart_broker(shop: SecuredShop) -> None:
    shop.stop_broker()
    shop.start_broker()


def edit(shop: SecuredShop, old: str, new: str) -> None:
    config = shop.files / "mosquitto.conf"
    text = config.read_text()
    assert text.count(old) == 1
    config.write_text(text.replace(old, new))
    restart_broker(shop)


def doctor_beside_others(shop: SecuredShop) -> str:
    """Run doctor while a console, a source and a viewer are at the broker, none of whom it may cut off."""
    with (
        shop.known("shop/till-1") as console,
        shop.known("shop/door.source") as door,
        shop.known("boss.viewer") as boss,
    ):
        told = doctor(shop)
        console.say("trivox/v1/shop/till-1/health", "{}")
        assert not [client.user for client in (console, door, boss) if client.gone.is_set()], "nobody is cut off"
    return told


@pytest.mark.parametrize("instead", [f"# {RULE}", "", "use_username_as_clientid false\n"])
def test_a_broker_that_lets_consoles_choose_their_ids_is_named(shop: SecuredShop, instead: str) -> None:
    edit(shop, RULE, instead)
    told = doctor_beside_others(shop)
    assert f"! At port {shop.port} of the broker, {MAY_CHOOSE}" in told
    assert "use_username_as_clientid true" in told


def test_a_broker_that_ties_ids_to_logins_is_not_named_and_nobody_is_cut_off(shop: SecuredShop) -> None:
    told = doctor_beside_others(shop)
    assert "answers (mosquitto" in told
    assert "where consoles log in" not in told


def test_files_of_an_earlier_version_are_told(shop: SecuredShop) -> None:
    (shop.keys / "trivox-doctor.account").unlink()
    told = doctor(shop)
    assert f"{NOT_CHECKED}, as these files are of an earlier version: run `trivox broker-config` again" in told


def test_a_broker_that_has_not_read_its_files_is_told(shop: SecuredShop) -> None:
    (shop.keys / "trivox-doctor.account").unlink()
    shop.configure()
    assert f"{NOT_CHECKED}, as the login trivox-doctor is not let in" in doctor(shop)
    shop.reload_broker()
    wait_until("the broker has read them", lambda: "where consoles log in" not in doctor(shop))


@pytest.mark.parametrize("content", ["{", "[]", '{"port":"x"}', "{}"])
def test_a_damaged_file_for_consoles_is_told(shop: SecuredShop, content: str) -> None:
    path = shop.files / "consoles" / "broker.json"
    path.write_text(content)
    told = doctor(shop)
    assert f"Client ids were not checked where consoles log in: {path} is damaged: run `trivox broker-config`" in told


def test_doctors_own_login_may_read_and_write_nothing(shop: SecuredShop) -> None:
    with shop.known("trivox-doctor.account") as own, shop.known("boss.viewer") as viewer:
        own.listen("#")
        viewer.listen("trivox/v1/#")
        own.say("trivox/v1/shop/till-1/events", "{}")
        own.say("trivox/v1/shop/till-1/command", "{}")
        with shop.known("shop/till-1") as console:
            console.say("trivox/v1/shop/till-1/health", "{}")
        wait_until("what is allowed comes", lambda: [topic for topic, _ in viewer.heard if topic.endswith("health")])
        assert not [topic for topic, _ in viewer.heard if topic.endswith(("events", "command"))]
        assert own.heard == []


@pytest.mark.parametrize(("version", "is_named"), [("2.0.10", True), ("1.6.12", True), ("2.0.11", False)])
def test_a_broker_too_old_for_the_rules_is_named(
    tmp_path_factory: pytest.TempPathFactory, version: str, *, is_named: bool
) -> None:
    with RealShop(tmp_path_factory.mktemp("old")) as shop, OldVersion(shop.broker.port, version) as old:
        shop.start_bridge()
        told = shop.trivox("doctor", "--broker", f"mqtt://127.0.0.1:{old.port}").stdout
    assert f"answers (mosquitto version {version})" in told
    named = (
        f"! The broker is mosquitto version {version}, and the rules on client ids are only known to hold from 2.0.11"
    )
    assert (named in told) == is_named
