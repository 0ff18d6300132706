"""Thirty busy days of a console with a small board's heap, in virtual time: no memory, time or event is lost."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from mini_broker import MiniBroker

from simulator.console.console import Console
from tests.support.cuts import EVERY
from tests.support.programs import wait_until
from tests.support.seeds import seeded

DAYS = 30
DAY_MS = 24 * 3600 * 1000
HEAP_KB = 100
GROWTH_MAX = 2000  # bytes; work in progress takes some hundreds, and names of modules loaded when needed stay
LATE_MAX_MS = 10_000  # the clock is read from the last heartbeat
WRAP_MS = 1 << 30  # of a 32-bit board's ticks
BURSTS, SURVEYS = 6 if EVERY else 3, 8
ANSWERS = ("yes", "no", "cant_say")
CHUNK = 60

Plan = list[tuple[int, str | None, bool]]


def pressed(after_ms: int, button: str, held_ms: int = 120) -> Plan:
    return [(after_ms, button, True), (held_ms, button, False)]


class Seller:
    """Plans presses at random, and counts those that must be reported."""

    def __init__(self, chance: random.Random) -> None:
        self.random = chance
        self.presses: Counter[str] = Counter()

    def burst(self) -> Plan:
        """Plan customers one after the other, quickly."""
        return [entry for _ in range(SURVEYS) for entry in self.customer()]

    def customer(self) -> Plan:
        kind = self.random.choices(("answers", "silent", "superseded", "force_majeure", "stray"), (12, 3, 3, 1, 2))[0]
        button = self.random.choice(ANSWERS)
        if kind == "stray":
            self.presses[button] += 1
            return pressed(3000, button)
        self.presses["seller"] += 1
        if kind == "force_majeure":
            return pressed(3000, "seller", 2000)
        plan = pressed(3000, "seller")
        if kind == "answers":
            self.presses[button] += 1
            plan += pressed(self.random.randrange(1500, 18_000), button, self.random.randrange(60, 400))
            if self.random.random() < 0.1:
                self.presses[button] += 1
                plan += pressed(1000, button)
        return [*plan, (25_000 if kind == "silent" else 1500, None, False)]


class Month:
    """The console's month, and how much time has passed in it."""

    def __init__(self, console: Console, broker: MiniBroker, seller: Seller) -> None:
        self.console, self.broker, self.seller = console, broker, seller
        self.began = time.monotonic()
        self.jumped_ms = 0

    def elapsed_ms(self) -> float:
        return self.jumped_ms + (time.monotonic() - self.began) * 1000

    def live(self, plan: Plan) -> None:
        for at in range(0, len(plan), CHUNK):
            self.jumped_ms += self.console.hurry(plan[at : at + CHUNK])

    def day(self, number: int) -> None:
        end_ms = (number + 1) * DAY_MS
        outage = self.seller.random.randrange(BURSTS) if number % 3 == 1 else None
        for burst in range(BURSTS):
            if burst == outage:
                self.console.wifi(on=False)
            self.live([(self.seller.random.randrange(1200_000, 4_000_000), None, False), *self.seller.burst()])
            if outage is not None and burst == min(outage + 3, BURSTS - 1):
                self.console.wifi(on=True)
        self.live([(int(end_ms - self.elapsed_ms()), None, False)])
        self.live([(15_000, None, False)] * 5)  # a heartbeat, and time to deliver

    def check(self) -> int:
        """Check that all events came and that the console's clock is right; return its live heap."""
        wait_until("all is acknowledged", self.is_settled)
        late_ms = self.elapsed_ms() - self.broker.health["up_ms"]
        assert -1000 <= late_ms <= LATE_MAX_MS
        assert self.broker.health["presses"] == {name: self.seller.presses[name] for name in (*ANSWERS, "seller")}
        return self.console.heap()

    def is_settled(self) -> bool:
        health = self.broker.health
        outbox = health.get("outbox", {"first": 0, "next": 1})
        if outbox["first"] == outbox["next"] and self.elapsed_ms() - health["up_ms"] <= LATE_MAX_MS:
            return True
        self.live([(4000, None, False)])
        return False


@pytest.fixture
def broker() -> Iterator[MiniBroker]:
    made = MiniBroker()
    yield made
    made.close()


def small_heap(firmware: Path, folder: Path) -> int:
    """Return the heap (kB) of which the stand-ins for hardware leave the firmware as much as a board has."""
    with Console(folder, architecture="i386", firmware=firmware) as console:
        return console.stand_ins_heap() // 1000 + HEAP_KB


@pytest.mark.long
@pytest.mark.parametrize("ticks_ms", [WRAP_MS - 6 * 3600 * 1000])
def test_thirty_days(ticks_ms: int, broker: MiniBroker, compiled_firmware: Path, tmp_path: Path) -> None:
    with Console(
        tmp_path / "console",
        architecture="i386",
        firmware=compiled_firmware,
        broker=f"mqtt://127.0.0.1:{broker.port}",
        heap_kb=small_heap(compiled_firmware, tmp_path / "probe"),
        ticks_ms=ticks_ms,
    ) as console:
        month = Month(console, broker, Seller(seeded("thirty days")))
        heaps = []
        for number in range(DAYS):
            month.day(number)
            heaps.append(month.check())
    assert min(heaps[-3:]) <= max(heaps[:3]) + GROWTH_MAX, heaps
    assert not broker.errors
    assert console.resets == []
    assert "MemoryError" not in console.output()
    assert not broker.bridge.conflicts
    assert broker.bridge.holes() == 0
    events = list(broker.bridge.events.values())
    assert {event["boot"] for event in events} == {1}
    reported = Counter(event["button"] for event in events if event["type"] == "stray_pressed")
    reported += Counter(event["outcome"] for event in events if event.get("cause") == "answered")
    reported["seller"] += sum(event["type"] in {"survey_opened", "force_majeure_declared"} for event in events)
    assert reported == month.seller.presses
