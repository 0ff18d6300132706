"""Report the console's health, and feed the watchdog as long as every task is alive."""

import asyncio
import gc
import sys

from machine import WDT
from micropython import const

_SUPERVISE_MS = const(500)
_quiet = False


class Pulse:
    """The heartbeats of the tasks, and how late the main loop was. `limits_ms` is the longest pause of each task."""

    def __init__(self, clock, limits_ms):
        self._clock = clock
        self._limits_ms = limits_ms
        self._beats = {name: clock.up_ms() for name in limits_ms}
        self._lag_max_ms = 0

    def beat(self, name):
        """Note that the task is alive."""
        self._beats[name] = self._clock.up_ms()

    def late(self, lag_ms):
        """Note that the main loop came back `lag_ms` later than it should have."""
        self._lag_max_ms = max(self._lag_max_ms, lag_ms)

    def loop_lag_max_ms(self):
        """Return how late the main loop was at worst since the last call."""
        lag_ms, self._lag_max_ms = self._lag_max_ms, 0
        return lag_ms

    def is_regular(self):
        """Return whether each task had a heartbeat within its limit."""
        now_ms = self._clock.up_ms()
        return all(now_ms - self._beats[name] <= limit for name, limit in self._limits_ms.items())

    async def supervise(self, watchdog_ms):
        """Feed the watchdog as long as every task is alive; else it restarts the board."""
        watchdog = WDT(timeout=watchdog_ms)
        while True:
            if self.is_regular():
                watchdog.feed()
            await asyncio.sleep_ms(_SUPERVISE_MS)


async def figures(app):
    """Return the payload of leaf `health`. Collects garbage first, so that `heap_free` means something."""
    gc.collect()
    await asyncio.sleep_ms(0)  # as each of the two looks at the whole heap
    heap_free = gc.mem_free()
    await asyncio.sleep_ms(0)
    outbox = app.outbox  # report its epoch, even if an older one is being delivered: it is the one that counts presses
    now_ms = app.clock.up_ms()
    payload = {
        "epoch": outbox.epoch,
        "hardware_id": app.hardware_id,
        "firmware": app.firmware,
        "board": app.board.NAME,
        "boot": outbox.boot,
        "up_ms": now_ms,
        "at_ms": app.clock.at_ms(now_ms),
        "outbox": {"first": outbox.first, "next": outbox.next},
        "heap_free": heap_free,
        "rssi": app.link.rssi(),
        "loop_lag_max_ms": app.pulse.loop_lag_max_ms(),
        "settings_revision": app.table.settings.revision,
        "presses": dict(zip(app.button_names, outbox.presses)),
        "faults": app.faults(),
    }
    if "trial" in app.update:
        payload["on_trial"] = True
    return payload


def be_quiet():
    """Report nothing from now on."""
    global _quiet
    _quiet = True


def report(where, what):
    """Write a line for a technician at the serial port."""
    if _quiet:
        return
    sys.stdout.write("%s: %s\n" % (where, what if isinstance(what, str) else repr(what)))
