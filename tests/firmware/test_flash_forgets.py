"""Damage takes LittleFS back to an older state: no number is used twice, and all thanked answers arrive."""

from pathlib import Path

import pytest
from at_once import read_batch
from broker import LoginBroker, StandInBridge
from console import events
from console.outbox import Outbox

from simulator.console.console import Console
from tests.support.programs import wait_until


def thanked(console: Console) -> None:
    """Answer a survey and wait for the thanks."""
    console.press("seller")
    console.wait_lamp("no")
    console.press("yes")
    console.wait_lamp("no", on=False)
    console.wait_lamp("yes", on=False)  # thanks are over


def answered(console: Console, bridge: StandInBridge, count: int) -> None:
    """Answer a survey and wait for the thanks; then the bridge has `count` answers."""
    thanked(console)
    wait_until(f"{count} answers have come", lambda: len(bridge.of("survey_closed")) == count)


@pytest.mark.parametrize("prog_size", [32, 256])
def test_flash_that_went_back_uses_no_number_twice(
    broker: LoginBroker, bridge: StandInBridge, prog_size: int, tmp_path: Path
) -> None:
    console = Console(tmp_path / "console", broker=broker.url(), prog_size=prog_size)
    flash = console.folder / "flash.bin"
    with console:
        answered(console, bridge, 1)
    older = flash.read_bytes()
    with console:
        answered(console, bridge, 2)
        answered(console, bridge, 3)
    flash.write_bytes(older)
    console.wifi(on=False)
    with console:
        thanked(console)  # before the bridge tells that its numbers are used: that would end the open survey
        console.wifi(on=True)
        wait_until("it has arrived", lambda: len(bridge.of("survey_closed")) == 4)
        answered(console, bridge, 5)
        wait_until("the fault is reported", lambda: "flash" in bridge.last("health")["faults"] or console.step(61_000))
    assert len({epoch for epoch, _ in bridge.events}) == 2


def stray(boot: int, up_ms: int) -> dict[str, object]:
    return events.event((events.STRAY_PRESSED, up_ms, events.YES, events.NO_SURVEY), boot, None)


def opened(folder: Path) -> Outbox:
    outbox = Outbox(str(folder / "outbox"), events.encode, events.decode)
    outbox.open()
    return outbox


def test_events_in_doubt_move_into_a_new_epoch(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for up_ms in range(20):
        outbox.append(stray(1, up_ms))
    outbox.acknowledge(outbox.epoch, 20)
    for _ in range(2):  # the second start follows one without a link
        outbox = opened(tmp_path)
        old = outbox.epoch
        assert outbox.doubt == 21
        number = outbox.append(events.event((events.SURVEY_OPENED, 5, "staff", 1), outbox.boot, None))
        fact = (events.SURVEY_CLOSED, 9, True, 5, "staff", 1, events.YES, events.ANSWERED)
        outbox.append(events.event(fact, outbox.boot, None, number), events.YES)
    assert outbox.acknowledge(old, 23)  # the bridge had numbers that this flash does not know
    assert outbox.epoch != old
    assert outbox.fault
    assert outbox.delivery() == (outbox.epoch, 1, 5)
    assert outbox.presses == [2, 0, 0, 0]
    _, found = read_batch(outbox, 1)
    assert [(event["boot"], event.get("survey")) for event in found] == [(2, None), (2, 1), (3, None), (3, 3)]
    assert outbox.append(stray(3, 10)) == 5
    again = opened(tmp_path)
    assert (again.epoch, again.next, again.doubt) == (outbox.epoch, 6, 6)
    assert read_batch(again, 1)[1][:4] == found


def test_what_the_bridge_confirms_is_no_longer_in_doubt(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.append(stray(1, 1))
    outbox = opened(tmp_path)
    outbox.append(stray(2, 1))
    outbox.acknowledge(outbox.epoch, 1)
    assert outbox.doubt == 0
    again = opened(tmp_path)
    assert (again.epoch, again.doubt, again.delivery()[1:]) == (outbox.epoch, 3, (2, 3))
