"""Test the gateway with boards that send what no firmware would: the tests hold the far ends of the lines."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
import serial
from serial.tools import list_ports, list_ports_common

from bridge.broker_login import read_broker
from bridge.service.gateway.gateway import Gateway as LocalGateway
from bridge.service.gateway.tty import PortError, Tty
from tests.support import forked
from tests.support.certificates import make_certificates
from tests.support.gateway import RunningGateway
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until
from tests.support.serial_board import SerialBoard
from tests.support.subscriber import MqttSubscriber

ONE = {"site_id": "shop", "console_id": "till-1", "hardware_id": "e6614103e7452f2f"}
OTHER = {"site_id": "shop", "console_id": "till-2", "hardware_id": "e6614103e7452f30"}
NOBODY = 65534


def status(board: dict[str, str], state: str = "online", epoch: str = "9f2c1ab0") -> dict[str, str]:
    return {"state": state, "epoch": epoch, "hardware_id": board["hardware_id"]}


def greet(port: SerialBoard, board: dict[str, str], epoch: str = "9f2c1ab0") -> None:
    port.say("hello", board)
    port.say("status", status(board, epoch=epoch))


def states(subscriber: MqttSubscriber) -> list[str]:
    """Return the states that till-1 has published so far."""
    return [said["state"] for said in subscriber.payloads("till-1/status")]


def batch(base: int) -> dict[str, object]:
    return {"epoch": "9f2c1ab0", "first": 1, "base": base, "events": []}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as started:
        yield started


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[MqttSubscriber]:
    with MqttSubscriber(broker.port) as connected:
        yield connected


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(tmp_path) as plugged:
        yield plugged


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto, board: SerialBoard) -> Iterator[RunningGateway]:
    with RunningGateway(tmp_path, broker.url(), board.port) as running:
        board.wait_opened()
        yield running


def test_a_board_is_connected_as_if_it_had_a_radio(
    broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway
) -> None:
    subscriber.publish("trivox/v1/shop/till-1/settings", {"revision": 7}, retain=True)
    subscriber.publish("trivox/v1/shop/till-2/settings", {"revision": 8}, retain=True)
    greet(board, ONE)
    subscriber.wait_last("shop/till-1/status", **status(ONE))
    assert wait_until("settings", lambda: board.hear("settings")) == {"revision": 7}
    board.say("events", batch(1))
    board.say("health", {"up_ms": 1})
    board.say("reply", {"id": "a", "ok": True})
    subscriber.wait_last("shop/till-1/reply", id="a")
    for leaf in ("ack", "command", "firmware"):
        subscriber.publish(f"trivox/v1/shop/till-1/{leaf}", {"leaf": leaf})
        assert wait_until(leaf, lambda leaf=leaf: board.hear(leaf)) == {"leaf": leaf}
    assert "New client connected from 127.0.0.1" in broker.log.read_text()
    assert f"as trivox-shop-till-1-{ONE['hardware_id']} (p2, c1, k30)" in broker.log.read_text()
    with MqttSubscriber(broker.port) as late:
        late.wait_last("till-1/health", up_ms=1)
        late.wait_last("till-1/status", state="online")
        assert not late.all("till-1/events")
    assert gateway.counted("messages_total", way="from_board") == 3
    assert gateway.counted("connected", console="shop/till-1") == 1


def test_json_with_line_breaks_stays_one_line(
    subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway
) -> None:
    greet(board, ONE)
    subscriber.wait_last("status", state="online")
    subscriber.publish("trivox/v1/shop/till-1/settings", b'{\r\n\t"revision": 9\n}')
    assert wait_until("settings", lambda: board.hear("settings")) == {"revision": 9}
    subscriber.publish("trivox/v1/shop/till-1/settings", {"text": "x" * 9000})
    gateway.wait_told("a message is too long for the console: shorten its key question's text")
    assert gateway.counted("dropped_messages_total", reason="too_long") == 1


def test_invalid_lines_are_counted_and_spoil_nothing(
    subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway
) -> None:
    board.write(b"\n\n7,8]}\tdeadbeef\nhello\t{\n")  # begun before the port was opened
    board.say("health", {"too": "soon"})
    greet(board, ONE)
    good = board.line("events", batch(1))
    board.write(bytes(range(256)))  # includes a line feed, and everything that could stop a program
    board.write(b"\n\n" + good[:-3] + b"x\n" + good.replace(b"base", b"bose") + good)
    board.write(b"x" * 20_000 + b"\n" + board.line("events", batch(2)))
    board.write(board.line("reply", {"id": "r"})[:-1] + b"\r\n")
    board.say("settings", {"revision": 1})
    subscriber.wait_last("till-1/reply", id="r")
    assert subscriber.payloads("till-1/events") == [batch(1), batch(2)]
    assert gateway.counted("bad_lines_total", reason="cut_at_start") == 2
    assert gateway.counted("bad_lines_total", reason="crc") == 4
    assert gateway.counted("bad_lines_total", reason="too_long") == 1
    assert gateway.counted("dropped_messages_total", reason="before_hello") == 1
    assert gateway.counted("dropped_messages_total", reason="unknown_leaf") == 1
    gateway.wait_told("lines from the board are damaged: check the cable")
    assert len(gateway.output().splitlines()) == len([line for line in gateway.output().split("\n") if line])


@pytest.mark.parametrize(
    "hello",
    [b"[" * 7000, b"\xff", b'{"site_id":"shop/+","console_id":"#","hardware_id":"1"}', {**ONE, "hardware_id": "A\n"}],
)
def test_a_board_without_a_valid_identity_is_not_connected(
    subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway, hello: object
) -> None:
    board.say("hello", hello)
    gateway.wait_told("a board says hello without a valid identity: correct its console.json")
    greet(board, ONE)
    subscriber.wait_last("till-1/status", state="online")
    assert {message.topic for message in subscriber.all("")} == {"trivox/v1/shop/till-1/status"}


def test_a_repeated_hello_changes_nothing_and_a_different_one_is_another_console(
    broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway
) -> None:
    for _ in range(3):
        greet(board, ONE)
    board.say("events", batch(1))
    subscriber.wait_last("till-1/events", base=1)
    assert len(subscriber.all("till-1/status")) == 1
    board.say("status", json.dumps(status(ONE)).encode()[:-1] + b',"boot":' + b"9" * 6000 + b"}")
    board.say("status", b'{"state":"online","more":' + b"[" * 3900 + b"]" * 3900 + b"}")
    greet(board, ONE, epoch="00000001")
    subscriber.wait_last("till-1/status", **status(ONE, epoch="00000001"))
    assert gateway.counted("dropped_messages_total", reason="status") == 1
    greet(board, OTHER)
    subscriber.wait_last("till-1/status", **status(ONE, "offline", "00000001"))
    subscriber.wait_last("till-2/status", **status(OTHER))
    assert broker.log.read_text().count("New client connected from 127.0.0.1") == 3  # with the subscriber
    assert gateway.counted("sessions_total") == 2


def test_another_board_at_the_same_port_is_another_console(
    subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway
) -> None:
    greet(board, ONE)
    subscriber.wait_last("till-1/status", state="online")
    board.write(board.line("events", batch(1))[:40])
    board.unplug()
    subscriber.wait_last("till-1/status", **status(ONE, "offline"))
    board.plug()
    board.wait_opened()
    greet(board, OTHER)
    subscriber.wait_last("till-2/status", state="online")
    assert not subscriber.all("till-1/events")
    assert gateway.counted("port_openings_total") == 2


def test_one_board_at_two_ports_has_one_session_and_two_boards_with_one_id_are_reported(
    tmp_path: Path, broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard
) -> None:
    with (
        SerialBoard(tmp_path, "second") as second,
        RunningGateway(tmp_path, broker.url(), board.port, second.port) as gateway,
    ):
        board.wait_opened()
        second.wait_opened()
        greet(board, ONE)
        subscriber.wait_last("till-1/status", state="online")
        greet(second, ONE)
        gateway.wait_told("the same board is at another port too")
        assert gateway.counted("sessions_total") == 1
        board.unplug()
        said = ["online", "offline", "online"]
        wait_until("the other port serves the board", lambda: states(subscriber) == said)
        board.plug()
        board.wait_opened()
        greet(board, {**ONE, "hardware_id": "0"})
        gateway.wait_told("two boards have this id: correct the console.json of one")
        wait_until("both are there", lambda: gateway.counted("connected", console="shop/till-1") == 2)


def test_while_the_broker_hangs_the_line_is_not_read_and_nothing_is_dropped(
    broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway
) -> None:
    greet(board, ONE)
    subscriber.wait_last("till-1/status", state="online")
    os.kill(broker.pid, signal.SIGSTOP)
    said = 0
    while said < 9 or (board.takes() and said < 10_000):
        said += 1
        board.say("events", batch(said))
    assert 8 < said < 1000
    os.kill(broker.pid, signal.SIGCONT)
    subscriber.wait_last("till-1/events", base=said)
    assert [one["base"] for one in subscriber.payloads("till-1/events")][:said] == [*range(1, said + 1)]
    assert gateway.counted("dropped_messages_total") == 0


def test_a_broker_that_comes_back_gets_every_status_again(
    broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway
) -> None:
    greet(board, ONE)
    subscriber.wait_last("till-1/status", state="online")
    broker.stop()
    gateway.wait_told("no broker answers: waiting for it")
    board.say("health", {"up_ms": 5})
    broker.start()
    with MqttSubscriber(broker.port) as late:
        late.wait_last("till-1/health", up_ms=5)
        late.wait_last("till-1/status", **status(ONE))


def test_killed_it_leaves_the_last_will_and_stopped_it_publishes_offline(
    subscriber: MqttSubscriber, board: SerialBoard, gateway: RunningGateway
) -> None:
    for how, ended in ((signal.SIGKILL, -9), (signal.SIGINT, 0), (signal.SIGTERM, 0)):
        greet(board, ONE)
        subscriber.wait_last("till-1/status", **status(ONE))
        assert gateway.end(how) == ended
        subscriber.wait_last("till-1/status", **status(ONE, "offline"))
        board.hear("")  # so that the next line break belongs to the next hello
        gateway.start()
        board.wait_opened()
    assert "Traceback" not in gateway.output()


def test_a_broker_that_wants_a_password_and_tls(tmp_path: Path, board: SerialBoard) -> None:
    ca = make_certificates(tmp_path)
    with Mosquitto(tmp_path, account=("gateway", "secret"), certificates=tmp_path) as broker:
        plain, tls = f"mqtt://127.0.0.1:{broker.port}", f"mqtts://127.0.0.1:{broker.tls_port}"
        for url, options, password, told in (
            (plain, (), "wrong", "the broker refuses the gateway: correct user and password"),
            (tls, (), "secret", "the certificate of the broker is not trusted: see --ca-file"),
            (tls, ("--ca-file", str(ca)), "secret", "the console is connected"),
        ):
            board.hear("")
            with RunningGateway(tmp_path, url, board.port, options=options, account=("gateway", password)) as gateway:
                board.wait_opened()
                greet(board, ONE)
                gateway.wait_told(told)
                assert password not in gateway.output()


def test_a_port_that_is_not_available_is_reported_and_waited_for(
    tmp_path: Path, broker: Mosquitto, subscriber: MqttSubscriber
) -> None:
    board = SerialBoard(tmp_path)
    with RunningGateway(tmp_path, broker.url(), board.port) as gateway:
        gateway.wait_told("the port is not there: waiting for it")
        with board:
            board.wait_opened()
            greet(board, ONE)
            subscriber.wait_last("till-1/status", state="online")
            assert gateway.end() == 0
            with serial.Serial(str(board.port), exclusive=True):
                gateway.start()
                gateway.wait_told("another program has the port: end mpremote, the terminal or the other gateway")


def test_a_port_that_may_not_be_opened_is_reported(board: SerialBoard) -> None:
    board.port.chmod(0)  # of what it leads to
    with not_root(), pytest.raises(PortError, match="add the gateway's user to the port's group"):
        Tty(str(board.port))


@contextmanager
def not_root() -> Iterator[None]:
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("words", "mode", "sentence"),
    [
        ('{"shop/till-1": {"user": "a", "password": "b", "key": "c"}}', 0o644, "holds keys and others may read it"),
        ('{"shop/till-1": {"user": "a", "password": 5, "key": "c"}}', 0o600, "is not a file of keys"),
        ("[" * 200_000, 0o600, "is not a file of keys"),
        ("[]", 0o600, "is not a file of keys: make it again with `trivox console keys`."),
        (None, 0o600, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_reported_at_once(
    words: str | None, mode: int, sentence: str, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    if words is not None:
        keys.write_text(words, "utf-8")
        keys.chmod(mode)
    done = forked.run("gateway", "--keys", str(keys))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert sentence in done.stderr


def test_a_file_is_not_a_port(tmp_path: Path) -> None:
    done = forked.run("gateway", "--port", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"trivox: {tmp_path} is not a serial port: give a board's, such as /dev/ttyACM0 or COM5.\n"


def test_without_a_port_boards_are_found_by_their_usb_ids(
    broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def port(device: str, vid: int | None, pid: int | None) -> list_ports_common.ListPortInfo:
        found = list_ports_common.ListPortInfo(device, skip_link_detection=True)
        found.vid, found.pid = vid, pid
        return found

    there = [port("/nowhere/1", 0x2341, 0x0005), port("/nowhere/2", 0x2E8A, 0x000A), port("/nowhere/3", None, None)]
    monkeypatch.setattr(list_ports, "comports", lambda: there)
    with in_this_process(broker) as gateway:
        there.append(port(str(board.port), 0x2E8A, 0x0005))
        board.wait_opened()
        greet(board, ONE)
        subscriber.wait_last("till-1/status", state="online")
    subscriber.wait_last("till-1/status", state="offline")
    assert set(gateway.counters) == {str(board.port)}


@contextmanager
def in_this_process(
    broker: Mosquitto, *ports: Path, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[LocalGateway]:
    gateway = LocalGateway(lambda *_: read_broker(broker.url(), environment, None), [str(port) for port in ports])
    running = threading.Thread(target=gateway.run)
    running.start()
    try:
        yield gateway
    finally:
        gateway.stop()
        running.join(60)
    assert not running.is_alive()


def test_an_error_at_one_port_ends_neither_the_gateway_nor_the_port(
    broker: Mosquitto,
    subscriber: MqttSubscriber,
    board: SerialBoard,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("bridge.service.gateway.gateway.REST_S", 0.1)
    with in_this_process(broker, board.port):
        board.wait_opened()
        with monkeypatch.context() as faulty:
            faulty.setattr("bridge.service.gateway.relay.read_hello", lambda _: {}["a fault in the code"])
            board.say("hello", ONE)
            wait_until("it is told", lambda: "the gateway failed at this port" in caplog.text)
        board.hear("")
        board.wait_opened()
        greet(board, ONE)
        subscriber.wait_last("till-1/status", state="online")


def test_a_silent_port_is_released_for_a_while(
    broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_this_process(broker, board.port) as gateway:
        board.wait_opened()
        greet(board, ONE)
        subscriber.wait_last("till-1/status", state="online")
        monkeypatch.setattr("bridge.service.gateway.relay.SILENT_S", 1.0)
        subscriber.wait_last("till-1/status", state="offline")
        wait_until("others can have it", lambda: not board.is_opened())
        with serial.Serial(str(board.port), exclusive=True):
            assert gateway.counters[str(board.port)].opened == 1
        board.unplug()
        wait_until("it is known", lambda: gateway.missing)
        board.plug()  # a port that is plugged in again is served at once
        board.wait_opened()


def test_a_board_that_accepts_nothing_is_offline_until_it_is_heard_again(
    broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.service.gateway.relay.STUCK_S", 1.0)
    with in_this_process(broker, board.port) as gateway:
        board.wait_opened()
        greet(board, ONE)
        subscriber.wait_last("till-1/status", state="online")
        for number in range(30):  # a port holds no more than some KiB
            subscriber.publish("trivox/v1/shop/till-1/ack", {"through": number, "more": "x" * 4000})
        subscriber.wait_last("till-1/status", state="offline")
        assert gateway.counters[str(board.port)].dropped["board_stuck"] > 0
        subscriber.publish("trivox/v1/shop/till-1/settings", {"revision": 5}, retain=True)
        board.drain(b"x\n")  # a line cut short, and ended
        greet(board, ONE)
        assert wait_until("settings", lambda: board.hear("settings")) == {"revision": 5}


def test_events_that_no_bridge_acknowledges_are_reported(
    broker: Mosquitto,
    subscriber: MqttSubscriber,
    board: SerialBoard,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with in_this_process(broker, board.port):
        board.wait_opened()
        greet(board, ONE)
        board.say("events", batch(1))
        subscriber.wait_last("till-1/events", base=1)
        subscriber.publish("trivox/v1/shop/till-1/ack", {"epoch": "9f2c1ab0", "through": 1, "at_ms": 1})
        wait_until("it is acknowledged", lambda: board.hear("ack"))
        monkeypatch.setattr("bridge.service.gateway.relay.UNANSWERED_S", 1.0)
        board.say("events", batch(2))
        wait_until("it is told", lambda: "no bridge acknowledges this console" in caplog.text)
    assert caplog.text.count("no bridge acknowledges this console") == 1


def test_a_corrected_login_is_used_where_nothing_is_acknowledged(
    broker: Mosquitto, subscriber: MqttSubscriber, board: SerialBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.service.gateway.relay.UNANSWERED_S", 1.0)
    login: dict[str, str] = {}
    with in_this_process(broker, board.port, environment=login) as gateway:
        board.wait_opened()
        greet(board, ONE)
        board.say("events", batch(1))
        subscriber.wait_last("till-1/events", base=1)
        login |= {"TRIVOX_MQTT_USER": "shop.till-1", "TRIVOX_MQTT_PASSWORD": "as it should be"}
        wait_until("it logs in anew", lambda: gateway.counters[str(board.port)].sessions == 2)
        board.say("events", batch(2))
        subscriber.wait_last("till-1/events", base=2)


def test_each_console_of_a_file_of_keys_keeps_its_board(
    tmp_path: Path,
    broker: Mosquitto,
    subscriber: MqttSubscriber,
    board: SerialBoard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.service.gateway.relay.CHECK_S", 0.1)
    monkeypatch.setattr("bridge.service.gateway.relay.REFUSED_RETRY_S", 0.2)
    keys = tmp_path / "keys.json"
    login = {"user": "a", "password": "b", "key": "00" * 32}
    keys.write_text(json.dumps({f"shop/till-{number}": login for number in (1, 2, 3)}), "utf-8")
    keys.chmod(0o600)
    options = ("--keys", str(keys))
    gateway = RunningGateway(tmp_path, broker.url(), board.port, options=options)

    def accept(console: str) -> str:
        return forked.run("gateway", *options, "--accept-board", console).stdout

    with gateway:
        board.wait_opened()
        greet(board, ONE)
        subscriber.wait_last("till-1/status", state="online")
        greet(board, {**ONE, "console_id": "till-2"})  # its console.json was edited: what waits in it is till-1's
        gateway.wait_told("but that board is shop/till-1's: it is refused")
        greet(board, {**OTHER, "console_id": "till-1"})
        gateway.wait_told(f"but that console's board is {ONE['hardware_id']}: it is refused")
        greet(board, OTHER)
        subscriber.wait_last("till-2/status", state="online")
    file = tmp_path / "keys.json.boards"
    assert (file.stat().st_mode & 0o777, json.loads(file.read_text("utf-8"))) == (
        0o600,
        {"shop/till-1": ONE["hardware_id"], "shop/till-2": OTHER["hardware_id"]},
    )
    assert {said["hardware_id"] for said in subscriber.payloads("till-1/status")} == {ONE["hardware_id"]}
    with gateway:
        board.wait_opened()
        greet(board, {**ONE, "console_id": "till-2"})
        wait_until("it is refused after a restart too", lambda: gateway.output().count("is refused") > 2)
        assert "that it is shop/till-2 is accepted" in accept("shop/till-2")
        subscriber.wait_last("till-2/status", state="online", hardware_id=ONE["hardware_id"])
        accept("shop/till-2")
        subscriber.wait_last("till-2/status", state="offline", hardware_id=ONE["hardware_id"])
        gateway.wait_told("but another board is awaited in its place: it is refused")
        greet(board, {**OTHER, "console_id": "till-1"})  # that one is still the first board's
        wait_until("it is refused", lambda: gateway.output().count(f"board is {ONE['hardware_id']}: it is refused") > 1)
        greet(board, OTHER)
        subscriber.wait_last("till-2/status", state="online", hardware_id=OTHER["hardware_id"])
    bound = {"shop/till-1": ONE["hardware_id"], "shop/till-2": OTHER["hardware_id"]}
    assert json.loads(file.read_text("utf-8")) == bound
    assert "has no keys for shop/till-9" in forked.run("gateway", *options, "--accept-board", "shop/till-9").stderr
    assert "give it with --keys" in forked.run("gateway", "--accept-board", "shop/till-1").stderr
