"""What the outbox does only when it is opened: which files are there, and what their headers say."""

import os
import struct
from binascii import crc32, hexlify

from console import records


def listed(folder):
    """Returns the names in a folder, which is made if there is none. Raises OSError."""
    try:
        return os.listdir(folder)
    except OSError:
        os.mkdir(folder)
        return []


def _read_header(path):
    """Returns (epoch, turn, base, acknowledged, boot, doubt, presses…); () if cut short, None if it does not check."""
    try:
        with open(path, "rb") as file:
            data = file.read(records.HEADER_SIZE)
    except OSError:
        return None
    if len(data) < records.HEADER_SIZE:
        return ()
    if struct.unpack("<I", data[-4:])[0] != crc32(data[:-4]):
        return None
    fields = struct.unpack(records.HEADER, data[:-4])
    return (str(hexlify(fields[0]), "ascii"),) + fields[1:]  # noqa: RUF005 - MicroPython has no such unpacking


def headers(path, count, names):
    """Reads the headers of `count` slots, whose files are path(slot), of those in `names`.

    Returns them in the order of their turns, and whether all are there that should be: turns without a gap, and files
    without a header only where none was yet or, one at most, where power went when its turn had come.
    """
    found = []
    empty = 0
    for slot in range(count):
        fields = _read_header(path(slot)) if str(slot) in names else None
        if fields == ():
            empty += 1
        elif fields and fields[1] % count == slot:
            found.append(fields)
    if not found:
        return found, False
    found.sort(key=lambda fields: fields[1])
    oldest, newest = found[0], found[-1]
    whole = len(found) + empty == count and newest[1] - oldest[1] + 1 == len(found)
    return found, whole and (empty <= 1 or oldest[2] == 1)


def segments(names):
    """Returns (turn, epoch, base) of each segment, oldest first."""
    found = []
    epoch = ""
    for text in sorted(text for text in names if "-" in text):
        turn, other, base = text.split("-")
        epoch = epoch if epoch == other else other  # one text for all, to save memory
        found.append((int(turn[1:], 16), epoch, int(base, 16)))
    return found
