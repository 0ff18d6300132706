"""Lets the host read the flash's filesystem, between two tasks and a piece at a time."""

import binascii
import os

import wires

# What fits into one write to the host:
_PIECE = 1500  # bytes, as hex
_ENTRIES = 16  # of a folder, with names as long as the firmware's or a few times as long

_FILE = 0x8000

_root = ""
_listed = ()


def begin(root):
    """Take where the filesystem is mounted."""
    global _root
    _root = root.rstrip("/") + "/"


@wires.between_tasks
def flash_files(folder, start):
    """Return some files of a folder as [[name, bytes]], from place `start` of the list, which is made when that is 0.

    Returns an empty list at the end, or if there is no such folder.
    """
    global _listed
    if start == 0:
        try:
            _listed = [(entry[0], entry[3]) for entry in os.ilistdir(_root + folder) if entry[1] == _FILE]
        except OSError:
            _listed = ()
    entries = _listed[start : start + _ENTRIES]
    if not entries:
        _listed = ()
    return entries


@wires.between_tasks
def flash_heads(paths, length):
    """Return the first `length` bytes of each file as hex; None for a file that does not exist."""
    return [_piece(path, 0, length) for path in paths]


@wires.between_tasks
def flash_read(path, offset):
    """Return a piece of a file as hex; the last piece is shorter, or empty. None if there is no such file."""
    return _piece(path, offset, _PIECE)


def _piece(path, offset, length):
    try:
        with open(_root + path, "rb") as file:
            file.seek(offset)
            return str(binascii.hexlify(file.read(length)), "ascii")
    except OSError:
        return None
