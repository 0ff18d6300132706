"""A survey ends with the epoch in which it was opened: it is not closed, its answers are stray, nothing is lost."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from broker import LoginBroker, StandInBridge

from simulator.console.console import Console
from tests.support.programs import wait_until

FIRMWARE = Path(__file__).parents[2] / "firmware"
FAILING = """
import os
import flash

write = flash.Flash._write

def failing(self, *arguments):
    try:
        os.stat({trigger!r})
    except OSError:
        return write(self, *arguments)
    raise OSError(5)

flash.Flash._write = failing
from console.app import run

run()
"""


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """Firmware on a flash that can't be written any more once the file `failing` exists beside it."""
    folder = shutil.copytree(FIRMWARE, tmp_path / "firmware")
    (folder / "main.py").write_text(FAILING.format(trigger=str(tmp_path / "failing")))
    return folder


def events_in(bridge: StandInBridge, epoch: str) -> list[Any]:
    """Return the epoch's events in order, without `clock_set`: each one's type, and its outcome or reason."""
    events = [event for (other, _), event in sorted(bridge.events.copy().items()) if other == epoch]
    words = [(event["type"], event.get("outcome") or event.get("reason")) for event in events]
    return [word for word in words if word[0] != "clock_set"]


def later_epoch(bridge: StandInBridge, first: str) -> Any:
    epochs = dict.fromkeys(epoch for epoch, _ in bridge.events.copy())
    return next((epoch for epoch in epochs if epoch != first and events_in(bridge, epoch)), None)


def test_an_acknowledgement_of_what_never_was_ends_the_survey(
    broker: LoginBroker, bridge: StandInBridge, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_until("it is up", lambda: bridge.of("booted"))
        console.press("seller")
        wait_until("the survey has opened", lambda: bridge.of("survey_opened"))
        first = bridge.batches[0]["epoch"]
        bridge.acknowledge(first, 1000)
        wait_until("another epoch", lambda: bridge.last("status")["epoch"] != first)
        console.press("yes")
        second = wait_until("an event of it", lambda: later_epoch(bridge, first))
        console.wait_lamp("yes", on=False)
        console.press("seller")
        console.wait_lamp("no")
        console.press("no")
        expected = [("stray_pressed", "no_survey"), ("survey_opened", None), ("survey_closed", "no")]
        wait_until("the next survey", lambda: events_in(bridge, second) == expected)
        assert not any(name == "survey_closed" for name, _ in events_in(bridge, first))


def test_a_failing_flash_ends_the_survey(
    broker: LoginBroker, bridge: StandInBridge, failing: Path, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", broker=broker.url(), firmware=failing) as console:
        wait_until("it is up", lambda: bridge.of("booted"))
        first = bridge.batches[0]["epoch"]
        console.press("seller")
        console.wait_lamp("no")
        (tmp_path / "failing").touch()
        console.press("no")
        second = wait_until("an event of another epoch", lambda: later_epoch(bridge, first))
        assert events_in(bridge, second) == [("stray_pressed", "no_survey")]
        assert not any(name == "survey_closed" for name, _ in events_in(bridge, first))


def test_what_a_failing_flash_holds_is_delivered(
    broker: LoginBroker, bridge: StandInBridge, failing: Path, tmp_path: Path
) -> None:
    with Console(tmp_path / "console", broker=broker.url(), firmware=failing) as console:
        wait_until("it is up", lambda: bridge.of("booted"))
        first = bridge.batches[0]["epoch"]
        console.wifi(on=False)
        wait_until("it is offline", lambda: bridge.last("status")["state"] == "offline")
        for button in ("no", "yes"):
            console.press("seller")
            console.wait_lamp("cant_say")
            console.press(button)
            console.wait_lamp("cant_say", on=False)
            (tmp_path / "failing").touch()
            console.wait_lamp(button, on=False)
        console.wifi(on=True)
        second = wait_until("an event of another epoch", lambda: later_epoch(bridge, first))
        wait_until(
            "its survey", lambda: events_in(bridge, second) == [("survey_opened", None), ("survey_closed", "yes")]
        )
        assert events_in(bridge, first)[-2:] == [("survey_opened", None), ("survey_closed", "no")]
        wait_until("the fault is reported", lambda: "flash" in bridge.last("health")["faults"])
        assert "locked" not in console.output()


def test_a_technician_reads_boot_and_epoch(broker: LoginBroker, bridge: StandInBridge, tmp_path: Path) -> None:
    with Console(tmp_path / "console", broker=broker.url()) as console:
        wait_until("it is up", lambda: bridge.of("booted"))
        first = bridge.batches[0]["epoch"]
        assert f"boot: 1, epoch {first}, outbox 1 to 1\n" in console.output()
        console.power_off()
        console.power_on()
        wait_until("it is up again", lambda: len(bridge.of("booted")) == 2)
        assert f"boot: 2, epoch {first}, outbox " in console.output()
        bridge.acknowledge(first, 1000)
        wait_until("another epoch", lambda: bridge.last("status")["epoch"] != first)
        console.wait_output(f"boot: 2, epoch {bridge.last('status')['epoch']}, outbox ")
