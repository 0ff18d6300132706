"""The console's time: from an NTP server, over the wrap of a board's ticks, and the watchdog's."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from broker import LoginBroker, StandInBridge
from console.version import BUILT_S

from simulator.console.console import Console
from tests.firmware.test_link import answer
from tests.support.programs import wait_until
from tests.support.time_server import TimeServer

FIRMWARE = Path(__file__).parents[2] / "firmware"
DAY_MS = 24 * 3600 * 1000
AHEAD_MS = 5_000_000

BUILT_MS = BUILT_S * 1000
YEAR_MS = 365 * DAY_MS
YEAR_2036_MS = 2_085_978_496_000  # when the seconds of NTP begin again at 0

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


def replaced(at: int, piece: bytes) -> Callable[[bytes], list[bytes]]:
    return lambda answer: [answer[:at] + piece + answer[at + len(piece) :]]


def times(bridge: StandInBridge, source: str) -> list[int]:
    return [event["at_ms"] for event in bridge.of("clock_set") if event["source"] == source]


@pytest.mark.parametrize(
    ("alter", "fixed_ms"),
    [
        (replaced(24, bytes(8)), None),
        (replaced(24, b"another?"), None),
        (lambda answer: [answer[:44]], None),
        (lambda _: [b""], None),
        (replaced(0, b"\x23"), None),
        (replaced(0, b"\x25"), None),
        (replaced(0, b"\x3c"), None),
        (replaced(0, b"\xe4"), None),
        (replaced(1, b"\x00RATE"), None),
        (replaced(1, b"\x10"), None),
        (replaced(40, bytes(8)), None),
        (replaced(40, bytes(4)), None),
        (None, 0),
        (None, BUILT_MS - 1),
        (None, BUILT_MS - 20 * YEAR_MS),
        (None, BUILT_MS + 75 * YEAR_MS),
    ],
    ids=[
        *("no origin", "another's origin", "cut off", "empty", "a client", "a broadcast", "version 7"),
        *("leap indicator 3", "stratum 0", "stratum 16", "no transmit time", "no seconds"),
        *("1970", "just before the build", "long before the build", "2101"),
    ],
)
def test_a_wrong_time_server_does_not_override_the_bridge(
    alter: Any, fixed_ms: int | None, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    server = TimeServer(AHEAD_MS)
    server.alter, server.fixed_ms = alter, fixed_ms
    with Console(tmp_path / "console", broker=broker.url(), ntp_host=f"127.0.0.1:{server.port}") as console:
        wait_until("the bridge's time", lambda: times(bridge, "bridge"))
        wait_until("it says what is wrong", lambda: "time: " in console.output() or console.step(2500))
        server.alter = server.fixed_ms = None
        wait_until("it asks again", lambda: times(bridge, "ntp") or console.step(5000))
    server.close()
    (at_ms,) = times(bridge, "ntp")
    assert abs(at_ms - time.time() * 1000 - AHEAD_MS) < 600_000


def test_an_answer_to_no_question_does_not_hide_the_right_one(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    server = TimeServer(AHEAD_MS)
    server.alter = lambda answer: [answer[:24] + bytes(8) + answer[32:], answer[:40], answer]
    with Console(tmp_path / "console", broker=broker.url(), ntp_host=f"127.0.0.1:{server.port}"):
        wait_until("the time", lambda: times(bridge, "ntp"))
    server.close()


@pytest.mark.parametrize("utc_ms", [BUILT_MS, YEAR_2036_MS + 1000, YEAR_2036_MS + 10 * YEAR_MS])
def test_the_time_is_right_from_the_build_on_and_beyond_2036(
    utc_ms: int, broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    server = TimeServer()
    server.fixed_ms = utc_ms
    ntp_host = f"127.0.0.1:{server.port}"
    with Console(
        tmp_path / "console", board="pico_w", architecture="i386", broker=broker.url(), ntp_host=ntp_host
    ) as console:
        wait_until("the time", lambda: times(bridge, "ntp"))
        answer(console)
        (closed,) = wait_until("it is stored", lambda: bridge.of("survey_closed"))
    server.close()
    assert utc_ms <= closed["at_ms"] < utc_ms + 600_000


def test_a_time_server_that_asks_to_be_left_alone_is_asked_less_and_less(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    server = TimeServer()
    server.alter = replaced(1, b"\x00RATE")
    with Console(tmp_path / "console", broker=broker.url(), ntp_host=f"127.0.0.1:{server.port}") as console:
        for _ in range(80):  # 20 minutes
            console.step(15_000)
        wait_until("it says why", lambda: "asks to be left alone" in console.output())
    server.close()
    assert len(server.questions) <= 8  # after 15 s, 30 s, a minute …


def test_the_firmware_was_not_built_in_the_future() -> None:
    assert time.time() > BUILT_S
    assert BUILT_S % 86400 == 0


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
