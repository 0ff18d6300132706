"""What a console in service says on its serial line: lines for a technician, and messages as in contract.md."""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any, NamedTuple

import serial  # type: ignore[import-untyped]  # pyserial brings no types

from bridge.ops.flash.errors import BoardGoneError
from bridge.ops.flash.ports import Port, again
from bridge.serial_port import PORT_ERRORS
from bridge.wire.serial_line import Message, line_of, message_of

BAUD = 115200
PATIENCE_S = 0.2
MEMORY_LINES = 12
_BOOT = re.compile(r"self_test: boot (\d+)")


class Said(NamedTuple):
    """A line: `text` as it stands, and of a message its leaf and what it says (else "" and None)."""

    text: str
    leaf: str
    payload: Any

    def boot(self) -> int | None:
        """The number of the boot that this line tells a technician, once the console serves."""
        found = _BOOT.match(self.text)
        return int(found[1]) if found else None


class Output:
    """The lines of the board at `port`, found again wherever its restart leads; `last` are the last ones."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.last: list[str] = []
        self._serial: serial.Serial | None = None
        self._rest = b""

    def next(self, limit_s: float) -> Said | None:
        """The next line, or None if none comes in that time; BoardGoneError if the port stays away."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                if line.strip():
                    return self._said(line.strip(b"\r"))
                continue
            self._rest += self._read()
        if self._serial is None:
            raise BoardGoneError(
                f"The board on {self.port.path} did not come back: see to its cable, and run this again."
            )
        return None

    def send(self, leaf: str, payload: dict[str, Any]) -> None:
        """Send a message to the console."""
        line = line_of(Message(leaf, json.dumps(payload).encode()))
        if self._serial is not None and line is not None:
            with contextlib.suppress(*PORT_ERRORS):  # its restart: the next line will tell
                self._serial.write(b"\n" + line)

    def close(self) -> None:
        """Let go of the port."""
        if self._serial is not None:
            with contextlib.suppress(*PORT_ERRORS):
                self._serial.close()
            self._serial = None

    def _read(self) -> bytes:
        try:
            if self._serial is None:
                self.port = again(self.port)
                self._serial = serial.Serial(self.port.path, BAUD, timeout=PATIENCE_S, write_timeout=2, exclusive=True)
            return bytes(self._serial.read(1) + self._serial.read(self._serial.in_waiting))
        except PORT_ERRORS:  # gone: it may come back
            self.close()
            self._rest = b""
            time.sleep(PATIENCE_S)
            return b""

    def _said(self, line: bytes) -> Said:
        text = line.decode("utf-8", "replace")
        self.last = [*self.last[1 - MEMORY_LINES :], text]
        message = message_of(line)
        if message is not None:
            with contextlib.suppress(ValueError):
                return Said(text, message.leaf, json.loads(message.payload))
        return Said(text, "", None)
