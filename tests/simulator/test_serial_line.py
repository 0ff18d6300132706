"""The cable of a simulated board without radio: pulled, disturbed, or not read by anybody."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from simulator import Console, ConsoleError
from tests.support.programs import wait_until

ECHO = """
import sys
import time
time.sleep_ms(0)
while True:
    sys.stdout.buffer.write(sys.stdin.buffer.readline())
"""
TALK = """
import time
number = 0
while True:
    number += 1
    print("line", number, "x" * 100)
    time.sleep_ms(1)
"""


def test_a_pulled_cable_removes_the_port_and_leaves_the_board_running(make: Callable[..., Console]) -> None:
    with make(ECHO, board="pico") as console:
        for word in (b"before\n", b"after\n"):
            with serial.Serial(console.serial_port, timeout=60) as port:
                port.write(word)
                assert port.readline() == word
                console.cable.pull()
                assert not Path(console.serial_port).exists()
                with pytest.raises(OSError, match=r"device disconnected|Input/output error"):
                    port.read(1)
            console.cable.plug()
        assert console.powered
        assert not console.resets


def test_the_port_comes_and_goes_with_the_power_under_one_name(make: Callable[..., Console]) -> None:
    console = make(ECHO, board="pico")
    for _ in range(2):
        with console, serial.Serial(console.serial_port, timeout=60) as port:
            port.write(b"here\n")
            assert port.readline() == b"here\n"
        assert not Path(console.serial_port).exists()
    console.cable.pull()
    with console:
        assert not Path(console.serial_port).exists()
        console.cable.plug()
        assert Path(console.serial_port).is_char_device()


def test_a_host_that_does_not_read_makes_the_board_wait_until_it_leaves(
    make: Callable[..., Console],
) -> None:
    with make(TALK, board="pico") as console:
        console.wait_output("line 1000 ")  # nobody has opened it
        with serial.Serial(console.serial_port) as port:
            sizes = [len(console.output())]

            def stands_still() -> bool:
                sizes.append(len(console.output()))
                return len(sizes) > 50 and len(set(sizes[-50:])) == 1

            wait_until("the board waits", stands_still)
            port.read(20_000)
            wait_until("it goes on", lambda: len(console.output()) > sizes[-1])
        size = len(console.output())
        wait_until("nobody holds it up", lambda: len(console.output()) > size + 50_000)


@pytest.mark.parametrize("rate", [0.0, 0.01, 1.0])
def test_noise_changes_its_share_of_bytes(make: Callable[..., Console], rate: float) -> None:
    said = bytes(random.Random(1).choices(range(32, 127), k=4000)) + b"\n"
    with make(ECHO, board="pico") as console, serial.Serial(console.serial_port, timeout=60) as port:
        port.write(b"\n")
        assert port.readline() == b"\n"
        written = len(console.output())
        port.write(said)
        wait_until("it has said it", lambda: len(console.output()) > written)
        assert port.read(len(said)) == said
        console.cable.disturb(rate, seed=7)
        port.write(said + b"\n" * 400)
        heard = port.read(len(said))
        changed = sum(one != other for one, other in zip(heard, said, strict=True))
        assert (changed == 0) == (rate == 0)
        assert changed > 0.9 * len(said) if rate == 1 else changed <= 400


def test_a_board_with_radio_has_no_cable(make: Callable[..., Console]) -> None:
    with pytest.raises(ConsoleError, match="no serial line"):
        _ = make(ECHO, board="pico_w").cable
