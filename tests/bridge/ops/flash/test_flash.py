"""`trivox console flash`: a bare board becomes a console, by the commands that a technician uses."""

import fcntl
import json
import re
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import serial

from bridge.cli.main import INTERRUPTED
from bridge.ops.flash import flash_session
from bridge.ops.flash.errors import FlashingError
from bridge.ops.flash.repl import Repl
from simulator.console.bare_board import BareBoard
from simulator.programs import Bridge, Broker
from tests.bridge.ops.flash.desk import (
    NOWHERE,
    TILL,
    UNTESTED,
    WIFI,
    Fingers,
    flash,
    flash_by_program,
    last_message,
    log_of,
    serves,
)
from tests.support.installed import installed
from tests.support.programs import LIMIT_S, wait_until

PlugIn = Callable[..., BareBoard]


def on_board(board: BareBoard, program: str) -> str:
    """Run a program on a board and return its output; a board in service is restarted by its watchdog soon after."""
    wait_until("the port is there", lambda: Path(board.port).exists())
    repl = Repl(board.port)
    try:
        assert repl.enter(LIMIT_S)
        return repl.run(program)
    finally:
        repl.close()


def config_of(board: BareBoard) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(on_board(board, "print(open('/console.json').read())"))
    return config


def held_open(board: BareBoard) -> None:
    """Plug a board in again with the two buttons held."""
    board.power_off()
    board.plug_in_holding("no", "seller")


@pytest.mark.parametrize("kind", ["pico_w", "esp32"])
def test_a_board_becomes_a_console_that_the_bridge_knows(
    plugged: PlugIn,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    trivox_broker: Broker,
    trivox_bridge: Bridge,
    kind: str,
) -> None:
    place = installed(tmp_path_factory)
    board = plugged(kind)
    at = ("--broker", trivox_broker.url, "--new", "--database", str(trivox_bridge.database))
    with Fingers(board):
        done = flash_by_program(place, tmp_path, *TILL, "--port", board.port, *WIFI, *at, says="y\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"sofia-1/till-1\n{kind}\n{board.hardware_id}" in done.stdout
    (line,) = log_of(tmp_path)
    facts = {"result": "done", "board": kind, "self_test": "passed", "online": True, "events_wiped": 0, "boot": 1}
    assert {name: line[name] for name in facts} == facts
    (tested,) = trivox_bridge.wait_for(lambda: trivox_bridge.events("self_tested"), "the bridge has the self-test")
    assert tested["passed"] is True
    picture = (tmp_path / "labels" / "sofia-1.till-1.svg").read_text()
    key = json.loads(next(trivox_bridge.database.parent.glob("*-keys/sofia-1/till-1.json")).read_text())
    config = config_of(board)
    assert (config["key"], config["broker"]["password"]) == (key["key"], key["password"])
    for secret in (key["key"], key["password"], "simulated"):
        assert secret not in done.stdout + done.stderr + picture + json.dumps(line)


def test_three_boards_at_once_and_again_without_copying_firmware(plugged: PlugIn, tmp_path: Path) -> None:
    boards = [plugged(kind) for kind in ("pico", "pico_w", "esp32")]
    ports = ("--port", str(tmp_path / "boards" / "*" / "usb"), "--count", "3", "--wait", "20")
    first = flash(tmp_path, *TILL, *ports, *NOWHERE, UNTESTED)
    assert first.returncode == 0, first.stdout + first.stderr
    assert {line["console_id"] for line in log_of(tmp_path)} == {"till-1", "till-2", "till-3"}
    arrived = [board.arrived for board in boards]
    held_open(boards[0])
    again = flash(tmp_path, *TILL, *ports, *NOWHERE, UNTESTED)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "copying" not in again.stdout
    assert all(board.arrived - before < arrived[0] / 3 for board, before in zip(boards, arrived, strict=True))
    consoles = {line["hardware_id"]: line["console_id"] for line in log_of(tmp_path)[:3]}
    assert {
        line["hardware_id"]: line["console_id"] for line in log_of(tmp_path)[3:]
    } == consoles  # each is the same again


def test_a_second_run_continues_a_table_where_the_first_ended(plugged: PlugIn, tmp_path: Path) -> None:
    table = tmp_path / "consoles.csv"
    table.write_text("site_id,console_id,board\nsofia-1,till-1,pico\nsofia-1,till-2,pico_w\nsofia-1,till-3,pico\n")
    boards = [plugged("pico", "pico-a"), plugged("pico_w"), plugged("pico", "pico-b")]
    some = flash(tmp_path, "--csv", str(table), "--port", boards[0].port, "--port", boards[1].port, *NOWHERE, UNTESTED)
    assert some.returncode == 1
    assert "2 consoles of 3 flashed, not heard at the broker" in some.stdout
    rest = flash(tmp_path, "--csv", str(table), "--port", boards[2].port, *NOWHERE, UNTESTED)
    assert rest.returncode == 0, rest.stdout + rest.stderr
    consoles = {line["hardware_id"]: line["console_id"] for line in log_of(tmp_path)}
    assert consoles[boards[1].hardware_id] == "till-2"
    assert {consoles[boards[0].hardware_id], consoles[boards[2].hardware_id]} == {"till-1", "till-3"}


@pytest.mark.long
def test_a_failing_button_is_named(plugged: PlugIn, tmp_path: Path) -> None:
    board = plugged("pico")
    with Fingers(board, skips="no"):
        done = flash(tmp_path, *TILL, "--port", board.port, says="y\n")
    assert done.returncode == 1
    assert "sofia-1/till-1 is flashed, but the self-test missed No: check the wiring and the buttons." in done.stderr
    (line,) = log_of(tmp_path)
    assert (line["result"], line["self_test"]) == ("failed", "failed")


def test_the_technician_says_whether_the_lamps_light(plugged: PlugIn, tmp_path: Path) -> None:
    board = plugged("pico")
    with Fingers(board):
        done = flash(tmp_path, *TILL, "--port", board.port, says="n\n")
    assert done.returncode == 1
    assert "lamps or sound are wrong" in done.stderr


def test_events_of_another_console_stay_unless_wiped(in_service: PlugIn, tmp_path: Path) -> None:
    board = in_service("pico_w")
    board.press("yes")  # no survey is open: an event
    other = ("--site", "sofia-1", "--console", "till-9", "--port", board.port, *NOWHERE, UNTESTED)
    refused = flash(tmp_path, *other)
    assert refused.returncode == 1
    assert "still holds up to 1 event of sofia-1/till-1: let it deliver what it has" in refused.stderr
    wait_until("it serves again", lambda: serves(board))
    assert config_of(board)["console_id"] == "till-1"
    wiped = flash(tmp_path, *other, "--wipe")
    assert wiped.returncode == 0, wiped.stdout + wiped.stderr
    assert log_of(tmp_path)[-1]["events_wiped"] == 1  # that it started is no loss
    assert "wiped up to 1 event of sofia-1/till-1, which the bridge may never get." in wiped.stdout
    assert config_of(board)["console_id"] == "till-9"


@pytest.mark.long
def test_ctrl_c_puts_a_board_back_into_service(
    in_service: PlugIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = in_service("pico_w")
    at_work, answered = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        if at_work.is_set():
            at_work.clear()
            raise KeyboardInterrupt
        time.sleep(seconds)

    def take(*_: object) -> None:
        at_work.set()
        answered.wait()
        raise FlashingError("too late")

    def install(_repl: object, _board: object, _firmware: object, report: Callable[[str], None]) -> None:
        at_work.set()
        while True:
            report("copying")
            time.sleep(0.01)

    monkeypatch.setattr(flash_session, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    for place, work in (("assignments.AssignmentPool.take", take), ("flash_board.install", install)):
        with monkeypatch.context() as patch:
            patch.setattr(f"bridge.ops.flash.{place}", work)
            assert flash(tmp_path, *TILL, "--port", board.port, *NOWHERE, UNTESTED).returncode == INTERRUPTED
            wait_until("it serves again", lambda: serves(board))
            answered.set()


def test_the_same_console_keeps_its_events_and_what_is_not_given(in_service: PlugIn, tmp_path: Path) -> None:
    board = in_service("pico_w")
    board.press("yes")
    again = flash(tmp_path, *TILL, "--port", board.port, UNTESTED)
    assert again.returncode == 0, again.stdout + again.stderr
    assert config_of(board)["wifi"]["ssid"] == "shop"
    ends = [int(end) for end in re.findall(r"boot: \d+, epoch \w+, outbox 1 to (\d+)", board.output())]
    assert ends[-1] > ends[0]


@pytest.mark.long
def test_a_pico_in_service_is_asked_by_message_once_it_knows_the_time(in_service: PlugIn, tmp_path: Path) -> None:
    board = in_service("pico")
    refused = flash(tmp_path, *TILL, "--port", board.port, UNTESTED)
    assert refused.returncode == 1
    assert "hold No and the seller's button while you plug it in" in refused.stderr
    with AcknowledgingLine(board.port) as gateway:
        gateway.acknowledge_until(lambda: "clock_set" in board.output())
    again = flash(tmp_path, *TILL, "--port", board.port, UNTESTED)
    assert again.returncode == 0, again.stdout + again.stderr


def test_two_held_buttons_stop_a_pico_in_service(in_service: PlugIn, tmp_path: Path) -> None:
    board = in_service("pico")
    held_open(board)
    again = flash(tmp_path, *TILL, "--port", board.port, UNTESTED)
    assert again.returncode == 0, again.stdout + again.stderr
    wait_until("it serves again", lambda: last_message(board, "hello"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*TILL, "--csv", "x.csv"), "Give --csv, or --site and --console, not both."),
        (("--console", "till-1"), "--console needs its site"),
        ((), "No console is named: give --site and --console, or --csv."),
        (("--site", "s", "--console", "till", "--count", "2"), "does not end in a number"),
        ((*TILL, "--broker", "mqtts://127.0.0.1"), "give --ca-file with mqtts://"),
        ((*TILL, "--base-sha256", "00"), "--base-sha256 needs --base"),
        ((*TILL, "--config", "x.toml"), "--config and --ca-file need --broker"),
    ],
)
def test_wrong_usage_is_reported(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    done = flash(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_cannot_be_opened_is_reported_with_what_to_check(plugged: PlugIn, tmp_path: Path) -> None:
    board = plugged("pico_w")
    absent = flash(tmp_path, *TILL, "--port", str(tmp_path / "no"), *NOWHERE)
    assert "There is no port" in absent.stderr
    assert "not a charging cable" in absent.stderr
    (tmp_path / "file").write_text("x")
    assert "is not a serial port" in flash(tmp_path, *TILL, "--port", str(tmp_path / "file"), *NOWHERE).stderr
    with Path(board.port).open("rb+", buffering=0) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "Another program has" in flash(tmp_path, *TILL, "--port", board.port, *NOWHERE).stderr
    nothing = flash(tmp_path, *TILL, "--port", str(tmp_path / "no*"), *NOWHERE, "--wait", "1")
    assert nothing.returncode == 1
    assert "check that its cable carries data" in nothing.stderr


def test_the_wrong_board_is_refused(plugged: PlugIn, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("site_id,console_id,board\nsofia-1,till-1,esp32\n")
    board = plugged("pico_w")
    done = flash(tmp_path, "--csv", "table.csv", "--port", board.port, *NOWHERE)
    assert done.returncode == 1
    assert "This is a pico_w, but sofia-1/till-1 needs another board (esp32)" in done.stderr


def test_a_board_without_wifi_or_broker_is_not_changed(plugged: PlugIn, tmp_path: Path) -> None:
    board = plugged("pico_w")
    assert "give --wifi-ssid" in flash(tmp_path, *TILL, "--port", board.port).stderr
    assert "give --broker" in flash(tmp_path, *TILL, "--port", board.port, *WIFI).stderr
    assert "main.py" not in on_board(board, "import os\nprint(os.listdir('/'))")


class AcknowledgingLine:
    """The host's end of a console's line, which acknowledges events."""

    def __init__(self, path: str) -> None:
        self._line = serial.Serial(path, timeout=0.2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def acknowledge_until(self, condition: Callable[[], Any], limit_s: float = LIMIT_S) -> None:
        end_s = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end_s
            words = self._line.readline().decode(errors="replace").split("\t")
            if words[0] == "events" and len(words) == 3:
                batch = json.loads(words[1])
                through = batch["base"] + len(batch["events"]) - 1
                ack = {"epoch": batch["epoch"], "through": through, "at_ms": int(time.time() * 1000)}
                body = f"ack\t{json.dumps(ack)}".encode()
                self._line.write(b"%s\t%08x\n" % (body, zlib.crc32(body)))
