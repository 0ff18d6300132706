"""A serial port, opened for one board: what arrives, and what waits to be written. Nothing here blocks."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

import serial  # type: ignore[import-untyped]  # pyserial brings no types

from bridge.serial_port import PORT_ERRORS, error_number

# Of no meaning on USB but one: the RP2040 takes 1200 as the wish to be flashed.
BAUD = 115_200
READ_BYTES = 4096
WAITING_BYTES_MAX = 65_536

CAUSES = {
    errno.ENOENT: "the port is not there: waiting for the board to be plugged in",
    errno.EIO: "the board is gone: waiting for it to be plugged in",
    errno.ENODEV: "the board is gone: waiting for it to be plugged in",
    errno.ENXIO: "the board is gone: waiting for it to be plugged in",
    errno.EACCES: "the port may not be opened: add the gateway's user to the port's group, mostly dialout",
    errno.EPERM: "the port may not be opened: add the gateway's user to the port's group, mostly dialout",
    errno.EAGAIN: "another program has the port: end mpremote, the terminal or the other gateway",
    errno.EBUSY: "another program has the port: end mpremote, the terminal or the other gateway",
}
OTHER_CAUSE = "the port cannot be opened: see whether it is a board's"


class PortError(Exception):
    """The port cannot be opened, or its board is gone; `str()` says what to see to, `cause` is the system's word."""

    def __init__(self, sentence: str, cause: object = None) -> None:
        super().__init__(sentence)
        self.cause = cause


class SilentError(PortError):
    """Nothing that checks has been heard for long: others may have the port."""


class Tty:
    """The port at `path`, open until `close`; raises PortError.

    DTR is raised, by which a board knows that somebody listens; nothing is sent that could stop its program.
    """

    def __init__(self, path: str) -> None:
        try:
            self._port = serial.Serial(path, BAUD, timeout=0, write_timeout=0, exclusive=True)
        except PORT_ERRORS as error:
            number = error_number(error)
            raise PortError(CAUSES.get(number, OTHER_CAUSE), os.strerror(number) if number else error) from error
        # Whoever had the port before may have been cut off within a line.
        self._waiting = bytearray(b"\n")
        self._moved_s = time.monotonic()

    def fileno(self) -> int:
        """For poll."""
        return int(self._port.fileno())

    def read(self) -> bytes:
        """What has arrived; to be called when there is something. Raises PortError if the board is gone."""
        try:
            return bytes(self._port.read(READ_BYTES))
        except PORT_ERRORS as error:
            raise PortError("the board is gone") from error

    def put(self, line: bytes) -> None:
        """Keep for `flush`."""
        if not self._waiting:
            self._moved_s = time.monotonic()
        self._waiting += line

    def is_waiting(self) -> bool:
        """Whether there is something to `flush`."""
        return bool(self._waiting)

    def has_room(self) -> bool:
        """Whether more may be put."""
        return len(self._waiting) < WAITING_BYTES_MAX

    def stuck_s(self) -> float:
        """For how long the board has taken nothing of what waits, in seconds."""
        return time.monotonic() - self._moved_s if self._waiting else 0.0

    def flush(self) -> None:
        """Write as much as goes out; to be called when something does. Raises PortError if the board is gone."""
        try:
            count = self._port.write(self._waiting)
        except PORT_ERRORS as error:
            raise PortError("the board is gone") from error
        if count:
            del self._waiting[:count]
            self._moved_s = time.monotonic()

    def forget(self) -> int:
        """Give up what waits for a board that takes nothing; how many lines that were."""
        lines = len(self._waiting.strip().splitlines())
        self._waiting = bytearray(b"\n")  # what was begun must not spoil what comes next
        self._moved_s = time.monotonic()
        return lines

    def close(self) -> None:
        """Let go of it, without waiting for a board that takes nothing."""
        with suppress(*PORT_ERRORS):
            self._port.reset_output_buffer()
        self._port.close()


def is_port(path: str) -> bool:
    """Whether this can be a serial port, or become one: a file or folder cannot."""
    found = Path(path)
    return not found.exists() or found.is_char_device()
