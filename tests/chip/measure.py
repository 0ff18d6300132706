"""Measure a console on the emulated chip, in the chip's time."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import dataclass

from tests.chip.chip_shop import ChipShop
from tests.chip.emulated_pico import EmulatedPico
from tests.support import facts

ANSWERS = ("yes", "no", "cant_say")
HELD_MS = 80
PRESS_EVERY_MS = 650  # a pressed lamp is dark again before its button's next turn
JITTER_MS = 90  # so that presses fall anywhere between two turns of the loop
RESENDS_MS = 25_000  # the console sends again after 10 s
DRAIN_PRESSES = 5  # between two looks at the database
BOOT_PRESS_EVERY_MS = 25
BOOT_LIMIT_MS = 5000


@dataclass(frozen=True)
class Delays:
    """From first contact to lamp, in ms."""

    all: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.all)

    @property
    def worst(self) -> float:
        """The longest one."""
        return max(self.all)

    def __str__(self) -> str:
        """Return median and worst, or how many lamps stayed dark."""
        dark = self.all.count(math.inf)
        worst = f"{dark} of {len(self.all)} lamps stayed dark" if dark else f"worst {self.worst:.0f} ms"
        return f"median {self.median:.0f} ms, {worst}"


def press_to_lamp(pico: EmulatedPico, presses: int, chance: random.Random) -> Delays:
    """Press answer buttons in turn, with no survey open; return how long each waits for its lamp.

    That a flash operation delays it is not counted; a lamp that stays dark counts as an infinite delay.
    """
    plan = [
        (ANSWERS[number % 3], 20 + number * PRESS_EVERY_MS + chance.uniform(0, JITTER_MS), HELD_MS)
        for number in range(presses)
    ]
    begun = pico.press(*plan)
    pico.let_pass(PRESS_EVERY_MS * 2)  # for the lamp of a press that was felt late
    delays = []
    for name, after_ms, _ in plan:
        contact = begun + after_ms
        lit = pico.lit(name, since=contact)
        if lit is None or lit - contact > PRESS_EVERY_MS:  # the lamp of this button's next press
            delays.append(math.inf)
        else:
            delays.append(lit - contact - _erasing_ms(pico, contact, lit))
    return Delays(tuple(delays))


def _erasing_ms(pico: EmulatedPico, begin: float, end: float) -> float:
    """Return for how long of this time the flash was erasing, so that the chip could do nothing else."""
    erasing = [(event["at"], event["at"] + event["ms"]) for event in pico.events if event["event"] == "erase"]
    return float(sum(max(0.0, min(end, until) - max(begin, at)) for at, until in erasing))


def boot_to_buttons(pico: EmulatedPico) -> float:
    """Plug the console in; return how many ms pass until a press is answered by a lamp."""
    pico.power_on()
    begun = pico.now()
    count = BOOT_LIMIT_MS // BOOT_PRESS_EVERY_MS
    steps = [(pico.buttons["yes"], number * BOOT_PRESS_EVERY_MS) for number in range(count)]
    pico.do("buttons", steps=[[at_ms + level * 15, pin, bool(level)] for pin, at_ms in steps for level in (0, 1)])
    return pico.wait_lamp("yes", since=begun) - begun


def cpu_share(pico: EmulatedPico, ms: float) -> float:
    """Return the share of the processor that is in use during that time."""
    before = pico.figures()
    pico.let_pass(ms)
    after = pico.figures()
    return (after["cpuMs"] - before["cpuMs"]) / (after["now"] - before["now"])


@dataclass(frozen=True)
class Backlog:
    """How a console kept up while events waited on it: its lamps, its longest turn of the loop, how long it took."""

    delays: Delays
    longest_turn_ms: int
    took_s: float


def resend(shop: ChipShop, chance: random.Random) -> Backlog:
    """Press while a console with waiting events sends them again and again, as no bridge answers."""
    shop.bridge.end()
    shop.start_console()
    begun, heard = shop.pico.now(), len(shop.healths())
    delays = press_to_lamp(shop.pico, int(RESENDS_MS / PRESS_EVERY_MS), chance)
    return Backlog(delays, _longest_turn_ms(shop, heard), (shop.pico.now() - begun) / 1000)


def drain(shop: ChipShop, events: int, chance: random.Random) -> Backlog:
    """Press while a console delivers that many waiting events; it takes from power-on until the bridge has them."""
    begun, stored_before = shop.pico.now(), facts.stored(shop.database)
    shop.start_console()
    heard = len(shop.healths())
    delays: list[float] = []
    while facts.stored(shop.database) - stored_before < events:
        delays += press_to_lamp(shop.pico, DRAIN_PRESSES, chance).all
    took_s = (shop.pico.now() - begun) / 1000
    return Backlog(Delays(tuple(delays)), _longest_turn_ms(shop, heard), took_s)


def _longest_turn_ms(shop: ChipShop, heard: int) -> int:
    """Return the longest turn that the console's loop has taken since the next of that many health messages.

    The first one after a start tells of the start too.
    """
    shop.wait_heartbeat()
    return max(int(health["loop_lag_max_ms"]) for health in shop.healths()[heard + 1 :])
