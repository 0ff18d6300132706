"""Stand in for what the firmware imports of a board: `machine`, `network`, `time`, `random`, `gc`, NTP.

The stand-ins have only what the firmware uses; anything else is an AttributeError or a TypeError.
"""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.virtual.board import VirtualPowerCycle

TICKS_PERIOD = 1 << 30


class Pin:
    """A pin; an input's level is set by `VirtualPowerCycle.press`, which calls the handler as a hard interrupt does."""

    IN, OUT, PULL_UP, IRQ_FALLING, IRQ_RISING = range(5)

    def __init__(
        self, cycle: VirtualPowerCycle, number: int, direction: int = OUT, pull: int | None = None, value: int = 1
    ) -> None:
        self._value = value
        self._cycle = cycle
        self._handler: Callable[[Pin], None] | None = None
        if direction == self.IN:
            cycle.inputs[number] = self

    def value(self, level: int | None = None) -> int | None:
        if level is None:
            return self._value
        self._value = int(level)
        return None

    def irq(self, handler: Callable[[Pin], None], trigger: int, *, hard: bool) -> None:
        self._handler = handler

    def becomes(self, level: int) -> None:
        """Close (0) or open (1) the contact."""
        if level != self._value and self._handler is not None:
            self._value = level
            self._handler(self)


class Pwm:
    def __init__(self, pin: Pin, freq: int, duty_u16: int) -> None:
        pass

    def freq(self, hertz: int) -> None:
        pass

    def duty_u16(self, duty: int) -> None:
        pass


class Uart:
    def __init__(self, port: int, baudrate: int, tx: Pin, rx: Pin) -> None:
        pass

    def write(self, data: bytes) -> None:
        pass


class Watchdog:
    def __init__(self, cycle: VirtualPowerCycle, timeout: int) -> None:
        self._cycle = cycle
        self._timeout = timeout
        self.feed()

    def feed(self) -> None:
        self._cycle.watchdog_due_ms = self._cycle.up_ms() + self._timeout


class Wlan:
    """A Wi-Fi station; it finds its network while the board's `network` is up."""

    def __init__(self, cycle: VirtualPowerCycle, _interface: int) -> None:
        self._cycle = cycle
        self._joins_at_ms: int | None = None

    def active(self, is_on: bool) -> None:  # noqa: FBT001 - MicroPython's signature
        pass

    def connect(self, ssid: str, password: str) -> None:
        self._joins_at_ms = self._cycle.up_ms() + self._cycle.chance.choice((300, 900, 2500))

    def disconnect(self) -> None:
        self._joins_at_ms = None

    def isconnected(self) -> bool:
        if not self._cycle.board.network.is_up:
            return False
        return self._joins_at_ms is not None and self._cycle.up_ms() >= self._joins_at_ms

    def ifconfig(self) -> tuple[str, ...]:
        return "10.0.0.2", "255.255.255.0", "10.0.0.1", "10.0.0.1"

    def status(self, what: str = "") -> int:
        return {"rssi": -60, "": 0}[what]


class Udp:
    """A stand-in for `console.udp`, which returns a right or wrong time, or no answer."""

    LeaveAlone = TimeoutError

    def __init__(self, cycle: VirtualPowerCycle) -> None:
        self._cycle = cycle

    async def ntp(self, address: str, up_ms: Callable[[], int]) -> tuple[int, int]:
        asked_ms = up_ms()
        network = self._cycle.board.network
        answers = network.is_up and self._cycle.board.ntp_error_ms is not None
        await self._cycle.loop.sleep_ms(30 if answers else 2000)
        if not answers:
            raise OSError("no answer")
        return self._cycle.board.wall_ms() + self._cycle.board.ntp_error_ms, (asked_ms + up_ms()) // 2


def stand_ins(cycle: VirtualPowerCycle) -> dict[str, Any]:
    """Return the stand-ins by module name."""
    start = cycle.ticks_start
    chance = random.Random(cycle.chance.getrandbits(32))

    def ticks_ms() -> int:
        return (start + cycle.timeline.now_ms - cycle.began_ms) % TICKS_PERIOD

    def ticks_diff(end: int, begin: int) -> int:
        return (end - begin + TICKS_PERIOD // 2) % TICKS_PERIOD - TICKS_PERIOD // 2

    machine = SimpleNamespace(
        Pin=_pin_class(cycle),
        PWM=Pwm,
        UART=Uart,
        WDT=lambda timeout: Watchdog(cycle, timeout),
        unique_id=lambda: bytes.fromhex(cycle.board.hardware_id),
        reset=cycle.on_reset,
    )
    return {
        "asyncio": cycle.loop,
        "gc": SimpleNamespace(collect=lambda: None, mem_free=lambda: 100000),
        "machine": machine,
        "network": SimpleNamespace(WLAN=lambda interface: Wlan(cycle, interface), STA_IF=0, STAT_CONNECTING=1),
        "os": cycle.board.flash,
        "random": SimpleNamespace(seed=chance.seed, getrandbits=chance.getrandbits),
        "stdout": SimpleNamespace(write=cycle.on_output),
        "time": SimpleNamespace(ticks_ms=ticks_ms, ticks_diff=ticks_diff),
        "console.mqtt": SimpleNamespace(Mqtt=cycle.transport),
        "console.udp": Udp(cycle),
    }


def _pin_class(cycle: VirtualPowerCycle) -> Any:
    def pin(number: int, direction: int = Pin.OUT, pull: int | None = None, value: int = 1) -> Pin:
        return Pin(cycle, number, direction, pull, value)

    for name in ("IN", "OUT", "PULL_UP", "IRQ_FALLING", "IRQ_RISING"):
        setattr(pin, name, getattr(Pin, name))
    return pin
