"""What lies in the flash's filesystem, for the host to look at, between two tasks and a piece at a time."""

import binascii
import os

import wires

# What fits in one write to the host:
_PIECE = 1500  # bytes as hex
_ENTRIES = 16  # of a folder, with names as long as the firmware's or a few times that

_FILE = 0x8000

_root = ""


def begin(root):
    """The filesystem is at `root`."""
    global _root
    _root = root.rstrip("/") + "/"


@wires.between_tasks
def flash_files(folder, start):
    """Returns some files of a folder, from entry `start` on: [[name, bytes]]; none at the end, or without a folder."""
    found = []
    try:
        for place, entry in enumerate(os.ilistdir(_root + folder)):
            if start <= place < start + _ENTRIES:
                found.append([entry[0], entry[3] if entry[1] == _FILE else None])
    except OSError:
        return []
    return found


@wires.between_tasks
def flash_heads(paths, length):
    """Returns the first `length` bytes of each file as hex; None where there is none."""
    return [_piece(path, 0, length) for path in paths]


@wires.between_tasks
def flash_read(path, offset):
    """Returns a piece of a file as hex; it is shorter than the others, or empty, at the end. None: there is no file."""
    return _piece(path, offset, _PIECE)


def _piece(path, offset, length):
    try:
        with open(_root + path, "rb") as file:
            file.seek(offset)
            return str(binascii.hexlify(file.read(length)), "ascii")
    except OSError:
        return None
