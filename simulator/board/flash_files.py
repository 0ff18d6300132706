"""What lies in the flash's filesystem, for the host to look at, between two tasks and a piece at a time."""

import binascii
import os

import wires

# What fits in one write to the host:
_PIECE = 1500  # bytes as hex
_ENTRIES = 16  # of a folder, with names as long as the firmware's or a few times that

_FILE = 0x8000

_root = ""
_listed = ()


def begin(root):
    """The filesystem is at `root`."""
    global _root
    _root = root.rstrip("/") + "/"


@wires.between_tasks
def flash_files(folder, start):
    """Returns some files of a folder as [[name, bytes]]: from place `start` of a list made when that was 0.

    None at its end, or if there is no such folder.
    """
    global _listed
    if start == 0:
        try:
            _listed = [(entry[0], entry[3]) for entry in os.ilistdir(_root + folder) if entry[1] == _FILE]
        except OSError:
            _listed = ()
    found = _listed[start : start + _ENTRIES]
    if not found:
        _listed = ()
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
