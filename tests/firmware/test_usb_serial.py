"""A board without radio sends and receives over its serial line."""

import time
from pathlib import Path

import pytest
from line_end import LineEnd

from simulator.console.console import Console
from tests.support.programs import wait_until


def test_events_are_sent_and_acknowledgements_received(tmp_path: Path) -> None:
    with Console(tmp_path / "console", board="pico") as console:
        gateway = LineEnd(console.serial_port)
        wait_until("the first batch", lambda: gateway.last("events"))
        assert gateway.messages[0] == (
            "hello",
            {"site_id": "demo", "console_id": "till-1", "hardware_id": console.hardware_id},
        )
        gateway.write(b"\x03noise\tthat does not check\n")  # Ctrl-C does not stop it
        gateway.acknowledge()
        wait_until("it knows the time", lambda: gateway.last("events")["events"][0]["type"] == "clock_set")
        gateway.acknowledge()
        gateway.send("command", {"id": "m", "command": "maintenance", "expires_at_ms": int(time.time() * 1000) + 60000})
        assert wait_until("the reply", lambda: gateway.last("reply")) == {"id": "m", "ok": True}
        wait_until("it restarts", lambda: console.resets)
        assert not gateway.broken
        gateway.close()


@pytest.mark.long
def test_the_sellers_lamp_blinks_until_somebody_answers(tmp_path: Path) -> None:
    with Console(tmp_path / "console", board="pico") as console:
        console.wait_lamp("seller", on=True, timeout_s=60)
        gateway = LineEnd(console.serial_port)
        wait_until("the first batch", lambda: gateway.last("events"))
        gateway.acknowledge()
        hellos = gateway.count("hello")
        wait_until("a whole turn of blinking is over", lambda: gateway.count("hello") > hellos)
        before = len(console.changes())
        for _ in range(2):
            healths = gateway.count("health")
            console.step(61_000)
            wait_until("it sent its health", lambda healths=healths: gateway.count("health") > healths)
        assert not console.changes()[before:]
        gateway.close()


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    with Console(tmp_path / "console", board="pico") as console:
        gateway = LineEnd(console.serial_port)
        wait_until("the first line", lambda: gateway.last("hello"))

        def is_cut() -> list[bytes]:
            for _ in range(60):  # it has more to send than the port holds, and gives up
                console.step(61_000)
            gateway.last("hello")
            return gateway.broken

        wait_until("a line is cut", is_cut)
        hellos = gateway.count("hello")
        wait_until("it says hello again", lambda: gateway.count("hello") > hellos + 1)
        assert not [line for line in gateway.broken if b"hello" in line[1:]]
        gateway.close()
