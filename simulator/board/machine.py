"""`machine` as the board's port has it: what the port lacks is missing here, and what it refuses is refused."""

import struct
import sys

import asyncio_queue
import clockwork
import pins
import utime
import wires
from pins import Pin, disable_irq, enable_irq  # noqa: F401
from sounds import PWM, UART, Esp32PWM  # noqa: F401
from umachine import Signal, idle  # noqa: F401

PWRON_RESET, WDT_RESET = 1, 3
if not wires.rp2:
    HARD_RESET, DEEPSLEEP_RESET, SOFT_RESET = 2, 4, 5
if wires.board == "esp32":
    PWM = Esp32PWM

_RP2_LONGEST_MS = 8388
_ITIMER_REAL = 0
QUIET_LOOKS = 3
_setitimer = wires.libc.func("i", "setitimer", "ipp")
_causes = {"power_on": 1, "hard": 2, "watchdog": 3, "soft": 5}


def reset_cause():
    """Return why this boot began. On an RP2040 the watchdog does all resets, so each counts as the watchdog's."""
    cause = _causes[wires.config["reset"]]
    if wires.rp2 and cause != PWRON_RESET:
        return WDT_RESET
    return cause


def reset():
    """Restart the board, as the reset button does."""
    wires.end(wires.RESET)


def soft_reset():
    """Restart the interpreter."""
    wires.end(wires.SOFT_RESET)


def unique_id():
    """Return six bytes on ESP32 (its MAC), eight on RP2040."""
    return bytes.fromhex(wires.config["hardware_id"])


def freq():
    """Return the processor's frequency in hertz."""
    return 125000000 if wires.rp2 else 160000000


class WDT:
    """A watchdog that ends the process when it runs out, whatever that is doing; the next boot knows the reason."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("no such watchdog")
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        if wires.rp2 and timeout > _RP2_LONGEST_MS:
            raise ValueError("WDT timeout too long")
        # The kernel's own timer, whose signal ends the process, needs nothing of MicroPython.
        self._time = struct.pack("llll", 0, 0, timeout // 1000, timeout % 1000 * 1000)
        self._old_time = bytearray(len(self._time))
        self.feed()

    def feed(self):
        """Restart its time."""
        _setitimer(_ITIMER_REAL, self._time, self._old_time)


if wires.board != "unix":

    class RTC:
        """The board's calendar; lost when power goes."""

        def __init__(self, id=0):
            if id != 0:
                raise ValueError("no such RTC")

        def datetime(self, when=None):
            """Return year, month, day, weekday, hour, minute, second, subsecond; or sets them, if given."""
            if when is None:
                now = utime.gmtime(clockwork.now_ns() // 1000000000)
                return now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0
            year, month, day, _, hour, minute, second, _ = when
            clockwork.set_calendar(int(utime.mktime((year, month, day, hour, minute, second, 0, 0, 0))))
            return None


@wires.command
def _step(ms):
    """Let the clock jump, and wait until the main loop has done all that is due by then.

    Interrupts of earlier contacts run before the jump: no real interrupt is late by the length of a jump.
    """
    limit = utime.ticks_add(utime.ticks_ms(), 20000)
    while not pins.settled() and utime.ticks_diff(limit, utime.ticks_ms()) > 0:
        utime.sleep_ms(1)
    clockwork.jump(ms)
    core = sys.modules.get("asyncio.core")
    before, quiet = asyncio_queue.pops, 0
    while core and quiet < QUIET_LOOKS:
        utime.sleep_ms(2)
        first, pops = core._task_queue.first, asyncio_queue.pops  # noqa: SLF001
        due = first and utime.ticks_diff(first.ph_key, clockwork.ticks_ms()) <= 0
        quiet = quiet + 1 if pops != before and not due else 0
        if utime.ticks_diff(limit, utime.ticks_ms()) < 0:
            raise RuntimeError("the main loop makes no progress")
    return clockwork.ticks_ms()
