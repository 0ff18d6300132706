"""What the console's outbox holds in flash, online or not: its files, read by the firmware's own modules.

`outbox.py` of the firmware says how they lie there. Nothing is asked of the outbox itself, which notices nothing.
"""

import shutil
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.bench.journal import Entry, Journal
from simulator.console import Console
from simulator.errors import ConsoleError
from simulator.firmware_modules import Firmware

FOLDER = "outbox"
LOOK_S = 0.1


@dataclass(frozen=True)
class Part:
    """What a file of the outbox holds: its place in their order, epoch, the number that its header says is through."""

    turn: int
    epoch: str
    through: int | None
    next: int
    events: list[tuple[int, dict[str, Any]]]


class Kept:
    """Looks until `close`, whenever flash was written, and writes into the journal what is new.

    `kept`: an event is in flash (epoch, seq, event; `old` if it was there before the bench began).
    `outbox`: the epoch in use, the number that the next event gets, the lowest that flash holds, those that wait.

    Args:
        console: the console as it is now.
        journal: where it is told, and where acknowledgements are heard of.
        mirror: a folder for copies of the outbox's files; what is there goes.
    """

    def __init__(self, console: Callable[[], Console], journal: Journal, mirror: Path) -> None:
        self._console, self._journal, self._mirror = console, journal, mirror
        self._firmware = Firmware()
        self._parts: dict[str, Part | None] = {}
        self._sizes: dict[str, int] = {}
        self._programs = -1
        self._told: dict[str, int] | None = None  # by epoch the highest number told; None before the first look
        self._through: dict[str, int] = {}  # by epoch, as the bridge says
        self._range: dict[str, Any] | None = None
        self._due, self._ended = threading.Event(), threading.Event()
        shutil.rmtree(mirror, ignore_errors=True)
        mirror.mkdir(parents=True)
        journal.listen(self._heard)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def range(self) -> dict[str, Any] | None:
        """The newest `outbox`; None before there is one."""
        return self._range

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._due.set()
        self._thread.join(1)

    def _heard(self, entry: Entry) -> None:
        if entry.kind != "wire" or entry.facts["leaf"] != "ack" or not isinstance(entry.facts["payload"], dict):
            return
        epoch, through = entry.facts["payload"].get("epoch"), entry.facts["payload"].get("through")
        if isinstance(epoch, str) and isinstance(through, int):
            self._through[epoch] = through
            self._due.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._due.wait(LOOK_S)
            self._due.clear()
            if self._console().powered:
                with suppress(ConsoleError):  # it has just gone, or stands still
                    self._look()

    def _look(self) -> None:
        console = self._console()
        programs = console.flash_counts()[1]
        if programs != self._programs:
            sizes = console.flash_files(FOLDER)
            for name in [*self._sizes]:
                if name not in sizes:
                    del self._sizes[name], self._parts[name]
            for name, size in sizes.items():
                if self._sizes.get(name) != size:
                    self._read(console, name)
            self._follow_ring(console)
            self._programs = programs
            self._tell_events()
        self._tell_range()

    def _follow_ring(self, console: Console) -> None:
        """A slot that was written anew may be as long as it was; it is the next one in the ring then."""
        slots = sum(name.isdigit() for name in self._sizes)
        while slots:
            newest = max((part.turn for part in self._in_order()), default=0)
            name = str((newest + 1) % slots)
            self._read(console, name)
            part = self._parts[name]
            if part is None or part.turn <= newest:
                return

    def _read(self, console: Console, name: str) -> None:
        content = console.flash_file(f"{FOLDER}/{name}")
        self._sizes[name] = -1 if content is None else len(content)
        path = self._mirror / name
        path.write_bytes(content or b"")
        self._parts[name] = self._part(path)

    def _part(self, path: Path) -> Part | None:
        """A slot by its header, a segment by its name; None: neither, or a slot that holds nothing yet."""
        records = self._firmware.records
        if path.name.isdigit():
            header = path.read_bytes()[: records.HEADER_SIZE]
            if len(header) < records.HEADER_SIZE:
                return None
            epoch, turn, base, through, *rest = struct.unpack(records.HEADER, header[:-4])
            epoch = epoch.hex()
            if records.header(epoch, turn, base, through, *rest) != header:
                return None
            return Part(turn, epoch, through, *self._scanned(path, records.HEADER_SIZE, base))
        match path.name.split("-"):
            case [turn, epoch, base] if turn.startswith("s"):
                return Part(int(turn[1:], 16), epoch, None, *self._scanned(path, 0, int(base, 16)))
        return None

    def _scanned(self, path: Path, offset: int, base: int) -> tuple[int, list[tuple[int, dict[str, Any]]]]:
        """The number after the last, and the events that can be read."""
        found: list[tuple[int, dict[str, Any]]] = []

        def take(seq: int, data: bytes | None, _mark: int, _offset: int) -> None:
            if data is not None:
                with suppress(ValueError):
                    found.append((seq, self._firmware.events.decode(data)))

        return self._firmware.records.scan(str(path), offset, base, self._firmware.records.ANY, take), found

    def _in_order(self) -> list[Part]:
        return sorted((part for part in self._parts.values() if part), key=lambda part: part.turn)

    def _tell_events(self) -> None:
        old = self._told is None
        told = self._told = self._told or {}
        for part in self._in_order():
            for seq, event in part.events:
                if seq > told.get(part.epoch, 0):
                    told[part.epoch] = seq
                    if not old or seq > self._through_of(part.epoch):
                        self._journal.write("kept", epoch=part.epoch, seq=seq, event=event, old=old)

    def _through_of(self, epoch: str) -> int:
        known = [part.through for part in self._in_order() if part.epoch == epoch and part.through is not None]
        return self._through.get(epoch, known[-1] if known else 0)

    def _tell_range(self) -> None:
        parts = self._in_order()
        if not parts:
            return
        epoch = parts[-1].epoch
        own = [part for part in parts if part.epoch == epoch]
        following = max(part.next for part in own)
        held = [seq for part in own for seq, _ in part.events[:1]]
        first = min(following, max(self._through_of(epoch) + 1, min(held, default=following)))
        now = {"epoch": epoch, "first": first, "next": following, "lowest": min(held, default=following)}
        if now != self._range:
            self._range = now
            self._journal.write("outbox", None, **now)
