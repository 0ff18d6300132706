"""Open the outbox: read what flash holds, and begin a new epoch if that is damaged.

A part of `outbox.py`, in a module of its own so that it can be unloaded.
"""

import os
import struct
from binascii import crc32, hexlify

from console import outbox_files
from console.outbox_merge import before_doubt, merge
from console.outbox_new_epoch import carry_over, empty_slots


def read(outbox):
    """Set the outbox's state from flash, count this boot and begin a slot. Raises OSError."""
    names = _list_folder(outbox.root)
    outbox._parts = _segments(names)
    outbox._turn = outbox._merged = outbox._parts[-1][0] if outbox._parts else 0
    headers, whole = _headers(outbox, names)
    outbox._certain = _take(outbox, headers) and whole
    outbox.boot += 1
    if not outbox._certain:
        if headers or outbox._parts or whole is None:  # else it was never complete
            outbox.fault = outbox.fault or OSError("flash lost what it held")
        return _renew(outbox, headers, outbox_files.DOUBT in names)
    if outbox.next > 1:
        outbox.doubt = outbox.doubt or outbox.next
        if outbox_files.DOUBT not in names:
            outbox_files.write(outbox._path(outbox_files.DOUBT), "wb", b"")
    else:  # no number was used, or flash lost all of them
        outbox._parts = [part for part in outbox._parts if part[0] <= outbox._merged]
        outbox._new_numbers()
    return outbox._begin()


def _list_folder(folder):
    """Return the names in a folder, which is made if it is missing. Raises OSError."""
    try:
        return os.listdir(folder)
    except OSError:
        os.mkdir(folder)
        return []


def _segments(names):
    """Return (turn, epoch, base) of each segment, oldest first."""
    segments = []
    epoch = ""
    for text in sorted(text for text in names if "-" in text):
        turn, other, base = text.split("-")
        epoch = epoch if epoch == other else other  # share one string, to save memory
        segments.append((int(turn[1:], 16), epoch, int(base, 16)))
    return segments


def _read_header(path):
    """Return (epoch, turn, base, acknowledged, boot, doubt, presses…), or None if the header is damaged.

    If there is none yet, returns (the first turn of the ring,), or () if power went while it was written.
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
    """Read the headers of all slots.

    Returns them in the order of their turns, and whether they are complete: turns without a gap, and files without a
    header only where none was written yet or, in at most one, where power went at its turn. None in place of that if a
    header is damaged.
    """
    headers = []
    empty = []
    count = outbox._slot_count
    damaged = 0
    for slot in range(count):
        fields = _read_header(outbox._slot(slot)) if str(slot) in names else (None,)
        if fields is None or (len(fields) > 1 and fields[1] % count != slot):
            damaged += 1
        elif len(fields) > 1:
            headers.append(fields)
        elif fields != (None,):
            empty.append(fields)
    headers.sort(key=lambda fields: fields[1])
    if damaged or not headers:
        return headers, None if damaged else False
    oldest, newest = headers[0], headers[-1]
    whole = len(headers) + len(empty) == count and newest[1] - oldest[1] + 1 == len(headers)
    return headers, whole and len([1 for mark in empty if not (mark and oldest[1] <= mark[0] <= newest[1])]) <= 1


def _take(outbox, headers):
    """Set the outbox's state from the newest slot; return whether the highest used number is certain."""
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

    try:
        outbox_files.scan(outbox._slot(turn), outbox_files.HEADER_SIZE, outbox.next, outbox_files.ANY, take)
    except OSError as error:
        outbox.fault = error
    # If a segment of another epoch is as new as the newest slot, power went while events were moved into it.
    whole = turn > merged or (turn == merged and epoch_merged == outbox.epoch)
    return whole and not damaged and not outbox.fault


def _renew(outbox, headers, in_doubt):
    """Begin a new epoch; what is readable of the old one goes into segments, to be delivered first.

    Events in doubt move into the new epoch, as their numbers may have been used for other events.
    """
    doubt = outbox.doubt if in_doubt else 0
    outbox.doubt = doubt
    old = before_doubt(outbox, outbox._waiting())
    if old:
        outbox._with_room(lambda slots: merge(outbox, slots), old)
    outbox._parts = [part for part in outbox._parts if part[0] <= outbox._merged or (doubt and part[2] >= doubt)]
    carry_over(outbox, doubt or outbox_files.ANY)
    outbox._certain = True
    if headers:
        outbox._begin()
    empty_slots(outbox, [header[1] for header in headers])
    if not headers:
        outbox._begin()
