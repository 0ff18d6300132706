"""What the host does to the flash: power that goes within an operation, and another's file that takes its room."""

import os

import wires
from flash import BLOCK_SIZE, Cut

_OTHER = "/others.bin"
_PIECE = bytes(512)
_BLOCKS = 8  # written at once; then the firmware has its turn

_flash = None
_root = ""


def begin(flash, root, cut):
    """The flash is there, its filesystem at `root`; `cut`: (operation, share) at which power goes, or None."""
    global _flash, _root
    _flash, _root = flash, root.rstrip("/")
    wires.commands["flash_counts"] = flash.counts
    flash.power_gone = _end
    if cut:
        flash.fault = Cut(*cut, flash.prog_size)


def _end():
    wires.end(wires.POWER_CUT)  # at once: nothing is closed, nothing is caught


@wires.command
def _cut_power_at(operations, share):
    """Plans a power cut; answers the number of its operation over the flash's life."""
    last = _flash.programs + _flash.erases + operations
    _flash.fault = Cut(last, share, _flash.prog_size)
    return last


@wires.between_tasks
def fill_flash(free_blocks):
    """Writes on at a file that is to leave so many blocks free; answers whether it does by now."""
    spare = os.statvfs(_root or "/")[3] - free_blocks
    if spare <= 0:
        return True
    blocks = min(max(spare - 1, 1), _BLOCKS)  # the last ones one by one
    with open(_root + _OTHER, "ab") as file:
        for _ in range(blocks * BLOCK_SIZE // len(_PIECE)):
            file.write(_PIECE)
    return False


@wires.between_tasks
def free_flash():
    """Deletes it, if it is there."""
    if _OTHER[1:] in os.listdir(_root or "/"):
        os.remove(_root + _OTHER)
