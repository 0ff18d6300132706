"""A technician's laptop may run Windows or macOS: the commands need nothing that those lack.

The commands run here as on Windows, as far as `tests/support/without_unix.py` can make that; boards, broker and
database are real.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from serial.tools import list_ports, list_ports_common

from bridge.errors import TrivoxError
from bridge.ops.flash import ports
from bridge.serial_port import error_number, is_plugged_in
from bridge.service import control
from bridge.service.control_server import ControlServer
from simulator.console.bare_board import BareBoard
from tests.bridge.office import Office, OfficeTill, at
from tests.bridge.ops.flash.desk import NOWHERE, SECRET, TILL, UNTESTED
from tests.support import facts, forked
from tests.support.gateway import RunningGateway
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until
from tests.support.serial_board import SerialBoard
from tests.support.service import Service
from tests.support.subscriber import MqttSubscriber

ICACLS = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/icacls.txt"\n'
REPORT = ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--format", "json")
HELLO = {"site_id": "shop", "console_id": "till-1", "hardware_id": "e6614103e7452f2f"}
WINDOWS_DENIES = "could not open port 'COM5': PermissionError(13, 'Access is denied.', None, 5)"
WINDOWS_MISSES = "could not open port 'COM5': FileNotFoundError(2, 'The system cannot find the file', None, 2)"


@pytest.fixture
def windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands without Unix; return the file to which a stand-in for `icacls` writes what it is told."""
    program = tmp_path / "windows" / "icacls"
    program.parent.mkdir()
    program.write_text(ICACLS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv(forked.WITHOUT_UNIX, "1")
    monkeypatch.chdir(tmp_path)
    return program.with_name("icacls.txt")


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[BareBoard]:
    with BareBoard(tmp_path / "board", "pico_w", console_id="pico-w") as board:
        yield board


def run(*words: str) -> str:
    done = forked.run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_reports_lists_cards_and_keys_are_made(office: Office, windows: Path) -> None:
    till = OfficeTill()
    till.surveys(at("2026-11-22T10:00:00Z"), yes=30, no=10, silent=20)
    office.take(till)
    db = ("--database", str(office.database))
    for by in ("site", "console", "day"):
        assert json.loads(run(*REPORT, "--by", by, *db)) == office.rows(by)
    assert "demo" in run("console", "list", *db)
    run("question", "card", "staff", "--out", "card.pdf", *db)
    assert Path("card.pdf").read_bytes().startswith(b"%PDF")
    run("site", "set", "demo", "--timezone", "Europe/Sofia", *db)
    run("console", "enroll", "demo/till-2", "--out", "till-2.json", *db)
    run("console", "keys", "keys.json", "demo/till-1", "demo/till-2", *db)
    keys, till_2 = (json.loads(Path(name).read_text()) for name in ("keys.json", "till-2.json"))
    assert keys["demo/till-2"]["key"] == till_2["key"]
    words = windows.read_text()
    for secret in (f"{office.database}-keys", f"{office.database}-keys/demo", "till-2.json", "keys.json"):
        assert re.search(rf"{re.escape(secret)}(\.[0-9a-f]+)?(\.new)? /inheritance:r /grant:r \*S-1-3-4:", words)
    assert "No bridge is running" in forked.run("doctor", *db).stdout
    assert "demo" in run("watch", "--once", *db)
    run("firmware", "key", "release.key")
    Path("release.key").chmod(0o666)  # as Windows shows each file
    run("firmware", "build", "--key", "release.key")
    run("backup", "copy.db", *db)
    run("restore", "copy.db", *db)
    assert json.loads(run(*REPORT, "--by", "site", *db)) == office.rows("site")


def test_a_secret_that_others_can_not_be_kept_from_is_not_written(office: Office, windows: Path) -> None:
    windows.with_name("icacls").write_text("#!/bin/sh\necho 'The parameter is incorrect.'\nexit 87\n")
    for words in (("console", "enroll", "demo/till-1"), ("viewer", "enroll", "boss")):
        done = forked.run(*words, "--database", str(office.database))
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "could not keep others from it: The parameter is incorrect" in done.stderr
    assert not list(office.folder.glob("*-keys"))
    assert not {"console", "viewer"} & set(facts.changes(office.database, "kind"))


def test_no_file_is_called_like_a_device_of_windows(office: Office, windows: Path) -> None:
    for words in ("console enroll demo/com1", "source enroll aux/door --new", "viewer enroll nul"):
        done = forked.run(*words.split(), "--database", str(office.database))
        assert "trivox: Windows lets no file be called" in done.stderr
        assert done.returncode == 1
    assert not list(office.folder.glob("*-keys"))


def test_all_commands_are_shown_and_those_that_need_unix_say_so(windows: Path) -> None:
    assert "console" in run("--help")
    for words in (("run", "--seconds", "0"), ("micropython",), ("simulate", "--headless")):
        done = forked.run(*words)
        assert done.returncode == 1
        assert done.stderr.endswith("need Linux: use another machine, or on Windows its WSL.\n")


def test_a_board_is_flashed_and_labelled(plugged: BareBoard, office: Office, windows: Path) -> None:
    db = ("--database", str(office.database))
    run("console", "enroll", "sofia-1/till-1", *db)
    run("console", "keys", "keys.json", "sofia-1/till-1", *db)
    Path("keys.json").chmod(0o666)  # as Windows shows each file
    words = ("console", "flash", *TILL, "--port", plugged.port, *NOWHERE, UNTESTED, "--keys", "keys.json")
    done = forked.run(*words, environment={**SECRET, "PATH": str(windows.parent), forked.WITHOUT_UNIX: "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path("labels/sofia-1.till-1.svg").exists()
    assert json.loads(Path("flashed.ndjson").read_text())["result"] == "done"


def test_a_gateway_passes_messages_both_ways(tmp_path: Path, windows: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        MqttSubscriber(broker.port) as subscriber,
        SerialBoard(tmp_path) as board,
        RunningGateway(tmp_path, broker.url(), board.port) as gateway,
    ):
        board.wait_opened()
        board.say("hello", HELLO)
        board.say("status", {"state": "online", "epoch": "9f2c1ab0", "hardware_id": HELLO["hardware_id"]})
        subscriber.wait_last("till-1/status", state="online")
        long = {"epoch": "9f2c1ab0", "through": 1, "more": "x" * 2000}  # is written in pieces
        subscriber.publish("trivox/v1/shop/till-1/ack", long)
        wait_until("the board has heard it", lambda: board.hear("ack") == long)
        board.unplug()
        gateway.wait_told("the board is gone")
        subscriber.wait_last("till-1/status", state="offline")
        assert gateway.end(signal.SIGTERM) == 0


def test_a_bridge_runs_and_commands_say_that_they_must_wait_for_its_end(office: Office, windows: Path) -> None:
    db = ("--database", str(office.database))
    with (
        Mosquitto(office.folder) as broker,
        Service(
            *("bridge", "--broker", broker.url(), "--metrics-port", "0", *db),
            log=office.folder / "bridge.log",
            ready="connected to the broker",
        ) as bridge,
    ):
        assert "this system has no local sockets" in bridge.output()
        told = forked.run("doctor", *db).stdout
        assert "takes no commands here: end it, then try again." in told
        assert bridge.end() == 0
    run("site", "set", "demo", "--timezone", "UTC", *db)


@pytest.mark.parametrize("name", ["com5", "COM5", "COM?"])
def test_ports_are_found_by_the_names_that_windows_gives_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("com5").touch()  # there each name of a port is in every folder
    there = [list_ports_common.ListPortInfo(device) for device in ("COM5", "COM12")]
    monkeypatch.setattr(list_ports, "comports", lambda: there)
    assert ports.find_ports([name]) == [ports.Port("COM5")]
    assert is_plugged_in("com12")
    assert not is_plugged_in("COM6")


@pytest.mark.parametrize(
    ("text", "number", "sentence"),
    [
        (WINDOWS_DENIES, errno.EBUSY, "Another program has COM5 open"),
        (WINDOWS_MISSES, errno.ENOENT, "There is no port COM5"),
    ],
)
def test_what_windows_says_of_a_port_is_understood(
    monkeypatch: pytest.MonkeyPatch, text: str, number: int, sentence: str
) -> None:
    error = serial.SerialException(text)
    assert error_number(error) == number

    def refuse(_: str) -> None:
        raise error

    monkeypatch.setattr(ports, "_open_and_close", refuse)
    with pytest.raises(ports.FlashingError, match=sentence):
        ports.check_access("COM5")


def test_on_a_mac_the_bridge_has_a_socket_beside_its_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "OPEN_FOLDERS", tmp_path / "proc")
    monkeypatch.delattr(socket, "SO_PEERCRED")
    (folder := Path(tempfile.mkdtemp(prefix="mac-"))).chmod(0o700)
    try:
        server = ControlServer(folder / "a.db", lambda *_: {"done": True}, lambda: {"is_connected": True})
        assert (folder / "a.db.sock").is_socket()
        assert control.describe_bridge(folder / "a.db") == {"is_connected": True}
        server.close()
    finally:
        shutil.rmtree(folder)
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    with pytest.raises(TrivoxError, match="is too long for the bridge's socket: choose a shorter folder"):
        ControlServer(deep / "a.db", lambda *_: {}, dict)
