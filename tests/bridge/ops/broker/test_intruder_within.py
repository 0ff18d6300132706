"""A thief of credentials or recorded messages: he does no harm, or is reported and can be locked out."""

from __future__ import annotations

import json
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from simulator.console.console import Console
from simulator.console.micropython import command
from tests.bridge.ops.broker.test_intruder import another_authority, expired
from tests.bridge.secured import SITE, SecuredShop
from tests.bridge.shop import batch
from tests.support import facts
from tests.support.gateway import RunningGateway
from tests.support.programs import wait_until

ONE, OTHER = "trivox/v1/shop/till-1", "trivox/v1/shop/till-2"
CHECK = """
import socket, tls
link = socket.socket()
link.connect(socket.getaddrinfo("127.0.0.1", {port})[0][-1])
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_REQUIRED
context.load_verify_locations(open("{ca}", "rb").read())
try:
    context.wrap_socket(link, server_hostname="{host}")
    print("let in")
except ValueError as error:
    print(error)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SecuredShop]:
    with SecuredShop(tmp_path) as running:
        yield running


@pytest.fixture
def lenient(tmp_path: Path) -> Iterator[SecuredShop]:
    with SecuredShop(tmp_path, takes_unsigned=True) as running:
        yield running


def board(shop: SecuredShop, name: str, folder: Path, **options: Any) -> Console:
    """Return a real console with its credentials on it, as a technician puts them there."""
    site_id, console_id = name.split("/")
    credentials = shop.credentials(name)
    return Console(
        folder,
        site_id=site_id,
        console_id=console_id,
        broker=f"mqtts://{credentials['user']}:{credentials['password']}@127.0.0.1:{shop.port}",
        ca=shop.files / "ca.pem",
        key=credentials["key"],
        **options,
    )


def events(shop: SecuredShop, kind: str) -> list[int | None]:
    """Return what the database knows about the MACs of the stored events of a type."""
    return facts.events(shop.database, "mac", type=kind)


def test_an_enrolled_consoles_presses_arrive_and_are_proved_to_be_its_own(shop: SecuredShop, tmp_path: Path) -> None:
    with board(shop, "shop/till-1", tmp_path / "console", architecture="i386") as console:
        wait_until("it is there", lambda: events(shop, "booted"))
        console.press("seller", 60)
        console.wait_lamp("yes", timeout_s=60)
        console.press("yes", 60)
        wait_until("the survey is closed", lambda: events(shop, "survey_closed"))
    assert set(facts.events(shop.database, "mac")) == {1}
    assert facts.word_macs(shop.database, "mac") == [1]
    assert "Console shop/till-1 last proved what it says about itself" in shop.do("doctor")
    assert "Every event of console shop/till-1 since its first MAC is proved" in shop.do("doctor")
    assert {
        row["console_id"]: row["unproved_event_count"] for row in json.loads(shop.do("console", "list", "--json"))
    } == {
        "till-1": 0,
        "till-2": None,
    }


def test_a_console_goes_on_with_renewed_credentials(shop: SecuredShop, tmp_path: Path) -> None:
    folder = tmp_path / "console"
    with board(shop, "shop/till-1", folder) as console:
        wait_until("it is there", lambda: events(shop, "booted"))
        shop.do("console", "enroll", "--renew", "shop/till-1")
        shop.configure()
        shop.reload_broker()
        wait_until("the old ones are refused", lambda: "refused" in console.output())
        console.press("seller", 60)
        console.wait_lamp("yes", timeout_s=60)
    with board(shop, "shop/till-1", folder):
        wait_until("the events that it kept arrive", lambda: events(shop, "survey_opened") == [1])


def test_a_replay_changes_nothing(lenient: SecuredShop) -> None:
    recorded = [lenient.signed("shop/till-1", base) for base in (1, 3, 5)]
    with lenient.known("shop/till-1") as console:
        console.listen(f"{ONE}/ack")
        for payload in (*recorded, recorded[0], recorded[2], recorded[0]):
            console.say(f"{ONE}/events", payload)
        wait_until(
            "all are acknowledged", lambda: 6 in [json.loads(payload)["through"] for _, payload in console.heard]
        )
        assert len(events(lenient, "survey_closed")) == 3
    with lenient.known("shop/till-2") as other:
        other.say(f"{OTHER}/events", recorded[0])
        wait_until("it is no proof for another console", lambda: facts.events(lenient.database, mac=0))
    assert Counter(facts.events(lenient.database, "mac")) == {0: 2, 1: 6}
    wait_until("the bridge logs it", lambda: "events is wrong" in lenient.bridge_said())


def test_events_without_the_key_are_kept_marked_and_reported(lenient: SecuredShop) -> None:
    with lenient.known("shop/till-1") as console:
        console.say(f"{ONE}/events", lenient.signed("shop/till-1", 1))
        console.say(f"{ONE}/events", batch(3, 2))
        forged = lenient.signed("shop/till-1", 5).replace(b'"outcome": "yes"', b'"outcome": "no"')
        console.say(f"{ONE}/events", forged)
        wait_until("all are in", lambda: events(lenient, "survey_closed") == [1, 3, 0])
    wait_until("one is logged", lambda: "sent some without a MAC" in lenient.bridge_said())
    wait_until("so is the other", lambda: "MAC of a console's events is wrong" in lenient.bridge_said())
    text = lenient.do("doctor")
    assert "! 2 events of console shop/till-1 came with a wrong MAC" in text
    assert "! 2 events of console shop/till-1 came without a MAC, unlike earlier ones" in text
    assert "! The bridge also takes events that no key proves, which 1 console still needs (shop/till-1)" in text
    with lenient.known("shop/till-1") as console:
        console.say(f"{ONE}/events", lenient.signed("shop/till-1", 7))
        wait_until("it signs", lambda: len(events(lenient, "survey_closed")) == 4)
    assert "! Every console signs its events, but the bridge also takes events that no key proves" in lenient.do(
        "doctor"
    )
    rows = json.loads(
        lenient.do("report", "--from", "2025-11-01", "--to", "2025-12-01", "--by", "console", "--format", "json")
    )
    assert any("not proved to be their console's: 2" in note for note in rows[0]["notes"])


def test_the_bridge_of_the_written_unit_takes_only_what_is_signed(shop: SecuredShop) -> None:
    with shop.known("shop/till-1") as console:
        console.listen(f"{ONE}/ack")
        console.say(f"{ONE}/events", batch(1, 2))
        console.say(f"{ONE}/events", shop.signed("shop/till-1", 1).replace(b'"outcome": "yes"', b'"outcome": "no"'))
        wait_until("they are refused", lambda: "not signed" in shop.bridge_said())
        console.say(f"{ONE}/events", shop.signed("shop/till-1", 3))
        wait_until("the signed ones are in", lambda: events(shop, "survey_closed") == [1])
        wait_until("they are acknowledged", lambda: console.heard)
        throughs = [json.loads(payload)["through"] for _, payload in console.heard]
    assert throughs == [0], "the console keeps what was not signed"
    told = shop.do("doctor")
    assert "! Rejected as not signed: 2" in told
    assert "  The bridge takes only events that are signed by their console's key." in told


def test_a_revoked_console_is_disconnected_and_stays_out(shop: SecuredShop) -> None:
    with shop.known("shop/till-1") as stolen, shop.known("shop/till-2") as honest:
        stolen.say(f"{ONE}/events", shop.signed("shop/till-1", 1))
        wait_until("it is in", lambda: events(shop, "survey_closed"))
        assert "1 console revoked" in shop.do("console", "revoke", "shop/till-1")
        stolen.say(f"{ONE}/events", batch(3, 2))  # the broker does not know yet; the bridge does
        wait_until("it is refused", lambda: "not enrolled" in shop.bridge_said())
        shop.configure()
        shop.reload_broker()
        wait_until("its session ends", stolen.gone.is_set)
        honest.say(f"{OTHER}/health", "{}")
        assert not honest.gone.is_set()
    assert len(events(shop, "survey_closed")) == 1
    assert not (shop.keys / SITE / "till-1.json").exists()
    assert "till-1" not in (shop.files / "acl").read_text() + (shop.files / "passwords").read_text()
    assert shop.run("console", "revoke", "shop/till-1").stderr.startswith("trivox: shop/till-1 was not enrolled")


def test_messages_that_wait_for_the_bridge_survive_a_broker_restart(shop: SecuredShop) -> None:
    shop.stop_bridge()
    with shop.known("shop/till-1") as console:
        console.say(f"{ONE}/events", shop.signed("shop/till-1", 1))
    shop.stop_broker()
    shop.start_broker()
    shop.start_bridge()
    wait_until("it comes", lambda: events(shop, "survey_closed") == [1])


def serial_of(shop: SecuredShop) -> str:
    """Return the serial number of the certificate that the broker presents."""
    plain = socket.create_connection(("127.0.0.1", shop.port))
    with shop.context().wrap_socket(plain, server_hostname="localhost") as link:
        return str(link.getpeercert()["serialNumber"])  # type: ignore[index]


def test_a_new_certificate_of_the_same_authority_is_used_after_a_reload(shop: SecuredShop) -> None:
    authority, serial = (shop.files / "ca.pem").read_bytes(), serial_of(shop)
    assert "valid for 396 more days" in shop.configure()
    assert "has a new certificate for other.example, localhost" in shop.configure("--host", "other.example")
    shop.reload_broker()
    wait_until("the new one is shown", lambda: serial_of(shop) != serial)
    assert (shop.files / "ca.pem").read_bytes() == authority


@pytest.mark.parametrize(
    ("host", "answer"), [("127.0.0.1", "let in"), ("broker.example", "let in"), ("127.0.0.2", "not match")]
)
def test_a_board_checks_names_and_addresses_by_the_authoritys_certificate(
    shop: SecuredShop, host: str, answer: str
) -> None:
    words = [*command("i386"), "-c", CHECK.format(port=shop.port, ca=shop.files / "consoles" / "ca.der", host=host)]
    assert answer in subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("spoil", "words"), [(expired, "validity has expired"), (another_authority, "not correctly signed")]
)
def test_a_console_sends_nothing_to_a_broker_with_a_wrong_certificate(
    tmp_path: Path, spoil: Callable[[SecuredShop], None], words: str
) -> None:
    shop = SecuredShop(tmp_path)
    spoil(shop)
    shop.start_broker()
    with board(shop, "shop/till-1", tmp_path / "console", architecture="i386") as console:
        wait_until("it says why", lambda: words in console.output())
    shop.stop_broker()
    assert "till-1" not in shop.broker_said()


def test_a_gateway_logs_each_board_in_as_its_own_console(shop: SecuredShop, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    shop.do("console", "keys", str(keys), "shop/till-1")
    with ExitStack() as stack:
        picos = [
            stack.enter_context(
                Console(
                    tmp_path / console_id,
                    site_id=SITE,
                    console_id=console_id,
                    board="pico",
                    key=shop.credentials(f"{SITE}/{console_id}")["key"],
                )
            )
            for console_id in ("till-1", "till-2")
        ]
        ports = [pico.serial_port for pico in picos]
        options = ("--ca-file", str(shop.files / "ca.pem"), "--keys", str(keys))
        gateway = RunningGateway(tmp_path, f"mqtts://localhost:{shop.port}", *ports, options=options)
        stack.enter_context(gateway)
        wait_until("one is heard", lambda: started(shop) == ["till-1"])
        gateway.wait_told("has no keys for shop/till-2")
        keys.unlink()
        shop.do("console", "keys", str(keys), "shop/till-1", "shop/till-2")
        wait_until("both are", lambda: started(shop) == ["till-1", "till-2"])
        assert shop.credentials("shop/till-2")["password"] not in gateway.output()


def started(shop: SecuredShop) -> list[str]:
    """Return the consoles whose events are stored."""
    return sorted(set(facts.events(shop.database, "console_id")))
