"""Damage that takes LittleFS back to an older state: no number is given twice, and what was thanked for arrives."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from broker import Bridge, Broker
from console import events
from console.outbox import Outbox

from simulator.console import Console
from tests.support.programs import wait_until

POWER_ONS = 8
ANSWERS = 3
THANKS_HZ = 1568
FLASH_BYTES = 848 * 1024


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def bridge(broker: Broker) -> Iterator[Bridge]:
    made = Bridge(broker)  # it fails where a number comes again with other content
    yield made
    made.close()


def turn_a_bit(flash: Path, chance: random.Random) -> None:
    data = bytearray(flash.read_bytes())
    used = [place for place in range(FLASH_BYTES) if data[place] != 0xFF]
    data[chance.choice(used)] ^= 1 << chance.randrange(8)
    flash.write_bytes(data)


def figures(bridge: Bridge) -> tuple[int, int, int]:
    """How many starts, stray presses and answers the bridge has."""
    answers = sum(event["cause"] == "answered" for event in bridge.of("survey_closed"))
    return len(bridge.of("booted")), len(bridge.of("stray_pressed")), answers


def has(bridge: Bridge, expected: tuple[int, int, int]) -> bool:
    return figures(bridge) == expected


@pytest.mark.parametrize("prog_size", [32, 256])
def test_a_flipped_bit_gives_no_number_twice(broker: Broker, bridge: Bridge, prog_size: int, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    console = Console(tmp_path / "console", broker=broker.url(), prog_size=prog_size)
    flash = console.folder / "flash.bin"
    for _ in range(POWER_ONS):
        before = flash.read_bytes() if flash.exists() else b""
        starts, strays, answers = figures(bridge)
        try:
            console.power_on()
        except Exception:  # it mounts no more
            flash.write_bytes(before)
            continue
        try:
            console.press("no")  # often before the link is up
            wait_until(f"the start is told, seed {seed}", partial(has, bridge, (starts + 1, strays + 1, answers)))
            for _ in range(ANSWERS):
                console.press("seller")
                console.wait_lamp("yes")
                console.press("yes")
                console.wait_lamp("yes")
                console.wait_lamp("no", on=False)
            answers += sum(sound.hertz == THANKS_HZ for sound in console.sounds())
            wait_until(f"all that was thanked, seed {seed}", partial(has, bridge, (starts + 1, strays + 1, answers)))
        finally:
            console.power_off()
        turn_a_bit(flash, chance)


def stray(boot: int, up_ms: int) -> dict[str, object]:
    return events.event((events.STRAY_PRESSED, up_ms, events.YES, events.NO_SURVEY), boot, None)


def opened(folder: Path) -> Outbox:
    outbox = Outbox(str(folder / "outbox"), events.encode, events.decode)
    outbox.open()
    return outbox


def test_what_is_in_doubt_goes_into_a_new_epoch(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for up_ms in range(20):
        outbox.append(stray(1, up_ms))
    outbox.acknowledge(outbox.epoch, 20)
    for _ in range(2):  # a start without a link between
        outbox = opened(tmp_path)
        old = outbox.epoch
        assert outbox.doubt == 21
        number = outbox.append(events.event((events.SURVEY_OPENED, 5, "staff", 1), outbox.boot, None))
        fact = (events.SURVEY_CLOSED, 9, True, 5, "staff", 1, events.YES, events.ANSWERED)
        outbox.append(events.event(fact, outbox.boot, None, number), events.YES)
    assert outbox.acknowledge(old, 23)  # the bridge had numbers that this flash knows nothing of
    assert outbox.epoch != old
    assert outbox.fault
    assert outbox.delivery() == (outbox.epoch, 1, 5)
    assert outbox.presses == [2, 0, 0, 0]
    _, found = outbox.batch(1)
    assert [(event["boot"], event.get("survey")) for event in found] == [(2, None), (2, 1), (3, None), (3, 3)]
    assert outbox.append(stray(3, 10)) == 5
    again = opened(tmp_path)
    assert (again.epoch, again.next, again.doubt) == (outbox.epoch, 6, 6)
    assert again.batch(1)[1][:4] == found


def test_what_the_bridge_confirms_is_doubted_no_more(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.append(stray(1, 1))
    outbox = opened(tmp_path)
    outbox.append(stray(2, 1))
    outbox.acknowledge(outbox.epoch, 1)
    assert outbox.doubt == 0
    again = opened(tmp_path)
    assert (again.epoch, again.doubt, again.delivery()[1:]) == (outbox.epoch, 3, (2, 3))
