"""Keep two clocks: milliseconds since this start, and UTC once NTP or the bridge has given it.

`time.ticks_ms` wraps: on a 32-bit board after 12.4 days, with differences valid up to 6.2. So `Clock` counts from a
mark that it moves along. The tick functions are arguments, so that tests can bring their own.
"""

from micropython import const

from console.events import BRIDGE, CLOCK_SET, NTP

_UTC_MIN_S = const(1577836800)  # 2020
UTC_MAX_S = const(4102444800)  # 2100
_MARK_EVERY_MS = const(1 << 27)  # 1.5 days
_BRIDGE_STEP_MIN_MS = const(2000)  # an ack takes time to arrive: a smaller difference means nothing
_NTP_STEP_MIN_MS = const(50)  # saves an event an hour that would only show the network's jitter
_NTP_TO_UNIX_S = const(2208988800)  # 1900 to 1970
_NTP_ERA_S = const(1 << 32)
_UNIX_TO_2000_S = const(946684800)
_YEAR_2000 = const(2000)


class Clock:
    """The console's clocks. `ticks_ms` and `ticks_diff` are those of the port's module `time`; up_ms begins at 0."""

    def __init__(self, ticks_ms, ticks_diff):
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._mark = (0, ticks_ms())  # (up_ms, ticks) of one moment: one object, so an interrupt never sees half of it
        self._utc_minus_up = None
        self.source = None  # NTP, BRIDGE, or None while the time is not known

    def up_ms(self):
        """Return milliseconds since the start: monotonic, never wraps. Call it at least once in four days."""
        ticks = self._ticks_ms()
        up_ms = self.up_ms_of(ticks)
        if up_ms - self._mark[0] > _MARK_EVERY_MS:
            self._mark = (up_ms, ticks)
        return up_ms

    def up_ms_of(self, ticks):
        """Return the up_ms of the moment, at most some days ago, at which `ticks_ms` returned `ticks`."""
        up_ms, mark = self._mark
        return up_ms + self._ticks_diff(ticks, mark)

    def at_ms(self, up_ms):
        """Return UTC in ms since 1970 at the moment `up_ms`, or None while the time is not known."""
        return None if self._utc_minus_up is None else up_ms + self._utc_minus_up

    def set(self, utc_ms, source, up_ms):
        """Set the clock to `utc_ms`, which it was at `up_ms`, from `source` (NTP or BRIDGE).

        Returns the fact `clock_set`, or None if nothing changes: once NTP has set the clock in a boot the bridge does
        not, small differences are ignored, and so is a time outside 2020 to 2100.
        """
        if not _UTC_MIN_S <= utc_ms // 1000 <= UTC_MAX_S:
            return None
        old_ms = self.at_ms(up_ms)
        step_ms = None if old_ms is None else utc_ms - old_ms
        if source == BRIDGE:
            if self.source == NTP or (step_ms is not None and abs(step_ms) <= _BRIDGE_STEP_MIN_MS):
                return None
        elif self.source == NTP and step_ms is not None and abs(step_ms) < _NTP_STEP_MIN_MS:
            return None
        self._utc_minus_up = utc_ms - up_ms
        self.source = source
        return (CLOCK_SET, up_ms, source, step_ms)


def ntp_utc_ms(seconds, fraction):
    """Return UTC in ms since 1970 of an NTP time stamp (two 32-bit numbers). Small ones are of the era from 2036 on."""
    if seconds < _NTP_ERA_S >> 1:
        seconds += _NTP_ERA_S
    return (seconds - _NTP_TO_UNIX_S) * 1000 + (fraction * 1000 >> 32)


def port_seconds(utc_ms, gmtime):
    """Return whole seconds since the port's own epoch (ESP32 counts from 2000), as `time.time` does."""
    return utc_ms // 1000 - (_UNIX_TO_2000_S if gmtime(0)[0] == _YEAR_2000 else 0)
