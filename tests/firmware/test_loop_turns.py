"""However many events wait, a step between two turns of the loop does little, so that lamps follow a press at once."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from broker import LoginBroker, StandInBridge
from test_usb_serial import LineEnd

from simulator.console.console import Console
from tests.support.programs import wait_until

FIRMWARE = Path(__file__).parents[2] / "firmware"
METER = Path(__file__).with_name("work_meter.py")
KEY = "5a" * 32
FILL = """
from console import events
from console.outbox import Outbox
import boards.{board} as board
outbox = Outbox(board.FLASH + "/outbox", events.encode, events.decode, board.PROG_SIZE)
outbox.open()
for number in range({count}):
    fact = (events.STRAY_PRESSED, 1000 * number, events.YES, events.NO_SURVEY)
    outbox.append(events.event(fact, outbox.boot, None), events.YES)
print("filled")
"""

# The most that one step may do. An event of the longest kind takes an RP2040 4 ms, 1 KiB of a file 7 ms (5 to open it),
# 512 bytes of the serial line 2 ms, and 8 KiB of SHA-256 9 ms. A change of flash takes longer than all of these, so the
# lamps come before it: a press that fills the last slot makes three, as it merges the slots into a segment.
LIMITS = {"read": 1100, "decoded": 1, "encoded": 1, "hashed": 512, "sent": 512, "changes": 3}
SEEN = {"read", "decoded", "encoded", "hashed", "sent"}
TASKS = 8  # whose turn may have come before that of the buttons


def metered(folder: Path, console: Callable[..., Console], board: str, count: int) -> Console:
    """Return a console with this many events in its outbox, and a meter in its loop."""
    filler, firmware = folder / "filler", folder / "metered"
    shutil.copytree(FIRMWARE, filler)
    shutil.copytree(FIRMWARE, firmware)
    (filler / "main.py").write_text(FILL.format(board=board, count=count))
    (firmware / "main.py").write_text(METER.read_text() + (FIRMWARE / "main.py").read_text())
    with console(firmware=filler) as full:
        full.wait_output("filled", 120)
    return console(firmware=firmware)


def most(output: str) -> dict[str, int]:
    """Return the most that any step did."""
    found: dict[str, int] = {}
    for line in re.findall(r"METER (\{.*\})", output):
        for name, amount in json.loads(line).items():
            found[name] = max(found.get(name, 0), amount)
    return found


def check(found: dict[str, int]) -> None:
    assert {name: found.get(name, 0) for name in LIMITS if found.get(name, 0) > LIMITS[name]} == {}
    assert found.get("overtaken", 0) <= TASKS
    for name in SEEN:
        assert found[name] > 0, f"the meter saw nothing {name}"


def send_twice(bridge: StandInBridge, console: Console, count: int) -> None:
    """Let the console send four batches, press while it sends them again, and acknowledge all."""
    bridge.acknowledges = False
    console.power_on()
    wait_until("four batches", lambda: len(bridge.batches) >= 4)
    console.press("no")
    console.wifi(on=False)
    console.wifi(on=True)
    wait_until("they are sent again", lambda: len(bridge.batches) >= 8, 120)
    bridge.acknowledges = True
    bridge.acknowledge(bridge.batches[-1]["epoch"], 4 * 32)
    wait_until("all have arrived", lambda: len(bridge.of("stray_pressed")) == count + 1, 120)


def test_events_are_sent_by_radio_one_a_turn(tmp_path: Path, broker: LoginBroker, bridge: StandInBridge) -> None:
    def made(**more: Any) -> Console:
        return Console(tmp_path / "console", broker=broker.url(), key=KEY, **more)

    console = metered(tmp_path, made, "unix", 300)
    try:
        send_twice(bridge, console, 300)
        check(most(console.output()))
    finally:
        console.power_off()


@pytest.mark.parametrize("count", [20, 300])
def test_events_are_sent_by_cable_one_a_turn(tmp_path: Path, count: int) -> None:
    def made(**more: Any) -> Console:
        return Console(tmp_path / "console", board="pico", key=KEY, **more)

    console = metered(tmp_path, made, "pico", count)
    with console:
        gateway = LineEnd(console.serial_port)
        wait_until("a batch", lambda: gateway.last("events"))
        console.press("no")
        wait_until("all have arrived", lambda: gateway.last("events") and acknowledged(gateway) > count, 120)

        def told() -> dict[str, int]:
            gateway.last("events")  # hears the line
            return most(b"\n".join(gateway.broken).decode())

        wait_until("the meter has told", lambda: told().keys() >= SEEN)
        found = told()
        gateway.close()
    check(found)


def acknowledged(gateway: LineEnd) -> int:
    """Acknowledge the newest batch; return the number of its last event."""
    batch = gateway.last("events")
    gateway.acknowledge()
    return int(batch["base"]) + len(batch["events"]) - 1
