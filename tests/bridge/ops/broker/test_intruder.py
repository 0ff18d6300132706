"""An intruder at the broker of a secured shop: each attempt is refused and logged."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.ops.broker import certificates
from tests.bridge.secured import SecuredShop
from tests.support import facts, forked
from tests.support.programs import TRIVOX, free_port, wait_until

ONE, OTHER = "trivox/v1/shop/till-1", "trivox/v1/shop/till-2"
CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredShop]:
    """Return a running shop for all tests of this module; none of them may change it."""
    with SecuredShop(tmp_path_factory.mktemp("shop"), is_forked=False) as running:
        yield running


@pytest.fixture
def own_shop(tmp_path: Path) -> SecuredShop:
    """Return a shop whose programs do not run yet."""
    return SecuredShop(tmp_path)


@pytest.mark.parametrize(
    ("user", "password"), [("shop.till-1", "wrong"), ("shop.till-1", ""), ("nobody", "wrong"), ("bridge", "bridge")]
)
def test_a_wrong_password_is_refused(shop: SecuredShop, user: str, password: str) -> None:
    before = shop.broker_said().count("not authorised")
    with shop.client(user, password, "intruder") as intruder:
        wait_until("he is refused", intruder.refused.is_set)
    wait_until("the broker logs it", lambda: shop.broker_said().count("not authorised") > before)


def test_nobody_can_log_in_without_a_name(shop: SecuredShop) -> None:
    before = shop.broker_said().count("not authorised")
    with shop.client(None, None, "intruder") as intruder:
        wait_until("he is refused", intruder.refused.is_set)
    wait_until("the broker logs it", lambda: shop.broker_said().count("not authorised") > before)


def test_one_consoles_password_does_not_work_for_another(shop: SecuredShop) -> None:
    with shop.client("shop.till-2", shop.credentials("shop/till-1")["password"], "intruder") as intruder:
        wait_until("he is refused", intruder.refused.is_set)


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("shop/till-1", f"{OTHER}/events"),
        ("shop/till-1", f"{OTHER}/status"),
        ("shop/till-1", f"{ONE}/settings"),
        ("shop/till-1", f"{OTHER}/settings"),
        ("shop/till-1", f"{OTHER}/command"),
        ("shop/till-1", f"{ONE}/ack"),
        ("shop/till-1", f"{OTHER}/firmware"),
        ("shop/till-1", "trivox/v1/shop/door/counts"),
        ("shop/till-1", "$SYS/broker/version"),
        ("shop/till-1", "trivox/v1/bridge/intruder"),
        ("shop/door.source", f"{ONE}/events"),
        ("shop/door.source", "trivox/v1/shop/door/events"),
        ("shop/door.source", f"{ONE}/counts"),
        ("shop/door.source", "trivox/v1/bridge/intruder"),
        ("boss.viewer", f"{ONE}/events"),
        ("boss.viewer", f"{ONE}/settings"),
        ("boss.viewer", "trivox/v1/bridge/intruder"),
        ("bridge.account", f"{ONE}/events"),
    ],
)
def test_topics_of_others_cannot_be_written(shop: SecuredShop, name: str, topic: str) -> None:
    payload = f"of {name}"
    with shop.known("aide.viewer", "listener") as listener, shop.known(name, "intruder") as intruder:
        listener.listen("trivox/v1/#")
        intruder.say(topic, payload, retain=True)
        at_broker = intruder.client_id if name == "bridge.account" else intruder.user
        shop.wait_broker_says(f"Denied PUBLISH from {at_broker}", f"'{topic}'")
        assert payload.encode() not in [heard for _, heard in listener.heard]


def test_settings_sent_by_a_console_reach_nobody(shop: SecuredShop) -> None:
    with shop.known("shop/till-2", "victim") as victim, shop.known("shop/till-1", "intruder") as intruder:
        victim.listen(f"{OTHER}/settings")
        intruder.say(f"{OTHER}/settings", '{"revision":99}', retain=True)
        shop.wait_broker_says("Denied PUBLISH from shop.till-1", f"'{OTHER}/settings'")
        shop.do("settings", "set", "--console", "shop/till-2", "survey_window_ms=9000")
        wait_until("the bridge's come", lambda: victim.heard)
        assert json.loads(victim.heard[-1][1])["survey_window_ms"] == 9000
        assert 99 not in [json.loads(payload)["revision"] for _, payload in victim.heard]


def test_a_client_that_subscribes_to_others_topics_receives_nothing(shop: SecuredShop) -> None:
    with shop.known("shop/till-2", "spy") as spy, shop.known("shop/till-1", "teller") as teller:
        for topic in ("#", "trivox/v1/#", f"{ONE}/+"):
            spy.listen(topic)
        spy.listen(f"{OTHER}/ack")
        teller.say(f"{ONE}/events", shop.signed("shop/till-1", 1, epoch="0000000b"))
        spy.say(f"{OTHER}/events", shop.signed("shop/till-2", 1, epoch="0000000c"))
        wait_until("its own is acknowledged", lambda: any(topic == f"{OTHER}/ack" for topic, _ in spy.heard))
        assert {topic for topic, _ in spy.heard} <= {f"{OTHER}/ack", f"{OTHER}/settings"}
    shop.wait_broker_says("\ttrivox/v1/# (QoS 1)")


def test_own_topics_can_be_written_and_read(shop: SecuredShop) -> None:
    count = {"id": "1", "kind": "visitors", "from_ms": 0, "to_ms": 60_000, "count": 5}
    with shop.known("shop/door.source", "door") as door, shop.known("boss.viewer", "boss") as boss:
        door.listen("trivox/v1/shop/door/ack")
        boss.listen("trivox/v1/shop/#")
        door.say("trivox/v1/shop/door/counts", json.dumps(count))
        wait_until("it is stored", lambda: door.heard == [("trivox/v1/shop/door/ack", b'{"id":"1"}')])
        wait_until("the viewer sees it", lambda: any(topic.endswith("door/counts") for topic, _ in boss.heard))
    assert facts.counts(shop.database, "count") == [5]


def test_a_message_that_is_too_large_ends_only_the_senders_session(shop: SecuredShop) -> None:
    with shop.known("shop/till-1", "intruder") as intruder, shop.known("shop/till-2", "honest") as honest:
        intruder.throw(f"{ONE}/events", b"x" * 80_000)
        wait_until("he is disconnected", intruder.gone.is_set)
        shop.wait_broker_says("shop.till-1", "oversize packet")
        honest.say(f"{OTHER}/health", "{}")
        assert not honest.gone.is_set()


@pytest.mark.parametrize(
    "packet",
    [
        b"\x10\xff\xff\xff\xff\x7f",  # a length of five bytes
        b"\xf0\x00",  # a kind that 3.1.1 does not have
        b"\x30\x02\x00\x00",  # before any CONNECT
        b"\x10\x0c\x00\x04HTTP\x04\x02\x00\x3c\x00\x00",
    ],
)
def test_bytes_that_are_not_mqtt_end_only_that_connection(shop: SecuredShop, packet: bytes) -> None:
    before = shop.broker_said().count("Client <unknown> disconnected")
    plain = socket.create_connection(("127.0.0.1", shop.port))
    with shop.known("shop/till-2", "honest") as honest:
        with shop.context().wrap_socket(plain, server_hostname="localhost") as link:
            link.sendall(packet)
            link.settimeout(60)
            assert link.recv(64)[:1] in (b"", b"\x20"), "closed, or refused first"
        wait_until("the broker logs it", lambda: shop.broker_said().count("Client <unknown> disconnected") > before)
        honest.say(f"{OTHER}/health", "{}")


def test_a_plain_text_connection_is_refused(shop: SecuredShop) -> None:
    with socket.create_connection(("127.0.0.1", shop.port)) as link:
        link.sendall(CONNECT)
        link.settimeout(60)
        try:
            answer = link.recv(64)
        except ConnectionResetError:
            answer = b""
    assert answer[:1] != b"\x20"
    shop.wait_broker_says("Client connection from 127.0.0.1 failed", "SSL")
    listeners = [
        line for line in (shop.files / "mosquitto.conf").read_text().splitlines() if line.startswith("listener")
    ]
    own = f"listener {shop.bridge_port} 127.0.0.1"
    assert listeners == [f"listener {shop.port}", own], "there is no other way in"


def test_outdated_tls_is_refused(shop: SecuredShop) -> None:
    context = shop.context()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", shop.port)) as link, pytest.raises(ssl.SSLError):
        context.wrap_socket(link, server_hostname="localhost")
    shop.wait_broker_says("SSL routines", "unsupported protocol")


def test_secrets_are_not_in_logs_or_process_lists(shop: SecuredShop) -> None:
    secrets = [
        json.loads(path.read_text())[field]
        for path in shop.keys.rglob("*.*")
        for field in ("password", "key")
        if field in json.loads(path.read_text())
    ]
    secrets.append(shop.credentials("bridge.session")["client_id"].rpartition("-")[2])
    assert len(secrets) == 2 * 2 + 5 + 1
    # The broker's log names clients by their ids, and is for the same machine's administrators.
    seen = (
        shop.broker_said().replace(secrets[-1], "")
        + shop.bridge_said()
        + shop.do("console", "list")
        + shop.do("doctor")
    )
    seen += "".join(Path(f"/proc/{pid}/{file}").read_text() for pid in shop.pids() for file in ("cmdline", "environ"))
    seen += shop.configure() + shop.do("console", "enroll", "shop/till-1")
    assert not [secret for secret in secrets if secret in seen]
    private = [*shop.keys.rglob("*"), shop.files / "authority"]
    private += [
        shop.files / name
        for name in ("server.key", "passwords", "acl", "bridge-passwords", "bridge-acl", "bridge.toml")
    ]
    private.append(shop.files / "authority" / "ca.key")
    assert [path for path in private if path.stat().st_mode & 0o077] == []


def expired(shop: SecuredShop) -> None:
    """Install a certificate of the right authority that has expired."""
    authority = certificates.read(shop.files / "ca.pem", shop.files / "authority" / "ca.key")
    certificate = certificates.make_server(authority, ["localhost"], datetime.now(UTC) - timedelta(days=40), days=30)
    (shop.files / "server.pem").write_bytes(certificate.pem())
    (shop.files / "server.key").write_bytes(certificate.key_pem())


def another_authority(shop: SecuredShop) -> None:
    """Install a certificate signed by the intruder's own authority."""
    certificate = certificates.make_server(
        certificates.make_authority(datetime.now(UTC)), ["localhost"], datetime.now(UTC)
    )
    (shop.files / "server.pem").write_bytes(certificate.pem())
    (shop.files / "server.key").write_bytes(certificate.key_pem())


@pytest.mark.parametrize("spoil", [expired, another_authority])
def test_the_bridge_sends_nothing_to_a_broker_with_a_wrong_certificate(own_shop: SecuredShop, spoil: object) -> None:
    spoil(own_shop)  # type: ignore[operator]
    own_shop.start_broker()
    url = f"mqtts://localhost:{own_shop.bridge_port}"
    command = ["bridge", "--broker", url, "--metrics-port", "0", "--database", str(own_shop.database)]
    bridge = forked.start(*command, "--config", str(own_shop.files / "bridge.toml"), log=own_shop.bridge_log)
    try:
        wait_until("the bridge says why", lambda: "certificate of the broker is not trusted" in own_shop.bridge_said())
        assert "connected to the broker" not in own_shop.bridge_said()
        assert "is not trusted" in own_shop.run("doctor", "--broker", url).stdout
    finally:
        bridge.kill()
        bridge.wait()
        own_shop.stop_broker()


def test_the_embedded_broker_listens_only_on_loopback() -> None:
    port = free_port()
    broker = subprocess.Popen([TRIVOX, "broker", "--port", str(port)], stderr=subprocess.PIPE, text=True)
    try:
        assert broker.stderr is not None
        assert "this machine only" in broker.stderr.readline()
        lines = [
            line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()
        ]
        listening = [words[1].split(":") for words in lines if words[3] == "0A"]
        assert [address for address, at in listening if int(at, 16) == port] == ["0100007F"]
    finally:
        broker.terminate()
        broker.communicate()
