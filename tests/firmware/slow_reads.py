"""Change files through the guard until an erase makes reading slow: `micropython slow_reads.py PROG_SIZE`.

The call that erases must end after a few reads, although LittleFS would read the folder hundreds of times; and nothing
that was written before is lost.
"""

import os
import sys

import flash_guard
import utime
import vfs
from flash import Flash

PROG_SIZE = int(sys.argv[1])
READ_MS = 3
READS_MAX = 12
FILES = 20
ROUNDS = 100


class TurnsSlow:
    """A `wear` whose reads are slow after the first erase."""

    slow_reads = 0
    is_slow = False

    def __call__(self, kind, block):
        if kind == "erase":
            self.is_slow = True
        elif kind == "read" and self.is_slow:
            self.slow_reads += 1
            utime.sleep_ms(READ_MS)


def write(number):
    with open("/flash/outbox/%d" % (number % FILES), "wb") as file:
        file.write(bytes([number]) * 20)


flash = Flash("flash.bin", 80 * 1024, PROG_SIZE)
vfs.VfsLfs2.mkfs(flash, progsize=PROG_SIZE)
guard = flash_guard.FlashGuard(flash, PROG_SIZE)
vfs.mount(vfs.VfsLfs2(guard, progsize=PROG_SIZE), "/flash")
os.mkdir("/flash/outbox")
for number in range(FILES):
    write(number)
flash.wear = wear = TurnsSlow()
written = FILES
try:
    for written in range(FILES, FILES + ROUNDS):
        write(written)
    raise AssertionError("no erase")
except OSError:
    pass
assert wear.slow_reads <= READS_MAX, wear.slow_reads
assert guard.is_slow
assert guard.refuses

flash.wear = None
vfs.mount(vfs.VfsLfs2(flash, progsize=PROG_SIZE), "/again")
for number in range(written - FILES + 1, written):
    with open("/again/outbox/%d" % (number % FILES), "rb") as file:
        assert file.read() == bytes([number]) * 20, number
