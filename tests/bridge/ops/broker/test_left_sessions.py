"""A session that a viewer leaves behind at the broker: it can be seen, grows only until he is revoked, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.bridge.secured import SecuredShop
from tests.support.programs import wait_until

HEALTH = "trivox/v1/shop/till-1/health"
END = b"the end"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SecuredShop]:
    with SecuredShop(tmp_path) as running:
        yield running


@contextmanager
def returning(shop: SecuredShop, name: str) -> Iterator[list[bytes]]:
    """Log in with a session that stays; yield the payloads that come."""
    login, heard = shop.credentials(name), list[bytes]()
    client = Client(CallbackAPIVersion.VERSION2, client_id="any", clean_session=False)
    client.tls_set_context(shop.context())
    client.username_pw_set(login["user"], login["password"])
    granted: list[bool] = []
    client.on_connect = lambda *_: client.subscribe(HEALTH, 1)
    client.on_subscribe = lambda *_: granted.append(True)
    client.on_message = lambda *given: heard.append(given[2].payload)
    client.connect("127.0.0.1", shop.port)
    client.loop_start()
    wait_until("it is subscribed", lambda: granted)
    yield heard
    client.disconnect()
    client.loop_stop()


def say(shop: SecuredShop, payload: str) -> None:
    with shop.known("shop/till-1") as console:
        console.say(HEALTH, payload)


def test_what_a_viewer_leaves_behind_grows_only_until_he_is_revoked(shop: SecuredShop) -> None:
    with returning(shop, "boss.viewer"):
        pass
    shop.wait_broker_says("New client connected", "as boss ", "c0")
    say(shop, '{"before":1}')
    shop.do("viewer", "revoke", "boss")
    shop.configure()
    shop.reload_broker()
    shop.wait_broker_says("Reloading config")
    say(shop, '{"while":1}')
    shop.do("viewer", "enroll", "boss")
    shop.configure()
    shop.stop_broker()
    shop.start_broker()
    with returning(shop, "boss.viewer") as heard:
        say(shop, END.decode())
        wait_until("all has come", lambda: END in heard)
    assert heard == [b'{"before":1}', END]


def test_sessions_of_those_who_do_not_come_back_end(shop: SecuredShop) -> None:
    """The real broker runs with that setting, which it would not if it did not know it."""
    assert "persistent_client_expiration 14d" in (shop.files / "mosquitto.conf").read_text().splitlines()
