"""Read the outbox's records one at a time, in order of their numbers, opening a file as seldom as possible.

Opening a file takes a board as long as decoding five events. So one read takes what makes about a batch; each call does
either that or one record, so that lamps and sound can come between any two calls.
"""

import struct
from binascii import crc32

from console import outbox_files

_AHEAD = 1024  # bytes


class RecordReader:
    """A position in the outbox: `seq` is the number of the next record, in the part whose turn is given."""

    def __init__(self):
        self.forget()

    def forget(self):
        """Forget what was read ahead, and where: files have changed, or their numbers."""
        self.seq = self._turn = self._offset = self._at = 0
        self._size = 0  # of the next record with its head; 0 if it was not read ahead as a whole
        self._data = b""

    def has(self, seq):
        """Return whether the record `seq` was read ahead, and is the next to be taken."""
        return seq == self.seq and self._size > 0

    def read_ahead(self, turn, path, start, seq):
        """Read on towards the record `seq`; return False if the file ends before.

        `start` is (number, offset) of the part's first record. Raises OSError.
        """
        if turn == self._turn and self.seq <= seq:
            self._offset += self._at
        else:
            self._turn, (self.seq, self._offset) = turn, start
        self._data, self._at = b"", 0  # frees memory before the next reading takes some
        with open(path, "rb") as file:
            file.seek(self._offset)
            self._data = file.read(_AHEAD)
            is_whole = outbox_files.record_size(self._data, 0)
            if not is_whole and len(self._data) == _AHEAD:  # a record of another version may be longer
                self._data += file.read(outbox_files.LENGTH_MAX)
        self._size = outbox_files.record_size(self._data, 0)
        while self.seq < seq and self._size:
            self._skip()
        return bool(self._at or self._size)

    def take(self):
        """Return the next record, which must have been read ahead; None if its CRC is wrong."""
        begin = self._at + outbox_files.RECORD_SIZE
        check = struct.unpack_from("<I", self._data, begin - 4)[0]
        record = self._data[begin : self._at + self._size]
        sound = crc32(record, self.seq) == check
        self._skip()
        return record if sound else None

    def _skip(self):
        self._at += self._size
        self.seq += 1
        self._size = outbox_files.record_size(self._data, self._at)
