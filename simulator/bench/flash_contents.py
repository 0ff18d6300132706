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
from simulator.console.console import Console
from simulator.console.firmware_modules import Firmware
from simulator.errors import ConsoleError

FOLDER = "outbox"
LOOK_S = 0.1


State = tuple[int, bytes | None]
"""Identifies what was read of a file: its size and, of a slot, its header."""


@dataclass(frozen=True)
class Part:
    """What a file of the outbox holds: its place in their order, epoch, the number that its header says is through."""

    turn: int
    epoch: str
    through: int | None
    next: int
    events: list[tuple[int, dict[str, Any]]]


class Kept:
    """Looks, whenever flash was written, and writes into the journal what is new.

    `kept`: an event is in flash (epoch, seq, event; `old` if it was there at the first look).
    `outbox`: the epoch in use, the number that the next event gets, the lowest that flash holds, those that wait.

    The board goes on while it is looked at. So an event is told if it follows the last one told; a number may be
    passed over, as one that is gone, only in a look during which nothing was written.

    Args:
        console: the console as it is now.
        journal: where it is told, and where acknowledgements are heard of.
        mirror: a folder for copies of the outbox's files; what is there goes.
    """

    def __init__(self, console: Callable[[], Console], journal: Journal, mirror: Path) -> None:
        self._console, self._journal, self._mirror = console, journal, mirror
        self._firmware = Firmware()
        self._parts: dict[str, Part | None] = {}
        self._states: dict[str, State] = {}
        self._programs = -1  # at the last look during which nothing was written
        self._told: dict[str, int] = {}  # by epoch the highest number told
        self._old: dict[str, int] | None = None  # by epoch the number after the last one of the first look
        self._through: dict[str, int] = {}  # by epoch, as the bridge says
        self._range: dict[str, Any] | None = None
        self._due, self._ended = threading.Event(), threading.Event()
        shutil.rmtree(mirror, ignore_errors=True)
        mirror.mkdir(parents=True)
        journal.listen(self._heard)
        self._thread = threading.Thread(target=self._work, daemon=True)

    @property
    def range(self) -> dict[str, Any] | None:
        """The newest `outbox`; None before there is one."""
        return self._range

    def watch(self) -> None:
        """Look from now on, until `close`, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once. Raises ConsoleError if the board has just gone, or stands still."""
        console = self._console()
        programs = console.flash_counts()[1]
        if programs != self._programs:
            self._follow(console)
            is_whole = console.flash_counts()[1] == programs
            self._tell_events(is_whole=is_whole)
            self._programs = programs if is_whole else -1
        if self._programs == programs:
            self._tell_range()

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
                with suppress(ConsoleError):
                    self.look()

    def _follow(self, console: Console) -> None:
        """Read what is new in the outbox's files."""
        sizes = console.flash_files(FOLDER)
        slots = [name for name in sizes if name.isdigit()]
        heads = console.flash_heads(FOLDER, slots, self._firmware.outbox_files.HEADER_SIZE)
        for name in self._states.keys() - sizes.keys():
            del self._states[name], self._parts[name]
        for name, size in sizes.items():
            if self._states.get(name) != (size, heads.get(name)):
                self._read(console, name)

    def _read(self, console: Console, name: str) -> None:
        content = console.flash_file(f"{FOLDER}/{name}") or b""
        path = self._mirror / name
        path.write_bytes(content)
        self._parts[name] = self._part(path)
        head = content[: self._firmware.outbox_files.HEADER_SIZE] if name.isdigit() else None
        self._states[name] = (len(content), head)

    def _part(self, path: Path) -> Part | None:
        """A slot by its header, a segment by its name; None: neither, or a slot that holds nothing yet."""
        records = self._firmware.outbox_files
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

        return self._firmware.outbox_files.scan(str(path), offset, base, self._firmware.outbox_files.ANY, take), found

    def _in_order(self) -> list[Part]:
        return sorted((part for part in self._parts.values() if part), key=lambda part: part.turn)

    def _tell_events(self, *, is_whole: bool) -> None:
        held: dict[str, dict[int, dict[str, Any]]] = {}  # by epoch, those in use last
        for part in self._in_order():
            held.setdefault(part.epoch, {}).update(part.events)
        if self._old is None:
            self._old = {epoch: max(events, default=0) + 1 for epoch, events in held.items()}
        for epoch, events in held.items():
            for seq in sorted(events):
                told = self._told.get(epoch, 0)
                if seq <= told:
                    continue
                if seq > told + 1 and not is_whole:
                    return
                self._told[epoch] = seq
                old = seq < self._old.get(epoch, 0)
                if not old or seq > self._through_of(epoch):
                    self._journal.write("kept", epoch=epoch, seq=seq, event=events[seq], old=old)

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
