"""Tell what happened at an emulated board, in the words of the checker that `make chaos` uses too."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from tests.chaos.checker import check
from tests.chaos.observations import (
    ANSWERS,
    Counters,
    Observations,
    ObservedPowerCycle,
    ObservedPress,
    PressRules,
    Thanks,
)
from tests.chip.chip_shop import CONSOLE, SITE, ChipShop
from tests.chip.emulated_pico import EmulatedPico, Event
from tests.support import facts

AWAKE_MS = 1500  # its firmware has started by then
THANKS_MS = 1200  # a single answer's lamp that is lit for this long gives thanks: at a mere press it is lit for 300 ms
SURE_AFTER_MS = 1500  # an event is in flash by then
HARDWARE_ID = "e6616408435c7a2f"  # the emulator's flash chip has this number


def differences(shop: ChipShop, rules: PressRules) -> list[str]:
    """Return a sentence for everything in which the bridge's database differs from what was pressed.

    All must be delivered.
    """
    health = shop.last_health()
    counters = Counters(health["outbox"]["next"], health["presses"])
    epoch = (SITE, CONSOLE, health["epoch"])
    observations = Observations(
        power_cycles=tuple(power_cycles(shop.pico, set(facts.events(shop.database, "boot")))),
        rules={(SITE, CONSOLE): dict.fromkeys(range(1, 1000), rules)},
        counters={epoch: counters},
    )
    return _check(shop.database, observations)


def _check(database: Path, observations: Observations) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return check(connection, observations, time.time_ns() // 1_000_000)


def power_cycles(pico: EmulatedPico, stored_boots: set[int]) -> list[ObservedPowerCycle]:
    """Return the power cycles of a board, with its presses; a reset begins one too.

    In those before, at the technician's desk, nobody pressed anything. A cycle that power cut short has the number that
    the console said; if it said none, it has the next one of those stored that no other cycle has.
    """
    starts = [index for index, event in enumerate(pico.events) if event["event"] == "start"]
    ends = [*starts[1:], len(pico.events)]
    output_ends = [*(pico.events[index]["output_before"] for index in starts[1:]), None]
    output = (pico.folder / "output.txt").read_bytes()
    said = [
        _boot_said(output[pico.events[begin]["output_before"] : output_end])
        for begin, output_end in zip(starts, output_ends, strict=True)
    ]
    unsaid = sorted(stored_boots - {boot for boot in said if boot})
    first = min(boot for boot in said if boot)
    desk = [ObservedPowerCycle(SITE, CONSOLE, HARDWARE_ID, boot, 0, ()) for boot in unsaid if boot < first]
    later = iter([boot for boot in unsaid if boot > first])
    boots = [boot or next(later, None) for boot in said]
    pieces = [pico.events[begin:end] for begin, end in zip(starts, ends, strict=True)]
    return [*desk, *(_power_cycle(events, boot) for events, boot in zip(pieces, boots, strict=True))]


def _boot_said(output: bytes) -> int | None:
    """Return the number of a start, as the console says in each health message; None if it said none."""
    found = re.findall(rb'^health\t.*?"boot": ?(\d+)', output, re.MULTILINE)
    return int(found[-1]) if found else None


def _power_cycle(events: list[Event], boot: int | None) -> ObservedPowerCycle:
    begun = events[0]["at"]
    ended = next((event["at"] for event in events if event["event"] in {"off", "reset"}), None)
    lamps = [event for event in events if event["event"] == "lamp" and event["name"] in ANSWERS]
    return ObservedPowerCycle(
        site_id=SITE,
        console_id=CONSOLE,
        hardware_id=HARDWARE_ID,
        boot=boot,
        ended_ms=None if ended is None else round(ended - begun),
        awake_ms=AWAKE_MS,
        thanks=tuple(_thanks(lamps, begun)),
        presses=tuple(_presses([event for event in events if event["event"] == "button"], begun, ended)),
    )


def _presses(changes: list[Event], begun: float, ended: float | None) -> Iterator[ObservedPress]:
    """Yield the presses of a power cycle, from the changes of its buttons; a press that a reset cuts ends there."""
    for number, change in enumerate(changes):
        if not change["on"]:
            continue
        releases = [other["at"] for other in changes[number + 1 :] if other["name"] == change["name"]]
        released = releases[0] if releases else ended or change["at"]
        yield ObservedPress(
            change["name"],
            contact_ms=round(change["at"] - begun),
            held_ms=round(released - change["at"]),
            sure=ended is None or ended - released > SURE_AFTER_MS,
        )


def _thanks(changes: list[Event], begun: float) -> Iterator[Thanks]:
    """Yield when a single answer's lamp was lit for long, from the changes of the answers' lamps."""
    lit: set[str] = set()
    for change, following in pairwise(changes):
        lit ^= {change["name"]}
        if len(lit) == 1 and following["at"] - change["at"] >= THANKS_MS:
            yield Thanks(min(lit), round(change["at"] - begun))
