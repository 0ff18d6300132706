"""Tell whether a log still ends as SQLite left it, by the index that all programs with the database open share.

The index (`-shm`) names the last frame of the log by its place, salts and checksum. A log that was overwritten or cut
off in place has another frame there, or none. The format: https://sqlite.org/walformat.html#the_wal_index_header
"""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

from bridge.store.descriptors import open_to_read
from bridge.store.faults import sidecar
from bridge.store.write_ahead_log import FRAME_HEADER, LOG_HEADER
from bridge.system import read_at

if TYPE_CHECKING:
    from pathlib import Path

INDEX_HEADER = struct.Struct("=12x?xHI4x2I8s8x")  # is ready, page size, frames, checksum, salts; a second copy follows
CHECKSUM = struct.Struct(">2I")
MARK_AT, MARK_BYTES = 8, 16  # in a frame's header: salts, checksum
LARGEST_PAGE = 65_536
ATTEMPTS = 5
PAUSE_S = 0.01


class Frame(NamedTuple):
    """The place of a frame in a log, from `position` to `end`, and what it is known by."""

    position: int
    end: int
    salts: bytes
    checksum: bytes


class LogIndex:
    """The index of a database that this process has open, and the frame that it named last."""

    def __init__(self, database: Path) -> None:
        self._index, self._log = sidecar(database, "-shm"), sidecar(database, "-wal")
        self._seen: Frame | None = None

    def is_log_whole(self) -> bool:
        """Return whether the log holds the frame that is the last now, and that which was at the last call.

        Raises OSError.
        """
        for _ in range(ATTEMPTS):
            if self._is_cut_off():
                time.sleep(PAUSE_S)
                continue
            last = self._last_frame()
            if last is None or self._is_at_end(last):
                self._seen = last
                return True
            if self._last_frame() == last:
                return False
        return not self._is_cut_off()  # other programs are writing it: the next call will tell

    def _is_cut_off(self) -> bool:
        """Return whether another program has cut the index off, as `cp` does before it writes it anew; SQLite does not.

        What is mapped of it cannot be read meanwhile.
        """
        return self._index.stat().st_size < 2 * INDEX_HEADER.size

    def _last_frame(self) -> Frame | None:
        """Read the last frame's place; None if the log is empty, or the index is being written."""
        with open_to_read(self._index) as descriptor:
            header, copy = (read_at(descriptor, INDEX_HEADER.size, at) for at in (0, INDEX_HEADER.size))
        if header != copy or len(header) < INDEX_HEADER.size:
            return None
        is_ready, page_size, frames, *checksum, salts = INDEX_HEADER.unpack(header)
        if not is_ready or not frames:
            return None
        size = FRAME_HEADER.size + (LARGEST_PAGE if page_size == 1 else page_size)
        end = LOG_HEADER.size + frames * size
        return Frame(end - size, end, salts, CHECKSUM.pack(*checksum))

    def _is_at_end(self, last: Frame) -> bool:
        frames = [last]
        if self._seen is not None and self._seen.salts == last.salts:  # else another log was begun
            if self._seen.position > last.position:
                return False
            frames.append(self._seen)
        with self._log.open("rb", buffering=0) as log:
            *_, salts = LOG_HEADER.unpack(log.read(LOG_HEADER.size).ljust(LOG_HEADER.size))
            return salts == last.salts and all(_holds(log.fileno(), frame) for frame in frames)


def _holds(log: int, frame: Frame) -> bool:
    known_by = read_at(log, MARK_BYTES, frame.position + MARK_AT)
    return known_by == frame.salts + frame.checksum and os.fstat(log).st_size >= frame.end
