"""`time` as the board's port has it; the simulator lets it jump (`_jump`). Ticks begin at 0 when power comes."""

import utime as _real
import wires as _wires
from utime import sleep, sleep_ms, sleep_us, ticks_add, ticks_cpu, ticks_diff

_ESP32_EPOCH_S = 946684800  # 2000-01-01, in seconds since 1970
_RP2_START_S = 1609459200  # 2021-01-01, where an RP2040's clock begins

_ticks_ms, _ticks_us = _real.ticks_ms, _real.ticks_us
_mask = ticks_add(0, -1)

_epoch_s = _ESP32_EPOCH_S if _wires.board == "esp32" else 0
_offset_ms = _offset_us = 0
_offset_s = 0  # what has been stepped, and set by the RTC, seconds
_left_ms = 0  # stepped, but not yet a whole second


def ticks_ms():
    """Milliseconds since power came (or as the test began), wrapping."""
    return ticks_add(_ticks_ms(), _offset_ms)


def ticks_us():
    """Microseconds since power came, wrapping."""
    return ticks_add(_ticks_us(), _offset_us)


def _now_ns():
    return _real.time_ns() + _offset_s * 1000000000


def time():
    """Seconds since the port's epoch."""
    return _now_ns() // 1000000000 - _epoch_s


def time_ns():
    """Nanoseconds since the port's epoch."""
    return _now_ns() - _epoch_s * 1000000000


def gmtime(seconds=None):
    """Year, month, day, hour, minute, second, weekday, day of year."""
    return tuple(_real.gmtime((time() if seconds is None else seconds) + _epoch_s)[:8])


localtime = gmtime


def mktime(when):
    """Seconds since the port's epoch of such a tuple."""
    return int(_real.mktime(tuple(when[:8]) + (0,) * (9 - len(when[:8])))) - _epoch_s


def _begin(at_ms):
    global _offset_ms, _offset_us
    _offset_ms = _signed(at_ms, _ticks_ms())
    _offset_us = _signed(at_ms * 1000, _ticks_us())
    if _wires.rp2:
        _set(_RP2_START_S)
    elif _wires.board == "esp32":
        _set(_ESP32_EPOCH_S)


def _set(unix_s):
    global _offset_s
    _offset_s += unix_s - _now_ns() // 1000000000


def _signed(ticks, start):
    offset = ticks_diff(ticks & _mask, start)
    return max(offset, -(_mask >> 1))


def _jump(ms):
    global _offset_ms, _offset_us, _offset_s, _left_ms
    milliseconds, microseconds = ticks_ms() + ms, ticks_us() + ms * 1000
    _offset_ms = _signed(milliseconds, _ticks_ms())
    _offset_us = _signed(microseconds, _ticks_us())
    _left_ms += ms
    _offset_s += _left_ms // 1000
    _left_ms %= 1000
