"""The console's time: from an NTP server, over the wrap of a board's ticks, and the watchdog's."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import LoginBroker, StandInBridge

from simulator.console.console import Console
from tests.support.programs import wait_until
from tests.support.time_server import TimeServer

FIRMWARE = Path(__file__).parents[2] / "firmware"
DAY_MS = 24 * 3600 * 1000
AHEAD_MS = 5_000_000

HUNG_TASK = """
import asyncio
import machine
from boards import unix
from console import app

async def hang(self):
    await asyncio.sleep(3600)

unix.WATCHDOG_MS = 1500
app.TASK_LIMITS_MS["buttons"] = 1000
if machine.reset_cause() == 1:
    app.App._watch_buttons = hang
app.run()
"""


@pytest.fixture
def time_server() -> Iterator[TimeServer]:
    made = TimeServer(AHEAD_MS, unknowing=1)
    yield made
    made.close()


def firmware_with(main: str, folder: Path) -> Path:
    shutil.copytree(FIRMWARE, folder)
    (folder / "main.py").write_text(main)
    return folder


def test_the_time_comes_from_a_server(
    broker: LoginBroker, bridge: StandInBridge, time_server: TimeServer, tmp_path: Path
) -> None:
    ntp_host = f"127.0.0.1:{time_server.port}"
    with Console(tmp_path / "console", board="esp32", broker=broker.url(), ntp_host=ntp_host) as console:
        wait_until("it asks", lambda: time_server.questions)
        assert not [event for event in bridge.of("clock_set") if event["source"] == "ntp"]
        console.step(15000)
        wait_until("the time", lambda: [event for event in bridge.of("clock_set") if event["source"] == "ntp"])
        clock_set = bridge.of("clock_set")[-1]
    assert abs(clock_set["at_ms"] - time.time() * 1000 - AHEAD_MS) < 60000
    assert all(len(question) == 48 and question[0] == 0x23 for question in time_server.questions)


def test_surveys_after_the_wrap_of_a_boards_ticks(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", architecture="i386", broker=broker.url()) as console:
        wait_until("it knows the time", lambda: bridge.of("clock_set"))
        console.step(13 * DAY_MS)
        console.press("seller")
        console.wait_lamp("no")
        console.press("no")
        console.wait_lamp("yes", on=False)
        answered = wait_until("the survey has closed", lambda: bridge.of("survey_closed"))[0]
        console.wait_lamp("no", on=False)
        console.press("seller")
        console.wait_lamp("no")
        console.step(20000)
        silent = wait_until("the other survey has closed", lambda: bridge.of("survey_closed")[1:])[0]
    assert answered["cause"] == "answered"
    assert 0 < answered["response_ms"] == answered["up_ms"] - answered["opened_up_ms"] < 60000
    assert (silent["outcome"], silent["up_ms"]) == ("silent", silent["opened_up_ms"] + 20000)
    for event in (*bridge.of("survey_opened"), answered, silent):
        assert 13 * DAY_MS < event["up_ms"] < 13 * DAY_MS + 600000
        assert event["at_ms"] is not None


def test_the_watchdog_restarts_a_console_whose_task_hangs(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    firmware = firmware_with(HUNG_TASK, tmp_path / "firmware")
    with Console(tmp_path / "console", broker=broker.url(), firmware=firmware) as console:
        wait_until("it restarts", lambda: len(bridge.of("booted")) == 2)
        assert [event["reset"] for event in bridge.of("booted")] == ["power_on", "watchdog"]
        console.press("yes")
        wait_until("it takes presses", lambda: bridge.of("stray_pressed"))
