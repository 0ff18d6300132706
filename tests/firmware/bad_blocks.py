"""Write through the guard while one block of the flash is bad: `micropython bad_blocks.py program|erase|both`.

Each block is the bad one once; it tells nobody, or returns EIO. All that was written must be readable, and the guard
must never refuse.
"""

import os
import sys

import flash_guard
import vfs
from flash import Flash

PROG_SIZE = 256
SIZE = 80 * 1024
EIO = -5
FILES = 6
ROUNDS = 60

kinds = {"program": ("program",), "erase": ("erase",), "both": ("program", "erase")}[sys.argv[1]]


class BadBlock:
    """A `wear` of one block; `tried` counts the operations that failed."""

    def __init__(self, block, code):
        self.block, self.code, self.tried = block, code, 0

    def __call__(self, kind, block):
        if kind not in kinds or block != self.block:
            return None
        self.tried += 1
        return self.code


def content(number):
    """Return what file `number % FILES` holds after round `number`."""
    return bytes([number]) * (300 + number * 17 % 900)


def write_with(bad, path):
    """Write files in a folder while a block is bad; return how often that was tried."""
    flash = Flash(path, SIZE, PROG_SIZE)
    vfs.VfsLfs2.mkfs(flash, progsize=PROG_SIZE)
    guard = flash_guard.FlashGuard(flash, PROG_SIZE)
    vfs.mount(vfs.VfsLfs2(guard, progsize=PROG_SIZE), "/flash")
    os.mkdir("/flash/outbox")
    flash.wear = bad
    for number in range(ROUNDS):
        with open("/flash/outbox/%d" % (number % FILES), "wb") as file:
            file.write(content(number))
    assert not guard.refuses
    vfs.umount("/flash")
    flash.wear = None
    vfs.mount(vfs.VfsLfs2(flash, progsize=PROG_SIZE), "/flash")
    for number in range(ROUNDS - FILES, ROUNDS):
        with open("/flash/outbox/%d" % (number % FILES), "rb") as file:
            assert file.read() == content(number), (bad.block, number)
    vfs.umount("/flash")
    flash.close()
    os.remove(path)
    return bad.tried


tried = [write_with(BadBlock(block, code), "flash.bin") for block in range(SIZE // 4096) for code in (0, EIO)]
assert sum(map(bool, tried)) > len(tried) // 2, tried
