"""Several faults at one board, and a slow machine: the harness knows what it did, and people wait for the board."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from simulator.errors import ConsoleError
from tests.chaos import crowd
from tests.chaos.crowd import AHEAD, Person
from tests.chaos.faults import FAULTS, heal_till, power_on
from tests.chaos.listener import WireListener
from tests.chaos.plan import ALL_KINDS, PlannedFault
from tests.chaos.world import ChaosTill
from tests.support.programs import wait_until
from tests.support.seeds import seeded


class FakeConsole:
    """A console without a board: a process that sleeps, and a list of the calls."""

    console_id, board = "till-1", "esp32"

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.asked: list[tuple[str, Any]] = []
        self.breaks: set[str] = set()  # calls that fail once
        self.power_on()

    @property
    def powered(self) -> bool:
        return self.process is not None

    @property
    def pid(self) -> int:
        if self.process is None:
            raise ConsoleError("It is not powered.")
        return self.process.pid

    def power_on(self) -> None:
        if self.process is None:
            self.process = subprocess.Popen(["sleep", "600"])

    def power_off(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __getattr__(self, name: str) -> Any:
        def ask(*words: Any, **more: Any) -> None:
            self.asked.append((name, words or more))
            if name in self.breaks:
                self.breaks.remove(name)
                raise ConsoleError(f"It does not answer ({name}).")

        return ask

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


@pytest.fixture
def console() -> Iterator[FakeConsole]:
    made = FakeConsole()
    yield made
    made.power_off()


@pytest.fixture
def till(console: FakeConsole) -> ChaosTill:
    return ChaosTill(console, has_late_interrupts=False)  # type: ignore[arg-type]


def begin(till: ChaosTill, name: str) -> Any:
    """Begin a fault of that kind; `next` ends it."""
    kind = next(kind for kind in ALL_KINDS if kind.name == name)
    world: Any = SimpleNamespace(tills=[till], right_until_s=float("inf"), time_server=SimpleNamespace())
    effect = FAULTS[name](world, PlannedFault(0, 0.0, kind, 1.0, 0, 0.5))
    next(effect)  # type: ignore[call-overload]
    return effect


def wait_stopped(till: ChaosTill) -> None:
    wait_until("it is stopped", lambda: till.is_stopped)


def test_a_stopped_board_stays_stopped_when_it_is_powered_on(till: ChaosTill, console: FakeConsole) -> None:
    stop = begin(till, "stop_console")
    wait_stopped(till)
    tear = begin(till, "tear_flash")
    next(tear, None)
    power_on(till)
    assert till.is_stopped
    assert console.asked == []  # it would do this later, when nobody expects it
    next(stop, None)
    wait_until("it goes on", lambda: not till.is_stopped)


def test_a_board_whose_power_went_while_it_was_stopped_runs_when_it_comes_back(
    till: ChaosTill, console: FakeConsole
) -> None:
    stop = begin(till, "stop_console")
    wait_stopped(till)
    kill = begin(till, "kill_console")
    next(kill, None)
    assert console.powered
    assert not till.is_stopped
    next(stop, None)
    assert not till.is_stopped


@pytest.mark.parametrize("name", ["drop_wifi", "fill_flash", "step_clock", "tear_flash"])
def test_a_stopped_board_gets_no_calls(till: ChaosTill, console: FakeConsole, name: str) -> None:
    begin(till, "stop_console")
    wait_stopped(till)
    next(begin(till, name), None)
    assert console.asked == []
    assert not till.overflowed


def test_nobody_presses_at_a_stopped_board(till: ChaosTill, console: FakeConsole) -> None:
    begin(till, "stop_console")
    wait_stopped(till)
    Person(till, seeded(1), threading.Event()).press("yes")
    assert console.asked == []


def test_a_flash_whose_filling_failed_counts_as_full(till: ChaosTill, console: FakeConsole) -> None:
    console.breaks = {"fill_flash"}  # power goes meanwhile, and what is written stays
    fill = begin(till, "fill_flash")
    assert till.overflowed
    next(fill, None)
    assert "free_flash" in console.names()
    assert not till.is_full


def test_in_the_end_every_board_is_healed_however_often_that_fails(till: ChaosTill, console: FakeConsole) -> None:
    begin(till, "stop_console")
    wait_stopped(till)
    till.is_full = True
    console.breaks = {"cut_power_at", "wifi", "free_flash"}
    heal_till(till)
    assert not till.is_stopped
    assert not till.is_full
    assert console.asked[-2:] == [("wifi", {"on": True}), ("free_flash", {})]


def test_a_playing_child_waits_for_a_slow_board(
    till: ChaosTill, console: FakeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "PLAY_PRESSES", 3 * AHEAD)
    monkeypatch.setattr(crowd, "PLAY_PAUSE_S", 0)
    till.play_requested.set()
    Person(till, seeded(1), threading.Event()).plays()
    pressed = "".join("." if name == "press" else "|" for name in console.names())
    assert max(len(row) for row in pressed.split("|")) == AHEAD


def test_acknowledgements_from_before_a_restore_do_not_count_however_late_they_arrive() -> None:
    listener = WireListener(1883)

    def acknowledge(through: int, at_ms: int) -> None:
        ack = {"epoch": "9f2c1ab0", "through": through, "at_ms": at_ms}
        listener.hear("trivox/v1/shop/till-1/ack", json.dumps(ack).encode())

    acknowledge(40, 1)
    assert listener.acknowledged() == {("shop", "till-1", "9f2c1ab0"): 40}
    listener.forget()
    acknowledge(41, 2)  # on its way since before
    assert listener.acknowledged() == {}
    acknowledge(7, 1 << 50)
    assert listener.acknowledged() == {("shop", "till-1", "9f2c1ab0"): 7}


def test_a_process_that_ended_is_not_stopped(till: ChaosTill, console: FakeConsole) -> None:
    assert console.process
    console.process.send_signal(signal.SIGSTOP)
    wait_stopped(till)
    console.process.kill()
    console.process.wait()
    assert not till.is_stopped
