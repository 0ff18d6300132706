"""Contacts reach the firmware as the port's interrupts, whatever the main thread is doing."""

import re
import threading
from collections.abc import Callable

import pytest

from simulator import Console, FirmwareError
from simulator.console.observations import Round
from tests.support.programs import wait_until

CATCH = """
import asyncio, time, machine
from machine import Pin
button = Pin({pin}, Pin.IN, Pin.PULL_UP)
levels, ticks, count = bytearray(64), [0] * 64, 0
def caught(pin):
    global count
    levels[count] = pin.value()
    ticks[count] = time.ticks_ms()
    count += 1
button.irq(caught, Pin.IRQ_FALLING | Pin.IRQ_RISING{hard})
async def tell():
    told = 0
    while True:
        await asyncio.sleep_ms(1)
        while told < count:
            print("edge", levels[told], ticks[told], "number", told)
            told += 1
print("ready")
asyncio.run(tell())
"""
LOOP = """
import asyncio
async def loop():
    while True:
        await asyncio.sleep_ms(5)
print("up")
asyncio.run(loop())
"""
PINS = {"unix": 2, "pico_w": 2, "pico": 2, "esp32": 32}
HARD = [("unix", "hard"), ("pico_w", "hard"), ("pico", "hard")]
SOFT = [("unix", "soft"), ("esp32", "soft")]


def caught(board: str) -> str:
    return CATCH.format(pin=PINS[board], hard="" if board == "esp32" else ", hard=True")


def edges(console: Console, count: int) -> list[tuple[int, int]]:
    """Return the first `count` edges as (level, ticks), once there are as many."""
    output = console.wait_output(f" number {count - 1}\n")
    found = re.findall(r"edge (\d) (\d+) number", output)
    return [(int(level), int(ticks)) for level, ticks in found[:count]]


def longest_stop(console: Console, stall_ms: int) -> Round:
    """Return the standstill of a stall, once the board has reported it; a busy machine may cause others."""

    def longest() -> Round | None:
        stop = max(console.runs()[-1].stood, key=lambda stop: stop.stood_ms, default=None)
        return stop if stop and stop.stood_ms >= stall_ms else None

    found: Round = wait_until("the stall is told", longest)
    return found


@pytest.mark.parametrize(("board", "interrupts"), HARD + SOFT)
def test_both_edges_of_a_press_are_caught(make: Callable[..., Console], board: str, interrupts: str) -> None:
    with make(caught(board), board=board, interrupts=interrupts) as console:
        console.wait_output("ready")
        console.press("yes", 30)
        (first, down), (second, up) = edges(console, 2)
        assert (first, second) == (0, 1)
        assert up > down


@pytest.mark.parametrize(("board", "interrupts"), HARD)
def test_a_hard_interrupt_runs_during_a_stall(make: Callable[..., Console], board: str, interrupts: str) -> None:
    with make(caught(board), board=board, interrupts=interrupts) as console:
        console.wait_output("ready")
        console.stall(3000)
        console.press("yes", 50)
        pressed, released = console.changes()[-2:]
        (first, down), (second, up) = edges(console, 2)
        assert (first, second) == (0, 1)
        assert released.caught_ms < longest_stop(console, 3000).ticks_ms
        assert pressed.ticks_ms <= down <= pressed.caught_ms
        assert released.ticks_ms <= up <= released.caught_ms


def test_a_main_loop_reports_its_standstills_and_that_it_goes_on(make: Callable[..., Console]) -> None:
    with make(LOOP) as console:
        console.come_round()
        run = console.runs()[-1]
        assert run.first_round
        console.stall(700)
        console.come_round()
        stood = longest_stop(console, 700)
        assert stood.stood_ms >= 700
        wait_until("it goes on", lambda: console.runs()[-1].last_round.ticks_ms > stood.ticks_ms)
        later = console.runs()[-1]
        assert run.first_round.at_s < stood.at_s < later.last_round.at_s
        assert run.first_round.ticks_ms + stood.stood_ms <= stood.ticks_ms < later.last_round.ticks_ms


def test_commands_to_a_console_that_stands_still_delay_no_press(make: Callable[..., Console]) -> None:
    with make(LOOP) as console:
        console.wait_output("up")
        console.stall(3000)
        questions = [console.heap, lambda: console.flash_files("")]
        asking = [threading.Thread(target=ask) for ask in questions]
        for thread in asking:
            thread.start()
        console.press("yes", 50)  # would be reported only after the replies
        assert all(thread.is_alive() for thread in asking)
        for thread in asking:
            thread.join()


@pytest.mark.parametrize(("board", "interrupts"), SOFT)
def test_a_soft_interrupt_comes_after_the_stall_and_sees_the_level_of_that_time(
    make: Callable[..., Console], board: str, interrupts: str
) -> None:
    with make(caught(board), board=board, interrupts=interrupts) as console:
        console.wait_output("ready")
        console.stall(3000)
        console.press("yes", 50)
        (first, down), (second, _) = edges(console, 2)
        assert (first, second) == (1, 1)
        wait_until("both are told", lambda: console.changes()[-1].caught_ms)
        pressed, released = console.changes()[-2:]
        assert pressed.ticks_ms < down <= pressed.caught_ms <= released.caught_ms
        stop = longest_stop(console, 3000)
        assert down >= stop.ticks_ms - stop.stood_ms + 3000


@pytest.mark.parametrize(("board", "interrupts"), SOFT)
def test_a_contact_before_a_jump_is_stamped_before_it(
    make: Callable[..., Console], board: str, interrupts: str
) -> None:
    with make(caught(board), board=board, interrupts=interrupts) as console:
        console.wait_output("ready")
        console.stall(300)
        console.hold("yes")
        console.step(3_600_000)
        ((_, down),) = edges(console, 1)
        assert down - console.changes()[-1].ticks_ms < 60_000


def test_the_queue_of_soft_interrupts_holds_eight(make: Callable[..., Console]) -> None:
    with make(caught("esp32"), board="esp32") as console:
        console.wait_output("ready")
        console.stall(500)
        for _ in range(6):
            console.press("yes", 5)
        edges(console, 8)
        console.press("yes", 30)
        assert [level for level, _ in edges(console, 10)] == [1] * 8 + [0, 1]


def test_each_bounce_is_a_contact(make: Callable[..., Console]) -> None:
    with make(caught("unix")) as console:
        console.wait_output("ready")
        console.bounce("yes", 40, times=3)
        assert [level for level, _ in edges(console, 14)] == [0, 1] * 3 + [0] + [1, 0] * 3 + [1]


def test_a_hard_interrupt_may_not_allocate(make: Callable[..., Console]) -> None:
    lines = """
    import time
    from machine import Pin
    kept = []
    button = Pin(2, Pin.IN, Pin.PULL_UP)
    button.irq(lambda pin: kept.append([pin] * 100), Pin.IRQ_FALLING, hard=True)
    print("ready")
    while True:
        time.sleep_ms(10)
    """
    console = make(lines, board="pico")
    console.power_on()
    console.wait_output("ready")
    with pytest.raises(FirmwareError, match="MemoryError"):
        console.hold("yes")
    console.wait_output("Uncaught exception in IRQ callback handler")


def test_disabled_interrupts_come_once_afterwards(make: Callable[..., Console]) -> None:
    with make(caught("pico_w"), board="pico_w") as console:
        console.wait_output("ready")
        console.stall(500, interrupts=False)
        console.press("yes", 20)
        console.press("yes", 20)
        assert [level for level, _ in edges(console, 1)] == [1]
        console.press("yes", 20)
        assert [level for level, _ in edges(console, 3)] == [1, 0, 1]


def test_a_button_held_at_power_on_is_seen(make: Callable[..., Console]) -> None:
    lines = "from machine import Pin\nprint('level', Pin(2, Pin.IN, Pin.PULL_UP).value())"
    console = make(lines)
    with console:
        console.wait_output("level 1")
        console.hold("yes")
    with console:
        console.wait_output("level 0")
