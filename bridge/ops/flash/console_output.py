"""Read what a running console writes to its serial line: text for a technician, and messages (schema/README.md)."""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any, NamedTuple

import serial  # type: ignore[import-untyped]  # pyserial brings no types

from bridge.ops.flash.errors import BoardGoneError
from bridge.ops.flash.ports import Port, find_again
from bridge.serial_port import PORT_ERRORS
from bridge.wire.serial_line import Message, decode_line, encode_line

BAUD = 115200
POLL_S = 0.2
LINES_KEPT = 12
_BOOT = re.compile(r"self_test: boot (\d+)")


class OutputLine(NamedTuple):
    """A line: its `text`, and if it is a message, its leaf and decoded payload (else "" and None)."""

    text: str
    leaf: str
    payload: Any

    def boot(self) -> int | None:
        """Return the number of the boot if this line reports that the console serves, else None."""
        match = _BOOT.match(self.text)
        return int(match[1]) if match else None


class ConsoleOutput:
    """The lines from the board at `port`, which is found again after a restart; `last_lines` are the latest."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.last_lines: list[str] = []
        self._serial: serial.Serial | None = None
        self._buffer = b""

    def next_line(self, limit_s: float) -> OutputLine | None:
        """Return the next line, or None after `limit_s` without one. Raises BoardGoneError if the port stays away."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                if line.strip():
                    return self._parse(line.strip(b"\r"))
                continue
            self._buffer += self._read()
        if self._serial is None:
            raise BoardGoneError(
                f"The board on {self.port.path} did not come back: check its cable, and run this again."
            )
        return None

    def send(self, leaf: str, payload: dict[str, Any]) -> None:
        """Send a message to the console."""
        line = encode_line(Message(leaf, json.dumps(payload).encode()))
        if self._serial is not None and line is not None:
            with contextlib.suppress(*PORT_ERRORS):  # it restarts: the next line will show
                self._serial.write(b"\n" + line)

    def close(self) -> None:
        """Close the port."""
        if self._serial is not None:
            with contextlib.suppress(*PORT_ERRORS):
                self._serial.close()
            self._serial = None

    def _read(self) -> bytes:
        try:
            if self._serial is None:
                self.port = find_again(self.port)
                self._serial = serial.Serial(self.port.path, BAUD, timeout=POLL_S, write_timeout=2, exclusive=True)
            return bytes(self._serial.read(1) + self._serial.read(self._serial.in_waiting))
        except PORT_ERRORS:  # the board is gone; it may come back
            self.close()
            self._buffer = b""
            time.sleep(POLL_S)
            return b""

    def _parse(self, line: bytes) -> OutputLine:
        text = line.decode("utf-8", "replace")
        self.last_lines = [*self.last_lines[1 - LINES_KEPT :], text]
        message = decode_line(line)
        if message is not None:
            with contextlib.suppress(ValueError):
                return OutputLine(text, message.leaf, json.loads(message.payload))
        return OutputLine(text, "", None)
