"""With the files as written nobody can take another login's client id: not the bridge's, not a console's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bridge.broker_login import BrokerLogin
from bridge.ops.flash.wait_online import OnlineWatch
from tests.bridge.secured import SecuredShop
from tests.support import facts
from tests.support.bridge import READY
from tests.support.programs import wait_until

EVENTS = "trivox/v1/shop/till-1/events"
ATTEMPTS = 10
INTRUDERS = ("shop/till-2", "shop/door.source", "boss.viewer")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredShop]:
    """Return a running shop; each test leaves bridge and broker running."""
    with SecuredShop(tmp_path_factory.mktemp("shop")) as running:
        yield running


def session(shop: SecuredShop) -> str:
    return shop.credentials("bridge.session")["client_id"]


def attack(shop: SecuredShop, name: str, client_id: str) -> None:
    """Log in as `name` under another's client id, with a clean session, again and again, wherever there is a way in."""
    login = shop.credentials(name)
    for _ in range(ATTEMPTS):
        with shop.client(login["user"], login["password"], client_id) as intruder:
            wait_until("he is let in", intruder.connected.is_set)
    with shop.client(login["user"], login["password"], client_id, shop.bridge_port) as intruder:
        wait_until("he is refused", intruder.refused.is_set)


@pytest.mark.parametrize("name", INTRUDERS)
def test_the_bridge_is_not_cut_off(shop: SecuredShop, name: str) -> None:
    connections = shop.bridge_said().count(READY)
    attack(shop, name, session(shop))
    with shop.known("shop/till-1") as honest:
        honest.listen("trivox/v1/shop/till-1/ack")
        honest.say(EVENTS, shop.signed("shop/till-1", 1))
        wait_until("it is acknowledged", lambda: any("through" in json.loads(text) for _, text in honest.heard))
    assert shop.bridge_said().count(READY) == connections


@pytest.mark.parametrize("name", INTRUDERS)
def test_what_waits_for_the_bridge_is_not_deleted(shop: SecuredShop, name: str) -> None:
    seen = facts.newest(shop.database)
    first = 3 + 2 * (seen // 2)
    shop.stop_bridge()
    with shop.known("shop/till-1") as honest:
        honest.say(EVENTS, shop.signed("shop/till-1", first))
    attack(shop, name, session(shop))
    shop.start_bridge()
    wait_until("it comes, and nobody sent it again", lambda: facts.newest(shop.database) == seen + 2)


@pytest.mark.parametrize("client_id", ["trivox-shop-till-1-240ac4f1e208", "shop.till-1"])
@pytest.mark.parametrize("name", INTRUDERS)
def test_a_console_is_not_cut_off(shop: SecuredShop, name: str, client_id: str) -> None:
    with shop.known("shop/till-1", client_id) as honest:
        attack(shop, name, client_id)
        honest.say("trivox/v1/shop/till-1/health", "{}")
        assert not honest.gone.is_set()


def test_the_bridges_client_id_is_not_readable_by_others(shop: SecuredShop) -> None:
    secret = session(shop).removeprefix("trivox-bridge-")
    assert (shop.keys / "bridge.session").stat().st_mode & 0o077 == 0
    assert not facts.identity(shop.database)
    with shop.known("boss.viewer") as viewer:
        for topic in ("trivox/v1/#", "$SYS/#", "#"):
            viewer.listen(topic)
        wait_until("the claim comes", lambda: [topic for topic, _ in viewer.heard if "/bridge/" in topic])
        assert secret not in str(viewer.heard)
    assert secret not in shop.bridge_said() + shop.do("doctor") + shop.do("console", "list", "--json")


def test_the_bridges_login_works_at_its_own_port_only(shop: SecuredShop) -> None:
    login = shop.credentials("bridge.account")
    with shop.client(login["user"], login["password"], "any") as stray:
        wait_until("it is refused", stray.refused.is_set)


def test_doctor_finds_nothing_to_say_and_cuts_nobody_off(shop: SecuredShop) -> None:
    connections = shop.bridge_said().count(READY)
    with shop.known("shop/till-1") as console, shop.known("boss.viewer") as viewer:
        told = shop.do("doctor", "--config", str(shop.files / "bridge.toml"))
        console.say("trivox/v1/shop/till-1/health", "{}")
        assert not console.gone.is_set()
        assert not viewer.gone.is_set()
    assert "answers (mosquitto" in told
    assert "client id" not in told
    assert shop.bridge_said().count(READY) == connections


def test_a_technician_with_one_login_can_flash_several_boards_at_once(shop: SecuredShop) -> None:
    boss = shop.credentials("boss.viewer")
    broker = BrokerLogin(
        "127.0.0.1",
        shop.port,
        tls=True,
        user=boss["user"],
        password=boss["password"],
        ca_file=shop.files / "ca.pem",
    )
    with OnlineWatch(broker) as watch:
        for name in ("till-1", "till-2"):
            with shop.known(f"shop/{name}") as console:
                status = {"state": "online", "epoch": "0000000a", "hardware_id": f"of-{name}"}
                console.say(f"trivox/v1/shop/{name}/status", json.dumps(status), retain=True)
        assert watch.problem == ""
        for name in ("till-1", "till-2"):
            wait_until(f"{name} is online", lambda name=name: watch.is_online(("shop", name), f"of-{name}"))
        assert not watch.is_online(("shop", "till-2"), "of-till-1")
        assert watch.user_of(("shop", "till-1")) == "of-till-1"  # a board that is still there: it keeps the name
