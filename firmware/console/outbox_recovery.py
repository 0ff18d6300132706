"""What the outbox does only when it is opened: reads what flash holds, and begins a new epoch where that is damaged.

A part of `outbox.py`, apart so that it can be let go of.
"""

import os
import struct
from binascii import crc32, hexlify

from console import outbox_files
from console.outbox_new_epoch import carry_over, empty_slots


def read(outbox):
    """Takes over what flash holds, counts this boot and begins a slot. Raises OSError."""
    names = _listed(outbox.root)
    outbox._parts = _segments(names)
    outbox._turn = outbox._merged = outbox._parts[-1][0] if outbox._parts else 0
    headers, whole = _headers(outbox, names)
    outbox._certain = _take(outbox, headers) and whole
    outbox.boot += 1
    if not outbox._certain:
        if headers or outbox._parts or whole is None:  # else it never was whole
            outbox.fault = outbox.fault or OSError("flash lost what it held")
        return _renew(outbox, headers, outbox_files.DOUBT in names)
    if outbox.next > 1:
        outbox.doubt = outbox.doubt or outbox.next
        if outbox_files.DOUBT not in names:
            outbox_files.write(outbox._path(outbox_files.DOUBT), "wb", b"")
    else:  # nothing was given out, or all of it is forgotten
        outbox._parts = [part for part in outbox._parts if part[0] <= outbox._merged]
        outbox._new_numbers()
    return outbox._begin()


def _listed(folder):
    """Returns the names in a folder, which is made if there is none. Raises OSError."""
    try:
        return os.listdir(folder)
    except OSError:
        os.mkdir(folder)
        return []


def _segments(names):
    """Returns (turn, epoch, base) of each segment, oldest first."""
    found = []
    epoch = ""
    for text in sorted(text for text in names if "-" in text):
        turn, other, base = text.split("-")
        epoch = epoch if epoch == other else other  # one text for all, to save memory
        found.append((int(turn[1:], 16), epoch, int(base, 16)))
    return found


def _read_header(path):
    """Returns (epoch, turn, base, acknowledged, boot, doubt, presses…), or None if it is damaged.

    If there is none yet: (the first turn of the ring,), or () where power went meanwhile.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(outbox_files.HEADER_SIZE)
    except OSError:
        return None
    if len(data) >= outbox_files.MARK_SIZE and data[outbox_files.MARK_SIZE :] == bytes(
        len(data) - outbox_files.MARK_SIZE
    ):
        return struct.unpack("<I", data[: outbox_files.MARK_SIZE])
    if len(data) < outbox_files.HEADER_SIZE:
        return ()
    if struct.unpack("<I", data[-4:])[0] != crc32(data[:-4]):
        return None
    fields = struct.unpack(outbox_files.HEADER, data[:-4])
    return (str(hexlify(fields[0]), "ascii"),) + fields[1:]  # noqa: RUF005 - MicroPython has no such unpacking


def _headers(outbox, names):
    """Reads the headers of the slots that are there.

    Returns them in the order of their turns, and whether all are there that should be: turns without a gap, and files
    without a header only where none was yet or, one at most, where power went when its turn had come. None: one that
    was written can't be read.
    """
    found = []
    empty = []
    count = outbox._slot_count
    damaged = 0
    for slot in range(count):
        fields = _read_header(outbox._slot(slot)) if str(slot) in names else (None,)
        if fields is None or (len(fields) > 1 and fields[1] % count != slot):
            damaged += 1
        elif len(fields) > 1:
            found.append(fields)
        elif fields != (None,):
            empty.append(fields)
    found.sort(key=lambda fields: fields[1])
    if damaged or not found:
        return found, None if damaged else False
    oldest, newest = found[0], found[-1]
    whole = len(found) + len(empty) == count and newest[1] - oldest[1] + 1 == len(found)
    return found, whole and len([1 for mark in empty if not (mark and oldest[1] <= mark[0] <= newest[1])]) <= 1


def _take(outbox, headers):
    """Takes over the state from the newest slot; returns whether the highest number used is certain."""
    if not headers:
        return False
    merged = outbox._merged
    epoch_merged = outbox._parts[-1][1] if outbox._parts else None
    outbox.epoch, turn, outbox.next, through, outbox.boot, outbox.doubt = headers[-1][:6]
    outbox.presses = list(headers[-1][6:])
    outbox._through = {outbox.epoch: through}
    outbox._parts += [(h[1], outbox.epoch, h[2]) for h in headers if h[0] == outbox.epoch and h[1] > merged]
    outbox._turn = max(turn, merged)
    damaged = []

    def take(seq, data, button, _):
        if data is None:
            damaged.append(seq)
        else:
            outbox.next = seq + 1
            if button:
                outbox.presses[button - 1] += 1

    outbox._scan((turn, outbox.epoch, outbox.next), take, outbox._slot(turn))
    # A segment of another epoch as new as the newest slot: power went while events were carried over into it.
    whole = turn > merged or (turn == merged and epoch_merged == outbox.epoch)
    return whole and not damaged and not outbox.fault


def _renew(outbox, headers, in_doubt):
    """Begins a new epoch; what is readable of the old one goes into segments, to be delivered first.

    What was in doubt goes over into the new epoch: its numbers may have been used for other events.
    """
    doubt = outbox.doubt if in_doubt else 0
    outbox.doubt = doubt
    old = outbox._before_doubt(outbox._waiting())
    if old:
        outbox._with_room(outbox._merge, old)
    outbox._parts = [part for part in outbox._parts if part[0] <= outbox._merged or (doubt and part[2] >= doubt)]
    carry_over(outbox, doubt or outbox_files.ANY)
    outbox._certain = True
    if headers:
        outbox._begin()
    empty_slots(outbox, [header[1] for header in headers])
    if not headers:
        outbox._begin()
