"""Power that goes during a flash operation, and flash that another file fills."""

from collections.abc import Callable

import pytest

from simulator import Console, ConsoleError
from simulator.console.console_json import operations_of
from tests.support.programs import wait_until

WRITER = """
import asyncio
import machine, os
async def main():
    number = 0
    print("up", machine.reset_cause(), os.listdir())
    while True:
        number += 1
        try:
            with open("counter", "w") as file:
                file.write("%d" % number)
        except OSError as error:
            print("no", error.errno)
        await asyncio.sleep_ms(10)
asyncio.run(main())
"""
TURNS = """
import asyncio
async def turn():
    count = 0
    while True:
        count += 1
        print("turn", count)
        await asyncio.sleep_ms(1)
asyncio.run(turn())
"""
Maker = Callable[..., Console]


@pytest.mark.parametrize("share", [0.5, -0.5])
@pytest.mark.parametrize("board", ["unix", "pico_w", "pico"])
def test_power_goes_during_an_operation(make: Maker, board: str, share: float) -> None:
    with make(WRITER, board=board) as console:
        console.wait_output("up 1")
        console.cut_power_at(25, share)
        wait_until("power goes", lambda: not console.powered)
        assert console.resets == []
        with pytest.raises(ConsoleError, match="not powered"):
            console.press("yes")
        console.power_on()
        wait_until("it starts again", lambda: console.output().count("up 1") == 2)
        before = console.flash_counts()
        wait_until("no other cut comes", lambda: sum(console.flash_counts()) > sum(before) + 30)


def test_a_cut_happens_at_its_operation_and_no_other(make: Maker) -> None:
    with make(WRITER) as console:
        console.wait_output("up 1")
    before = operations_of(console.flash)
    console.cut_power_at(7)
    console.power_on()
    wait_until("power goes", lambda: not console.powered)
    assert operations_of(console.flash) == before + 7


def test_a_planned_cut_survives_a_reset(make: Maker) -> None:
    reset = "number += 1\n        if number == 40 and machine.reset_cause() == 1:\n            machine.reset()\n"
    with make(WRITER.replace("number += 1\n", reset)) as console:
        console.wait_output("up 1")
        console.cut_power_at(400)
        wait_until("power goes", lambda: not console.powered)
        assert console.resets == ["hard"]


def test_a_cut_before_the_firmware_begins(make: Maker) -> None:
    console = make(WRITER)
    console.cut_power_at(1)
    console.power_on()
    wait_until("power goes", lambda: not console.powered)
    console.power_on()
    console.wait_output("up 1")


def test_the_firmware_goes_on_while_flash_is_filled(make: Maker) -> None:
    with make(TURNS) as console:
        console.wait_output("turn 1\n")
        before = len(console.output())
        console.fill_flash(2)
        assert console.output()[before:].count("turn") > 10
        console.free_flash()
        console.free_flash()  # it is deleted already


def test_a_full_flash_stays_full_until_it_is_freed(make: Maker) -> None:
    lines = WRITER.replace("file.write(", "file.write(20000 * 'x' + ")
    with make(lines) as console:
        console.wait_output("up 1")
        console.fill_flash(2)
        console.wait_output("no 28")
        console.power_off()
        console.power_on()
        wait_until("it is full still", lambda: "no 28" in console.output().rpartition("up 1")[2])
        console.free_flash()
        said = len(console.output())
        before = sum(console.flash_counts())
        wait_until("it writes", lambda: sum(console.flash_counts()) > before + 1000)
        assert console.output()[said:].count("no 28") <= 1
