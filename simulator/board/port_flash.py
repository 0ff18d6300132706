"""The modules through which a port gives firmware its flash: `rp2` on an RP2040, `flashbdev` on an ESP32.

An RP2040 with the project's own image of MicroPython also has `flash_guard` frozen in, and a read-only filesystem at
`/rom`, which `vfs` gives access to.
"""

import sys

import vfs
import wires
from flash import BLOCK_SIZE, Flash

_GET_SEGMENT = 2


class Rp2:
    """Stands in for `rp2`."""

    def __init__(self, flash):
        self.Flash = lambda: flash  # a method could not be imported


class Flashbdev:
    """Stands in for `flashbdev`."""

    def __init__(self, flash):
        self.bdev = flash


class Vfs:
    """Stands in for `vfs` where the image has a read-only filesystem; unlike that of the host, it can be written."""

    def __init__(self, rom):
        for name in dir(vfs):
            setattr(self, name, getattr(vfs, name))
        self._rom = rom

    def rom_ioctl(self, request, segment):
        """Return the block device of a segment, of which there is one."""
        if (request, segment) != (_GET_SEGMENT, 0):
            wires.fault("vfs.rom_ioctl(%d, %d) is not simulated" % (request, segment))
        return self._rom


def begin(flash, rom_path):
    """Offer the flash as the board's port does. The `unix` board has no such module."""
    if wires.rp2:
        sys.modules["rp2"] = Rp2(flash)
    elif wires.board == "esp32":
        sys.modules["flashbdev"] = Flashbdev(flash)
    if rom_path:
        rom = Flash(rom_path, BLOCK_SIZE)
        sys.modules["vfs"] = Vfs(rom)
        content = bytearray(BLOCK_SIZE)
        rom.readblocks(0, content, 0)
        try:
            vfs.mount(vfs.VfsRom(bytes(content)), "/rom")
        except OSError:
            pass  # it is empty


def freeze_guard(folder):
    """Load the firmware's `flash_guard` from a folder of the host, as if it were frozen."""
    sys.path.insert(0, folder)
    import flash_guard  # noqa: F401

    del sys.path[0]
