"""The board's clock: the host's, moved by the simulator. Ticks begin at 0, or at the configured value, at power-on."""

import utime
from utime import ticks_add, ticks_diff

_ESP32_EPOCH_S = 946684800  # 2000-01-01, in seconds since 1970
_RP2_START_S = 1609459200  # 2021-01-01, where an RP2040's calendar begins
_SECOND_NS = 1000000000

epoch_s = 0  # where `time` of the board's port begins, in seconds since 1970

_real_ms, _real_us = utime.ticks_ms, utime.ticks_us
_mask = ticks_add(0, -1)
_offset_ms = _offset_us = 0  # of the ticks
_moved_s = _moved_ms = 0  # how far the calendar is from the host's


def ticks_ms():
    """Return milliseconds since power-on, wrapping."""
    return ticks_add(_real_ms(), _offset_ms)


def ticks_us():
    """Return microseconds since power-on, wrapping."""
    return ticks_add(_real_us(), _offset_us)


def host_ms():
    """Return milliseconds by the host's own clock, wrapping."""
    return _real_ms()


def now_ns():
    """Return nanoseconds since 1970 by the board's calendar."""
    return utime.time_ns() + _moved_s * _SECOND_NS


def begin(board, at_ms):
    """Start the clock at power-on. A board has forgotten the date; the `unix` one has the host's."""
    global epoch_s, _offset_ms, _offset_us
    _offset_ms = _signed(at_ms, _real_ms())
    _offset_us = _signed(at_ms * 1000, _real_us())
    if board == "esp32":
        epoch_s = _ESP32_EPOCH_S
        set_calendar(_ESP32_EPOCH_S)
    elif board != "unix":
        set_calendar(_RP2_START_S)


def set_calendar(unix_s):
    """Set the date, in seconds since 1970."""
    global _moved_s
    _moved_s += unix_s - now_ns() // _SECOND_NS


def jump(ms):
    """Move ticks and calendar forward."""
    global _offset_ms, _offset_us, _moved_s, _moved_ms
    milliseconds, microseconds = ticks_ms() + ms, ticks_us() + ms * 1000
    _offset_ms = _signed(milliseconds, _real_ms())
    _offset_us = _signed(microseconds, _real_us())
    _moved_ms += ms
    _moved_s += _moved_ms // 1000
    _moved_ms %= 1000


def _signed(ticks, start):
    """Return what to add to ticks `start` to get `ticks`, within what `ticks_add` accepts."""
    return max(ticks_diff(ticks & _mask, start), -(_mask >> 1))
