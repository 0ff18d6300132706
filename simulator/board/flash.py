"""NOR flash in a file: a block device for `vfs.VfsLfs2` that is as strict as the chip.

Programming only clears bits, so a block has to be erased first; programs are whole pages. Each program and erase is in
the file when it returns, so SIGKILL at any time is a power cut between two operations. `fault` makes cuts during one.

The file holds the blocks, then the counts of operations (three little-endian 64-bit numbers).
"""

import os
import struct

BLOCK_SIZE = 4096
COUNTS = "<QQQ"
ERASED = b"\xff" * BLOCK_SIZE  # made once, as the heap is for the firmware
PIECE = 64
IGNORED = (1, 2, 3)  # MicroPython's requests: start, stop, sync
BLOCK_COUNT_ASKED = 4
BLOCK_SIZE_ASKED = 5
ERASE = 6


class FlashRuleError(Exception):
    """The driver did something that a real chip would not do or would not survive."""


class PowerCut(BaseException):
    """Power has gone; nothing that this process does from now on reaches the flash."""


class Flash:
    """A flash of `size` bytes in the file `path`, which is made, erased, if it does not exist.

    `fault(kind, number, length)`, if given, is called before operation `number` (counted over the file's life, from 1)
    of `kind` "program" or "erase". It returns None to go on, or which of the bytes still reach the flash before power
    goes, as (first, end). Then `power_gone` is called, which raises PowerCut unless it is replaced by another function,
    and later operations have no effect.

    `wear`, if given, is a worn-out chip: `wear(kind, block)` is called before each read, program and erase, and takes
    the chip's time. It returns None to go on, or what the operation returns without having done anything. Then programs
    only clear bits, whatever was there.
    """

    def __init__(self, path, size=848 * 1024, prog_size=256, fault=None):
        if size % BLOCK_SIZE or BLOCK_SIZE % prog_size:
            raise FlashRuleError("the size must be a multiple of the block size, and that of prog_size")
        self.block_count = size // BLOCK_SIZE
        self.prog_size = prog_size
        self.fault = fault
        self.wear = None
        self.reads = self.programs = self.erases = 0
        self.powered = True
        self._size = size
        self._file = self._open(path)

    def _open(self, path):
        file_size = self._size + struct.calcsize(COUNTS)
        try:
            length = os.stat(path)[6]
        except OSError:
            length = 0
        if length == 0:
            with open(path, "wb") as file:
                for _ in range(self.block_count):
                    file.write(ERASED)
                file.write(bytes(struct.calcsize(COUNTS)))
        elif length != file_size:
            raise FlashRuleError("the file is not a flash of this size")
        file = open(path, "r+b")
        file.seek(self._size)
        self.reads, self.programs, self.erases = struct.unpack(COUNTS, file.read(struct.calcsize(COUNTS)))
        return file

    def readblocks(self, block, buffer, offset):
        """Read into `buffer` from `offset` in `block` on, over into the next blocks if needed."""
        if not self.powered:
            return None
        failed = self.wear and self.wear("read", block)
        if failed is not None:
            return failed
        self._seek(block, offset, len(buffer))
        self.reads += 1
        self._file.readinto(buffer)
        return None

    def writeblocks(self, block, buffer, offset):
        """Program whole pages; raises FlashRuleError if a bit would have to be set, which needs an erase."""
        length = len(buffer)
        if not self.powered:
            return None
        failed = self.wear and self.wear("program", block)
        if failed is not None:
            return failed
        if offset % self.prog_size or length % self.prog_size or length == 0:
            raise FlashRuleError("a program must be of whole pages")
        place = self._seek(block, offset, length)
        view = memoryview(buffer)
        for at in range(0, length, PIECE):
            new = int.from_bytes(view[at : at + PIECE], "little")
            old = int.from_bytes(self._file.read(min(PIECE, length - at)), "little")
            if new & old != new:
                if not self.wear:
                    raise FlashRuleError("programmed without an erase: block %d, offset %d" % (block, offset))
                view = self._cleared(place, view)
                break
        self.programs += 1
        self._write(place, view, "program")
        return None

    def _cleared(self, place, data):
        """Return what the flash holds from `place` on after only bits were cleared."""
        self._file.seek(place)
        return bytes(old & new for old, new in zip(self._file.read(len(data)), data))

    def ioctl(self, request, argument):
        """Answer MicroPython's requests to a block device."""
        if request in IGNORED or not self.powered:
            return 0
        if request == BLOCK_COUNT_ASKED:
            return self.block_count
        if request == BLOCK_SIZE_ASKED:
            return BLOCK_SIZE
        if request != ERASE:
            raise FlashRuleError("no such request: %d" % request)
        failed = self.wear and self.wear("erase", argument)
        if failed is not None:
            return failed
        place = self._seek(argument, 0, BLOCK_SIZE)
        self.erases += 1
        self._write(place, memoryview(ERASED), "erase")
        return 0

    def counts(self):
        """Return {"reads", "programs", "erases"} over the file's life (reads up to the last program or erase)."""
        return {"reads": self.reads, "programs": self.programs, "erases": self.erases}

    def power_gone(self):
        """Called when power goes during an operation."""
        raise PowerCut

    def close(self):
        """Close the file."""
        self._file.close()

    def _seek(self, block, offset, length):
        place = block * BLOCK_SIZE + offset
        if block < 0 or offset < 0 or place + length > self._size:
            raise FlashRuleError("outside the flash: block %d, offset %d" % (block, offset))
        self._file.seek(place)
        return place

    def _write(self, place, data, kind):
        done = self.fault(kind, self.programs + self.erases, len(data)) if self.fault else None
        first, end = done or (0, len(data))
        self._file.seek(place + first)
        self._file.write(data[first:end])
        self._file.seek(self._size)
        self._file.write(struct.pack(COUNTS, self.reads, self.programs, self.erases))
        if done is not None:
            self.powered = False
            self.power_gone()


class Cut:
    """A `fault` that cuts power at operation `last`, with `share` of it done.

    A share below 0 is the last part of an erase, or of the first unit of a program: units are programmed in order, and
    LittleFS assumes that nothing follows a unit that is still erased.
    """

    def __init__(self, last, share, prog_size):
        self.last = last
        self.share = share
        self.prog_size = prog_size

    def __call__(self, kind, number, length):
        """Return which bytes are done, as (first, end); None before operation `last`."""
        if number < self.last:
            return None
        if self.share >= 0:
            return 0, int(length * self.share)
        end = length if kind == "erase" else self.prog_size
        return end - int(end * -self.share), end
