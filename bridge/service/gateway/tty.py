"""Read and write a board's serial port without ever blocking."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress

import serial  # type: ignore[import-untyped]  # pyserial brings no types

from bridge.serial_port import CAN_WAIT_FOR_PORTS, PORT_ERRORS, error_number

# USB ignores the rate, with one exception: the RP2040 takes 1200 as a request to be flashed.
BAUD = 115_200
READ_BYTES = 4096
UNSENT_BYTES_MAX = 65_536
# Where nothing tells that a port accepts bytes, they are written in pieces, each of which is waited for.
WRITE_LIMIT_S, PIECE_BYTES = (0, UNSENT_BYTES_MAX) if CAN_WAIT_FOR_PORTS else (0.05, 256)

CAUSES = {
    errno.ENOENT: "the port is not there: waiting for the board to be plugged in",
    errno.EIO: "the board is gone: waiting for it to be plugged in",
    errno.ENODEV: "the board is gone: waiting for it to be plugged in",
    errno.ENXIO: "the board is gone: waiting for it to be plugged in",
    errno.EACCES: "the port may not be opened: add the gateway's user to the port's group, usually dialout",
    errno.EPERM: "the port may not be opened: add the gateway's user to the port's group, usually dialout",
    errno.EAGAIN: "another program has the port: end mpremote, the terminal or the other gateway",
    errno.EBUSY: "another program has the port: end mpremote, the terminal or the other gateway",
}
OTHER_CAUSE = "the port cannot be opened: check that it belongs to a board"


class PortError(Exception):
    """The port cannot be opened, or its board is gone; `str()` says what to do, `cause` is the system's own message."""

    def __init__(self, sentence: str, cause: object = None) -> None:
        super().__init__(sentence)
        self.cause = cause


class SilentError(PortError):
    """No valid line has arrived for a long time: other programs may have the port."""


class Tty:
    """A serial port, open until `close`; the constructor raises PortError.

    DTR is raised, which tells a board that somebody is listening; nothing is sent that could stop its program.
    """

    def __init__(self, path: str) -> None:
        try:
            self._port = serial.Serial(path, BAUD, timeout=0, write_timeout=WRITE_LIMIT_S, exclusive=True)
        except PORT_ERRORS as error:
            number = error_number(error)
            raise PortError(CAUSES.get(number, OTHER_CAUSE), os.strerror(number) if number else error) from error
        # The program that had the port before may have been cut off within a line.
        self._unsent = bytearray(b"\n")
        self._progress_s = time.monotonic()

    def fileno(self) -> int:
        """Return the file descriptor for poll."""
        return int(self._port.fileno())

    def has_arrived(self) -> bool:
        """Return whether there is something to `read`. Raises PortError if the board is gone."""
        try:
            return bool(self._port.in_waiting)
        except PORT_ERRORS as error:
            raise PortError("the board is gone") from error

    def read(self) -> bytes:
        """Return what has arrived; call this when there is something. Raises PortError if the board is gone."""
        try:
            return bytes(self._port.read(READ_BYTES))
        except PORT_ERRORS as error:
            raise PortError("the board is gone") from error

    def enqueue(self, line: bytes) -> None:
        """Buffer a line until `flush`."""
        if not self._unsent:
            self._progress_s = time.monotonic()
        self._unsent += line

    def has_unsent(self) -> bool:
        """Return whether there is something to `flush`."""
        return bool(self._unsent)

    def has_room(self) -> bool:
        """Return whether more may be enqueued."""
        return len(self._unsent) < UNSENT_BYTES_MAX

    def stuck_s(self) -> float:
        """Return for how many seconds the board has accepted nothing of what is waiting."""
        return time.monotonic() - self._progress_s if self._unsent else 0.0

    def flush(self) -> None:
        """Write as much as the port accepts; call this when it accepts some. Raises PortError if the board is gone."""
        try:
            count = self._port.write(self._unsent[:PIECE_BYTES])
        except serial.SerialTimeoutException:
            return  # a part may have been written: the board finds that line damaged, and is sent it again
        except PORT_ERRORS as error:
            raise PortError("the board is gone") from error
        if count:
            del self._unsent[:count]
            self._progress_s = time.monotonic()

    def discard(self) -> int:
        """Discard what is waiting for a board that accepts nothing; return the number of lines."""
        lines = len(self._unsent.strip().splitlines())
        self._unsent = bytearray(b"\n")  # ends a line that was written in part, so that it does not spoil the next
        self._progress_s = time.monotonic()
        return lines

    def close(self) -> None:
        """Close the port without waiting for a board that accepts nothing."""
        with suppress(*PORT_ERRORS):
            self._port.reset_output_buffer()
        self._port.close()
