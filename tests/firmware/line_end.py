"""The host's end of the serial line of a board without radio."""

import json
import os
import select
import time
import zlib
from typing import Any


class LineEnd:
    """The host's end of the line. `messages` are those received, in order; `broken` are damaged lines."""

    def __init__(self, path: str) -> None:
        self._port = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self._data = b""
        self.messages: list[tuple[str, Any]] = []
        self.broken: list[bytes] = []

    def close(self) -> None:
        os.close(self._port)

    def last(self, leaf: str) -> Any:
        while select.select([self._port], [], [], 0)[0]:
            self._data += os.read(self._port, 4096)
        *lines, self._data = self._data.split(b"\n")
        for line in filter(None, lines):
            body, _, crc = line.rstrip(b"\r").rpartition(b"\t")
            if crc == b"%08x" % zlib.crc32(body):
                name, _, payload = body.partition(b"\t")
                self.messages.append((name.decode(), json.loads(payload)))
            else:
                self.broken.append(line)
        return next((payload for name, payload in reversed(self.messages) if name == leaf), None)

    def count(self, leaf: str) -> int:
        self.last(leaf)
        return sum(name == leaf for name, _ in self.messages)

    def send(self, leaf: str, payload: Any) -> None:
        body = f"{leaf}\t{json.dumps(payload)}".encode()
        self.write(body + b"\t%08x\n" % zlib.crc32(body))

    def write(self, data: bytes) -> None:
        os.write(self._port, data)

    def acknowledge(self) -> None:
        batch = self.last("events")
        through = batch["base"] + len(batch["events"]) - 1
        self.send("ack", {"epoch": batch["epoch"], "through": through, "at_ms": int(time.time() * 1000)})
