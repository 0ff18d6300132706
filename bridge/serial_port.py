"""Name the errors that pyserial raises when the board behind a port is unplugged, whichever call hits it first."""

from __future__ import annotations

import struct

from bridge.system import TERMINAL_ERRORS

PORT_ERRORS: tuple[type[Exception], ...] = (OSError, *TERMINAL_ERRORS, struct.error, TypeError)
"""OSError from nearly every call; termios.error where a port's settings and buffers are touched, as when it is opened;
struct.error and TypeError where pyserial works on with what a vanished port left it."""


def error_number(error: BaseException) -> int:
    """Return the system's number (see errno) of one of these errors, or 0 if it has none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0
