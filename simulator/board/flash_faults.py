"""Faults of the flash: the host cuts power in an operation, wears the chip out, or fills it with another file."""

import os

import utime
import wires
from flash import BLOCK_SIZE, Cut

_OTHER = "/others.bin"
_PIECE = bytes(512)
_BLOCKS = 8  # written at once, before the firmware runs again

_flash = None
_root = ""


def begin(flash, root, cut, wear):
    """Take the flash, whose filesystem is at `root`, a planned cut as (operation, share), and wear; None: no fault."""
    global _flash, _root
    _flash, _root = flash, root.rstrip("/")
    _wear_out(wear)
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


@wires.command
def _wear_out(wear):
    """Wear the chip out: see `Console.wear_out`. None makes it whole."""
    _flash.wear = Wear(*wear) if wear else None


class Wear:
    """A worn-out chip: operations of the `failing` kinds, on `block` or on all of them (None), do nothing.

    They take their time as others do, by kind in `times_ms`; `code` is what they return, 0 if they tell nobody.
    """

    def __init__(self, failing, block, times_ms, code):
        self._failing = failing
        self._block = block
        self._times_ms = times_ms
        self._code = code

    def __call__(self, kind, block):
        """Take the time of an operation; return None to go on with it."""
        utime.sleep_ms(self._times_ms.get(kind, 0))
        if kind in self._failing and self._block in (None, block):
            return self._code
        return None


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
