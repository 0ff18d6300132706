"""`time` as the board's port has it."""

import clockwork
import utime
import wires
from clockwork import ticks_ms, ticks_us  # noqa: F401
from utime import sleep_us, ticks_add, ticks_cpu, ticks_diff  # noqa: F401


def sleep(seconds):
    """Wait; the simulator learns that the firmware has started."""
    wires.at_work()
    utime.sleep(seconds)


def sleep_ms(ms):
    """Wait; the simulator learns that the firmware has started."""
    wires.at_work()
    utime.sleep_ms(ms)


def time():
    """Return seconds since the port's epoch."""
    return clockwork.now_ns() // 1000000000 - clockwork.epoch_s


def time_ns():
    """Return nanoseconds since the port's epoch."""
    return clockwork.now_ns() - clockwork.epoch_s * 1000000000


def gmtime(seconds=None):
    """Return year, month, day, hour, minute, second, weekday, day of year."""
    return tuple(utime.gmtime((time() if seconds is None else seconds) + clockwork.epoch_s)[:8])


localtime = gmtime


def mktime(when):
    """Return the seconds since the port's epoch of such a tuple."""
    year, month, day, hour, minute, second = when[:6]
    return int(utime.mktime((year, month, day, hour, minute, second, 0, 0, 0))) - clockwork.epoch_s
