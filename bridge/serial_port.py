"""Say what a serial port is, on each system, and name the errors that pyserial raises when its board is unplugged."""

from __future__ import annotations

import errno
import re
import select
import struct
from pathlib import Path

from bridge.system import TERMINAL_ERRORS

PORT_ERRORS: tuple[type[Exception], ...] = (OSError, *TERMINAL_ERRORS, struct.error, TypeError)
"""OSError from nearly every call; termios.error where a port's settings and buffers are touched, as when it is opened;
struct.error and TypeError where pyserial works on with what a vanished port left it."""

CAN_WAIT_FOR_PORTS = hasattr(select, "poll")
"""Whether the system can wait for a port and a connection together; Windows can wait for connections only."""

_NUMBER_IN_TEXT = re.compile(r"Error\((\d+), ")  # as pyserial tells what Windows says


def error_number(error: BaseException) -> int:
    """Return the system's number (see errno) of one of these errors, or 0 if it has none."""
    first = error.args[0] if error.args else 0
    if isinstance(first, int):
        return first
    found = _NUMBER_IN_TEXT.search(str(error))
    number = int(found[1]) if found else 0
    return errno.EBUSY if number == errno.EACCES else number  # Windows denies access where another program has the port


def is_port(path: str) -> bool:
    """Return whether this can be a serial port, or become one: a file or folder cannot."""
    device = Path(path)
    try:
        return not device.exists() or device.is_char_device()
    except OSError:
        return True  # COM5, while another program has it


def is_plugged_in(path: str) -> bool:
    """Return whether the port is plugged in: as a device in a folder, or by its name in the system's list of ports."""
    from serial.tools.list_ports import comports  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to load

    try:
        if Path(path).exists():
            return True
    except OSError:
        pass
    return any(port.device.casefold() == path.casefold() for port in comports())
