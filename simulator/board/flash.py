"""NOR flash in a file: a block device for `vfs.VfsLfs2` that is as strict as the chip.

Programming only clears bits, so a block is erased first; programs are whole pages. Each program and erase is in the
file when it returns, so SIGKILL at any time is a power cut between two operations. `fault` makes cuts within one.

The file holds the blocks and then the counts of operations (three little-endian 64-bit numbers).
"""

import os
import struct

BLOCK_SIZE = 4096
COUNTS = "<QQQ"
ERASED = b"\xff" * BLOCK_SIZE  # made once: the heap is the firmware's
PIECE = 64
QUIET = (1, 2, 3)  # MicroPython's requests: start, stop, sync
BLOCK_COUNT_ASKED = 4
BLOCK_SIZE_ASKED = 5
ERASE = 6


class FlashError(Exception):
    """The driver did what a real chip would not do, or not forgive."""


class PowerCut(BaseException):
    """Power went; nothing that this process does from here on reaches the flash."""


class Flash:
    """A flash of `size` bytes in the file `path`, made and erased if there is none.

    `fault(kind, number, length)`, if given, is asked before operation `number` (counted over the file's life, from 1)
    of `kind` "program" or "erase". It answers None (go on) or which bytes of it still reach the flash before power
    goes, as (first, the one after the last): then `power_gone` is called, which raises PowerCut unless another function
    stands in its place, and what is done after that is done to nothing.
    """

    def __init__(self, path, size=848 * 1024, prog_size=256, fault=None):
        if size % BLOCK_SIZE or BLOCK_SIZE % prog_size:
            raise FlashError("size must be whole blocks, and a block whole pages")
        self.block_count = size // BLOCK_SIZE
        self.prog_size = prog_size
        self.fault = fault
        self.reads = self.programs = self.erases = 0
        self.powered = True
        self._size = size
        self._file = self._opened(path)

    def _opened(self, path):
        whole = self._size + struct.calcsize(COUNTS)
        try:
            length = os.stat(path)[6]
        except OSError:
            length = 0
        if length == 0:
            with open(path, "wb") as file:
                for _ in range(self.block_count):
                    file.write(ERASED)
                file.write(bytes(struct.calcsize(COUNTS)))
        elif length != whole:
            raise FlashError("the file is not a flash of this size")
        file = open(path, "r+b")
        file.seek(self._size)
        self.reads, self.programs, self.erases = struct.unpack(COUNTS, file.read(struct.calcsize(COUNTS)))
        return file

    def readblocks(self, block, buffer, offset):
        """Reads into `buffer` from `offset` of `block` on; may run on into the next blocks."""
        if self.powered:
            self._seek(block, offset, len(buffer))
            self.reads += 1
            self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset):
        """Programs whole pages; FlashError if a bit would have to rise, which takes an erase."""
        length = len(buffer)
        if not self.powered:
            return
        if offset % self.prog_size or length % self.prog_size or length == 0:
            raise FlashError("programs are whole pages")
        place = self._seek(block, offset, length)
        view = memoryview(buffer)
        for at in range(0, length, PIECE):
            new = int.from_bytes(view[at : at + PIECE], "little")
            if new & int.from_bytes(self._file.read(min(PIECE, length - at)), "little") != new:
                raise FlashError("programmed without an erase: block %d, offset %d" % (block, offset))
        self.programs += 1
        self._write(place, view, "program")

    def ioctl(self, request, argument):
        """Answers MicroPython's requests to a block device."""
        if request in QUIET or not self.powered:
            return 0
        if request == BLOCK_COUNT_ASKED:
            return self.block_count
        if request == BLOCK_SIZE_ASKED:
            return BLOCK_SIZE
        if request != ERASE:
            raise FlashError("no such request: %d" % request)
        place = self._seek(argument, 0, BLOCK_SIZE)
        self.erases += 1
        self._write(place, memoryview(ERASED), "erase")
        return 0

    def counts(self):
        """Returns {"reads", "programs", "erases"} over the file's life (reads up to the last program or erase)."""
        return {"reads": self.reads, "programs": self.programs, "erases": self.erases}

    def power_gone(self):
        """Power went within an operation."""
        raise PowerCut

    def close(self):
        """Lets go of the file."""
        self._file.close()

    def _seek(self, block, offset, length):
        place = block * BLOCK_SIZE + offset
        if block < 0 or offset < 0 or place + length > self._size:
            raise FlashError("outside the flash: block %d, offset %d" % (block, offset))
        self._file.seek(place)
        return place

    def _write(self, place, data, kind):
        kept = self.fault(kind, self.programs + self.erases, len(data)) if self.fault else None
        first, end = kept or (0, len(data))
        self._file.seek(place + first)
        self._file.write(data[first:end])
        self._file.seek(self._size)
        self._file.write(struct.pack(COUNTS, self.reads, self.programs, self.erases))
        if kept is not None:
            self.powered = False
            self.power_gone()


class Cut:
    """A `fault`: power goes at operation `last`, `share` of which is done.

    Below 0 it is the end of an erase, or the end of what is programmed first. Units are programmed in their order, and
    LittleFS takes one that is still erased to be followed by nothing.
    """

    def __init__(self, last, share, prog_size):
        self.last = last
        self.share = share
        self.prog_size = prog_size

    def __call__(self, kind, number, length):
        """Answers which bytes are done; None before."""
        if number < self.last:
            return None
        if self.share >= 0:
            return 0, int(length * self.share)
        end = length if kind == "erase" else self.prog_size
        return end - int(end * -self.share), end
