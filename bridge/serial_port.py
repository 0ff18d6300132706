"""Names the errors that pyserial raises when the board behind a port goes, in whichever call that falls."""

from __future__ import annotations

import struct
import termios

PORT_ERRORS = (OSError, termios.error, struct.error, TypeError)
"""OSError nearly everywhere; termios.error where settings and buffers of a port are touched, as in opening it;
struct.error and TypeError where pyserial goes on with what such a port left it."""


def error_number(error: BaseException) -> int:
    """The system's number of such an error (see errno), or 0."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0
