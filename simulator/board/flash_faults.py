"""Faults of the flash: the host cuts power during an operation, or fills the filesystem with another file."""

import os

import wires
from flash import BLOCK_SIZE, Cut

_OTHER = "/others.bin"
_PIECE = bytes(512)
_BLOCKS = 8  # written at once, before the firmware runs again

_flash = None
_root = ""


def begin(flash, root, cut):
    """Take the flash, whose filesystem is at `root`, and a planned cut as (operation, share), or None."""
    global _flash, _root
    _flash, _root = flash, root.rstrip("/")
    wires.commands["flash_counts"] = flash.counts
    flash.power_gone = _end
    if cut:
        flash.fault = Cut(*cut, flash.prog_size)


def _end():
    wires.end(wires.POWER_CUT)  # at once: nothing is closed, and no exception can be caught


@wires.command
def _cut_power_at(operations, share):
    """Plan a power cut; return the number of its operation, counted over the flash's life."""
    last = _flash.programs + _flash.erases + operations
    _flash.fault = Cut(last, share, _flash.prog_size)
    return last


@wires.between_tasks
def fill_flash(free_blocks):
    """Extend a file until only `free_blocks` are free; return whether that is reached."""
    spare = os.statvfs(_root or "/")[3] - free_blocks
    if spare <= 0:
        return True
    blocks = min(max(spare - 1, 1), _BLOCKS)  # the last blocks are written one by one
    with open(_root + _OTHER, "ab") as file:
        for _ in range(blocks * BLOCK_SIZE // len(_PIECE)):
            file.write(_PIECE)
    return False


@wires.between_tasks
def free_flash():
    """Delete the file that fills the flash, if there is one."""
    if _OTHER[1:] in os.listdir(_root or "/"):
        os.remove(_root + _OTHER)
