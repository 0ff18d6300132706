"""The pytest fixtures: what they cost, what they show, what they say, and that they end their programs."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

import simulator
from simulator.console import pinmap
from simulator.errors import ConsoleError
from simulator.programs import Bridge, Broker, NotSeenError, ProgramError
from tests.support.other_project import run_tests

FAILING = """
def test_it(trivox_bridge, trivox_console):
    console = trivox_console("shop/till-1")
    console.wait_output("boot: 1,")
    trivox_bridge.wait_for(lambda: trivox_bridge.surveys(), "a survey is there", limit_s=0.1)
"""


def said(folder: Path, test: str, *options: str, conftest: str = "") -> str:
    """Return pytest's output for this test, which must fail."""
    done = run_tests(folder, {"test_it.py": test, "conftest.py": conftest}, *options)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_a_test_that_uses_no_fixture_imports_nothing(tmp_path: Path) -> None:
    test = """
import sys

def test_it():
    ours = {name for name in sys.modules if name.split(".")[0] in {"simulator", "bridge"}}
    assert ours == {"simulator", "simulator.pytest_plugin"}
    assert not {"paho", "typer", "apsw", "msgspec", "rich"} & set(sys.modules)
"""
    done = run_tests(tmp_path, {"test_it.py": test})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", simulator.__all__)
def test_what_the_simulator_offers_is_there_when_asked_for(name: str) -> None:
    assert getattr(simulator, name).__name__ == name
    assert name in dir(simulator)


def test_what_it_does_not_offer_is_an_attribute_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Consoles'"):
        from simulator import Consoles  # noqa: F401, PLC0415


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output for a test that waits for something that does not come."""
    return said(tmp_path_factory.mktemp("failing"), FAILING)


def test_a_failed_test_shows_all_output(failed: str) -> None:
    assert re.search(r"trivox console shop/till-1, serial output -+\n(.*\n)*?boot: 1, ", failed)
    assert re.search(r"trivox bridge -+\n(.*\n)*?.*connected to the broker", failed)
    assert re.search(r"trivox (mosquitto|embedded) broker -+\n.*\w", failed)


def test_a_wait_that_fails_says_what_is_there_instead(failed: str) -> None:
    assert "raise " not in failed
    assert re.search(
        r"This did not come true within 0.1 s: a survey is there. The bridge has \d events, 0 surveys, 0 count", failed
    )


def test_everything_ends_with_the_test(tmp_path: Path) -> None:
    test = """
from pathlib import Path

def test_it(trivox_broker, trivox_bridge, trivox_console):
    till, desk = trivox_console("shop/till-1"), trivox_console("shop/desk-1", board="esp32")
    trivox_bridge.wait_for_console("shop/desk-1")
    programs = [trivox_broker.pid, trivox_bridge.pid, till.pid, desk.pid]
    Path("pids").write_text(" ".join(map(str, programs)))
"""
    done = run_tests(tmp_path, {"test_it.py": test})
    assert done.returncode == 0, done.stdout + done.stderr
    pids = (tmp_path / "pids").read_text().split()
    assert len(set(pids)) == 4
    assert not [pid for pid in pids if Path("/proc", pid).exists()]


def test_a_rule_of_the_board_that_is_broken_fails_the_test(tmp_path: Path) -> None:
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "main.py").write_text("import machine\nmachine.Pin(99)\n")
    test = """
def test_it(trivox_console):
    trivox_console("shop/till-1", firmware="firmware").wait_output("Traceback")
"""
    shown = said(tmp_path, test)
    assert "1 error" in shown
    assert "shop/till-1: " in shown


def test_an_impossible_console_is_reported_in_a_sentence(tmp_path: Path) -> None:
    sentences = {
        "trivox_console('till-1')": "till-1 is not a console's name: use SITE/CONSOLE, such as shop/till-1.",
        "[trivox_console('shop/a') for _ in 'ab']": "This test already has a console shop/a: ",
        "trivox_console('shop/a', board='arduino')": "There is no board arduino; choose one of firmware/boards.",
    }
    tests = [f"def test_{number}(trivox_console):\n    {line}\n" for number, line in enumerate(sentences)]
    shown = said(tmp_path, "\n\n".join(tests))
    assert f"{len(sentences)} failed" in shown
    for sentence in sentences.values():
        assert sentence in shown
    assert "Traceback" not in shown
    assert "raise " not in shown


def test_no_micropython_is_reported_in_a_sentence(tmp_path: Path) -> None:
    conftest = """
import pytest

@pytest.fixture(autouse=True)
def nothing(monkeypatch, tmp_path):
    from simulator.console import micropython
    monkeypatch.setattr(micropython, "CACHE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
"""
    shown = said(tmp_path, "def test_it(trivox_console):\n    trivox_console()\n", conftest=conftest)
    assert "apt-get, which is not installed; put micropython 1.25 or newer on PATH." in shown
    assert "raise " not in shown


def test_no_mosquitto_is_reported_in_a_sentence(tmp_path: Path) -> None:
    conftest = """
import pathlib
import pytest

@pytest.fixture(autouse=True)
def nothing(monkeypatch, tmp_path):
    from simulator.programs import broker
    monkeypatch.setattr(broker, "SBIN", tmp_path / "mosquitto")
    monkeypatch.setenv("PATH", str(tmp_path))
"""
    test = "def test_it(trivox_broker):\n    assert trivox_broker.kind == 'embedded'\n"
    shown = said(tmp_path, test, "--trivox-broker=mosquitto", conftest=conftest)
    assert "mosquitto is not here: apt-get install mosquitto, or use --trivox-broker=embedded." in shown
    done = run_tests(tmp_path, {"test_it.py": test, "conftest.py": conftest})
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_firmware_is_reported_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pinmap, "FIRMWARE", tmp_path / "firmware")
    with pytest.raises(ConsoleError, match=r"There is no firmware in .*: install trivox again"):
        pinmap.pin_map("unix", tmp_path)


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_a_port_that_another_program_uses_is_reported_in_a_sentence(kind: str, tmp_path: Path) -> None:
    broker = Broker(tmp_path, kind)  # type: ignore[arg-type]
    broker.start()
    broker.stop()
    with (
        socket.create_server((broker.host, broker.port)),
        pytest.raises(ProgramError, match=rf"^The broker does not listen on 127.0.0.1:{broker.port}: .* - end the "),
    ):
        broker.start()
    broker.start()
    broker.stop()


def test_a_console_that_is_not_heard_is_reported_in_a_sentence(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "embedded")
    bridge = Bridge(tmp_path, broker)
    broker.start()
    try:
        bridge.start()
        with pytest.raises(NotSeenError, match=r"^The bridge has not heard console shop/till-9 in 0.1 s: is it "):
            bridge.wait_for_console("shop/till-9", limit_s=0.1)
        with pytest.raises(ProgramError, match=r"^`trivox site set shop --timezone Mars`: .*Mars"):
            bridge.trivox("site", "set", "shop", "--timezone", "Mars")
    finally:
        bridge.stop()
        broker.stop()


def test_a_bridge_that_ended_by_itself_is_not_waited_for(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    bridge = Bridge(tmp_path, broker)
    broker.start()
    try:
        bridge.start()
        os.kill(bridge.pid, signal.SIGKILL)
        with pytest.raises(ProgramError, match=r"^The bridge ended by itself: "):
            bridge.wait_for(lambda: False, "never")
        bridge.start()
        assert bridge.wait_for(lambda: bridge.events() == [], "no events") is True
    finally:
        bridge.stop()
        broker.stop()
