"""The console's figures about itself, its faults, and the supervisor behind the watchdog."""

import asyncio
import gc
import sys

from machine import WDT
from micropython import const

_SUPERVISE_MS = const(500)
_quiet = False


class Pulse:
    """The heartbeats of the tasks. `loop_lag_max_ms` is how late the loop was at worst since it was last taken."""

    def __init__(self, clock, limits_ms):
        self._clock = clock
        self._limits_ms = limits_ms  # of each task
        self._beats = {name: clock.up_ms() for name in limits_ms}
        self._lag_max_ms = 0

    def beat(self, name):
        """The task is alive."""
        self._beats[name] = self._clock.up_ms()

    def late(self, lag_ms):
        """The main loop came back so much later than it should have."""
        self._lag_max_ms = max(self._lag_max_ms, lag_ms)

    def loop_lag_max_ms(self):
        """Since this was last asked."""
        lag_ms, self._lag_max_ms = self._lag_max_ms, 0
        return lag_ms

    def is_regular(self):
        """True if each task has been heard of within its limit."""
        now_ms = self._clock.up_ms()
        return all(now_ms - self._beats[name] <= limit for name, limit in self._limits_ms.items())

    async def supervise(self, watchdog_ms):
        """Feeds the watchdog as long as every task is alive; else the board starts anew."""
        watchdog = WDT(timeout=watchdog_ms)
        while True:
            if self.is_regular():
                watchdog.feed()
            await asyncio.sleep_ms(_SUPERVISE_MS)


def figures(app):
    """The payload of leaf `health`. Collects garbage first, so that `heap_free` means something."""
    gc.collect()
    outbox = app.outbox  # its own epoch, though an older one may still be under way: presses are counted over it
    now_ms = app.clock.up_ms()
    told = {
        "epoch": outbox.epoch,
        "hardware_id": app.hardware_id,
        "firmware": app.firmware,
        "board": app.board.NAME,
        "boot": outbox.boot,
        "up_ms": now_ms,
        "at_ms": app.clock.at_ms(now_ms),
        "outbox": {"first": outbox.first, "next": outbox.next},
        "heap_free": gc.mem_free(),
        "rssi": app.link.rssi(),
        "loop_lag_max_ms": app.pulse.loop_lag_max_ms(),
        "settings_revision": app.table.settings.revision,
        "presses": dict(zip(app.button_names, outbox.presses)),
        "faults": app.faults(),
    }
    if "trial" in app.update:
        told["on_trial"] = True
    return told


def be_quiet():
    """From now on nothing is reported."""
    global _quiet
    _quiet = True


def report(where, what):
    """Writes a line for a technician who listens at the serial port."""
    if _quiet:
        return
    sys.stdout.write("%s: %s\n" % (where, what if isinstance(what, str) else repr(what)))
