"""What lies in the flash's filesystem, for the host to look at, between two tasks and a piece at a time."""

import binascii
import os

import wires

_PIECE = 1500  # as hex it fits in one write to the host
_FILE = 0x8000

_root = ""


def begin(root):
    """The filesystem is at `root`."""
    global _root
    _root = root.rstrip("/") + "/"


@wires.between_tasks
def flash_files(folder):
    """Returns the files of a folder: {name: bytes}; none if there is no such folder."""
    try:
        return {entry[0]: entry[3] for entry in os.ilistdir(_root + folder) if entry[1] == _FILE}
    except OSError:
        return {}


@wires.between_tasks
def flash_read(path, offset):
    """Returns a piece of a file as hex; it is shorter than the others, or empty, at the end. None: there is no file."""
    try:
        with open(_root + path, "rb") as file:
            file.seek(offset)
            return str(binascii.hexlify(file.read(_PIECE)), "ascii")
    except OSError:
        return None
