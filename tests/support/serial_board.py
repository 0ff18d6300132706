"""Simulate a board at a serial port whose lines the test writes itself, for what no firmware would send."""

from __future__ import annotations

import os
import select
import tty
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.support.programs import LIMIT_S, wait_until

PATIENCE_S = 3.0


class SerialBoard:
    """A board that `with` or `plug` plugs in at `port`, always the same path; lines that it receives must be valid."""

    def __init__(self, folder: Path, name: str = "port") -> None:
        self.port = folder / name
        self.heard: list[tuple[str, Any]] = []
        self._master = -1
        self._left = b""

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug(self) -> None:
        """Make the port appear."""
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self.port.symlink_to(os.ttyname(slave))
        os.close(slave)
        self._left = b""

    def unplug(self) -> None:
        """Make the port disappear."""
        if self._master >= 0:
            self.port.unlink()
            os.close(self._master)
            self._master = -1

    def is_opened(self) -> bool:
        """Return whether a program has the port open now."""
        poll = select.poll()
        poll.register(self._master, 0)
        return not poll.poll(0)

    def wait_opened(self) -> None:
        """Wait until a program has opened the port: lines sent before are lost."""
        wait_until("the port is opened", self.is_opened)
        wait_until("the line break before the first line", lambda: select.select([self._master], [], [], 0)[0])

    def say(self, leaf: str, payload: Any) -> None:
        """Send a line."""
        self.write(self.line(leaf, payload))

    @staticmethod
    def line(leaf: str, payload: Any) -> bytes:
        """Return the bytes of a line; a payload of bytes stays as it is."""
        body = leaf.encode() + b"\t" + (payload if isinstance(payload, bytes) else msgspec.json.encode(payload))
        return body + b"\t%08x\n" % zlib.crc32(body)

    def takes(self) -> bool:
        """Return whether the port takes more bytes, at once or soon: a program reads it."""
        return bool(select.select([], [self._master], [], PATIENCE_S)[1])

    def write(self, data: bytes) -> None:
        """Write bytes as fast as they are read."""
        while data:
            _, writable, _ = select.select([], [self._master], [], LIMIT_S)
            assert writable, "nobody reads the serial line"
            data = data[os.write(self._master, data) :]

    def drain(self, end: bytes) -> None:
        """Read and drop everything, until it ends with these bytes."""
        wait_until(f"it ends with {end!r}", lambda: self._read() and self._left.endswith(end))
        self._left = b""

    def _read(self) -> bool:
        with suppress(OSError):  # the program has closed the port meanwhile
            while select.select([self._master], [], [], 0)[0]:
                self._left += os.read(self._master, 4096)
        return True

    def hear(self, leaf: str) -> Any:
        """Return the payload of the last line received for this leaf; None without any."""
        self._read()
        *lines, self._left = self._left.split(b"\n")
        for line in filter(None, lines):
            body, _, crc = line.rpartition(b"\t")
            assert crc == b"%08x" % zlib.crc32(body), line
            name, _, payload = body.partition(b"\t")
            self.heard.append((name.decode(), msgspec.json.decode(payload)))
        return next((payload for name, payload in reversed(self.heard) if name == leaf), None)
