"""Read what the console's outbox holds in flash, online or not: its files, decoded by the firmware's own modules.

The firmware's `outbox.py` describes the files. The outbox itself is not asked, and does not notice.
"""

import shutil
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.bench.journal import Journal, JournalEntry
from simulator.console.console import Console
from simulator.console.firmware_modules import FirmwareModules
from simulator.errors import ConsoleError

FOLDER = "outbox"
LOOK_S = 0.1


FileState = tuple[int, bytes | None]
"""Identifies what was read of a file: its size and, of a slot, its header."""


@dataclass(frozen=True)
class OutboxPart:
    """The content of one file of the outbox.

    `turn`: the file's place in the order of files. `through`: the number acknowledged, according to the header; None
    in a segment. `next`: the number after the last event.
    """

    turn: int
    epoch: str
    through: int | None
    next: int
    events: list[tuple[int, dict[str, Any]]]


class FlashContents:
    """A watcher that reads the outbox's files whenever flash was written, and writes what is new into the journal.

    `kept`: an event is in flash (epoch, seq, event; `old` if it was there at the first look).
    `outbox`: the epoch in use, the number of the next event (`next`), the lowest number in flash (`lowest`), and the
    first that is not acknowledged (`first`).

    The board goes on while its files are read. So an event is written if it follows the last one written; a number may
    be skipped, as deleted, only after a look during which nothing was written to flash.

    Args:
        current_console: returns the console as it is now; it may be replaced.
        journal: where entries are written, and where acknowledgements come from.
        mirror: a folder for copies of the outbox's files; it is emptied first.
    """

    def __init__(self, current_console: Callable[[], Console], journal: Journal, mirror: Path) -> None:
        self._current_console, self._journal, self._mirror = current_console, journal, mirror
        self._firmware = FirmwareModules()
        self._parts: dict[str, OutboxPart | None] = {}  # by file name
        self._states: dict[str, FileState] = {}
        self._programs = -1  # at the last look during which nothing was written
        self._written: dict[str, int] = {}  # by epoch, the highest number in the journal
        self._first_new: dict[str, int] | None = None  # by epoch, the number after the last one of the first look
        self._through: dict[str, int] = {}  # by epoch, as the bridge acknowledged
        self._range: dict[str, Any] | None = None
        self._due, self._ended = threading.Event(), threading.Event()
        shutil.rmtree(mirror, ignore_errors=True)
        mirror.mkdir(parents=True)
        journal.listen(self._on_entry)
        self._thread = threading.Thread(target=self._work, daemon=True)

    @property
    def range(self) -> dict[str, Any] | None:
        """The facts of the newest `outbox` entry; None before there is one."""
        return self._range

    def watch(self) -> None:
        """Look repeatedly, in a thread, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once; raises ConsoleError if the board has just lost power, or stands still."""
        console = self._current_console()
        programs = console.flash_counts()[1]
        if programs != self._programs:
            self._read_changes(console)
            is_whole = console.flash_counts()[1] == programs
            self._write_events(is_whole=is_whole)
            self._programs = programs if is_whole else -1
        if self._programs == programs:
            self._write_range()

    def _on_entry(self, entry: JournalEntry) -> None:
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
            if self._current_console().powered:
                with suppress(ConsoleError):
                    self.look()

    def _read_changes(self, console: Console) -> None:
        """Read the outbox's files that have changed."""
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

    def _part(self, path: Path) -> OutboxPart | None:
        """Read a slot by its header or a segment by its name; None for other files and slots that hold nothing yet."""
        records = self._firmware.outbox_files
        if path.name.isdigit():
            header = path.read_bytes()[: records.HEADER_SIZE]
            if len(header) < records.HEADER_SIZE:
                return None
            epoch, turn, base, through, *rest = struct.unpack(records.HEADER, header[:-4])
            epoch = epoch.hex()
            if records.header(epoch, turn, base, through, *rest) != header:
                return None
            return OutboxPart(turn, epoch, through, *self._scan(path, records.HEADER_SIZE, base))
        match path.name.split("-"):
            case [turn, epoch, base] if turn.startswith("s"):
                return OutboxPart(int(turn[1:], 16), epoch, None, *self._scan(path, 0, int(base, 16)))
        return None

    def _scan(self, path: Path, offset: int, base: int) -> tuple[int, list[tuple[int, dict[str, Any]]]]:
        """Return the number after the last event, and the events that can be read."""
        events: list[tuple[int, dict[str, Any]]] = []

        def take(seq: int, data: bytes | None, _mark: int, _offset: int) -> None:
            if data is not None:
                with suppress(ValueError):
                    events.append((seq, self._firmware.events.decode(data)))

        return self._firmware.outbox_files.scan(str(path), offset, base, self._firmware.outbox_files.ANY, take), events

    def _in_order(self) -> list[OutboxPart]:
        return sorted((part for part in self._parts.values() if part), key=lambda part: part.turn)

    def _write_events(self, *, is_whole: bool) -> None:
        """Write the events that are new; `is_whole` if nothing was written to flash while its files were read."""
        events_by_epoch: dict[str, dict[int, dict[str, Any]]] = {}  # the epoch in use comes last
        for part in self._in_order():
            events_by_epoch.setdefault(part.epoch, {}).update(part.events)
        if self._first_new is None:
            self._first_new = {epoch: max(events, default=0) + 1 for epoch, events in events_by_epoch.items()}
        for epoch, events in events_by_epoch.items():
            for seq in sorted(events):
                written = self._written.get(epoch, 0)
                if seq <= written:
                    continue
                if seq > written + 1 and not is_whole:
                    return
                self._written[epoch] = seq
                old = seq < self._first_new.get(epoch, 0)
                if not old or seq > self._through_of(epoch):
                    self._journal.write("kept", epoch=epoch, seq=seq, event=events[seq], old=old)

    def _through_of(self, epoch: str) -> int:
        """Return the last number acknowledged: as the bridge said, else as the newest slot of that epoch says."""
        in_slots = [part.through for part in self._in_order() if part.epoch == epoch and part.through is not None]
        return self._through.get(epoch, in_slots[-1] if in_slots else 0)

    def _write_range(self) -> None:
        parts = self._in_order()
        if not parts:
            return
        epoch = parts[-1].epoch
        of_epoch = [part for part in parts if part.epoch == epoch]
        following = max(part.next for part in of_epoch)
        lowest = min((seq for part in of_epoch for seq, _ in part.events[:1]), default=following)
        first = min(following, max(self._through_of(epoch) + 1, lowest))
        new_range = {"epoch": epoch, "first": first, "next": following, "lowest": lowest}
        if new_range != self._range:
            self._range = new_range
            self._journal.write("outbox", None, **new_range)
