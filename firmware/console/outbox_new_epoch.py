"""Begin a new epoch of the outbox while it holds events in doubt.

A part of `outbox.py`, loaded only when needed, which is rare.
"""

import os
import struct

from console import outbox_files


def begin(outbox):
    """Begin a new epoch with the events in doubt; the bridge has all events before them. Raises OSError."""
    old = outbox.epoch
    turns = range(outbox._turn + 1, outbox._turn + 1 + outbox._slot_count)  # of these slots, oldest first
    carry_over(outbox, outbox.doubt or outbox.next)
    while outbox._parts and outbox._parts[0][1] == old:
        outbox._remove_oldest()
    outbox._begin()
    empty_slots(outbox, turns)


def carry_over(outbox, doubt):
    """Draw a new epoch, and move the events from number `doubt` on into it, numbered from 1. Raises OSError.

    Power may go at any point: until the new epoch's first slot begins, the old slots show that this has to be done, and
    a new segment beside them that it has been done.
    """
    old = outbox.epoch
    parts = outbox._parts
    path = outbox._path(outbox_files.MERGING)
    files = []
    if parts and parts[-1][1] == old:  # else they were moved before power went
        for index, part in enumerate(parts):
            if part[1] == old and part[2] >= doubt:
                files.append(outbox._file(part) + (part[2], outbox._end(index)))  # noqa: RUF005 - as in outbox_recovery.py
    count, presses = _write_segment(path, files, doubt, outbox) if files else (0, None)
    outbox._new_numbers()
    moved = (outbox._turn, outbox.epoch, 1)
    if count:
        os.rename(path, outbox._path(outbox_files.segment_name(*moved)))
    for part in parts:
        if part[1] == old and part[2] >= doubt and part[0] <= outbox._merged:
            outbox_files.remove(outbox._path(outbox_files.segment_name(*part)))
    outbox._parts = [part for part in parts if part[1] != old or part[2] < doubt]
    if count:
        outbox._parts.append(moved)
        outbox._merged = outbox._turn
        outbox.next, outbox.presses = 1 + count, presses


def empty_slots(outbox, turns):
    """Start the ring again: leave only the ring's first turn in each slot, except one that has begun. Raises OSError.

    Damaged slots are emptied first, then those of `turns`, oldest first: if power goes, the rest has no gap. Each slot
    is filled before, so that LittleFS splits the folder now and not in an append.
    """
    count = outbox._slot_count
    slots = [turn % count for turn in turns]
    slots = [slot for slot in range(count) if slot not in slots] + slots
    first = outbox._turn + (outbox._used is None)
    mark = struct.pack("<I", first)
    for size, slot in [(size, slot) for size in (outbox._slot_size, outbox_files.MARK_SIZE) for slot in slots]:
        if outbox._used is None or slot != first % count:
            outbox_files.write(outbox._slot(slot), "wb", mark + bytes(size - len(mark)))
    outbox._end_doubt()


def _write_segment(path, files, doubt, outbox):
    """Write the events from `doubt` on into the segment `path`.

    `files`: (path, offset, first number, number after the last) of each part that holds them, oldest first. Returns
    (how many numbers they take, [yes, no, cant_say, seller] of the presses among them).
    """
    presses = [0, 0, 0, 0]
    count = 0
    copy = bytearray()

    def take(seq, data, mark, _):
        nonlocal count
        while count <= seq - doubt:  # lost numbers keep their places
            count += 1
            if data is None or count <= seq - doubt:
                copy.extend(outbox_files.placeholder(count))
                continue
            copy.extend(outbox_files.record(_renumbered(data, doubt - 1, outbox), count, mark))
            if mark:
                presses[mark - 1] += 1

    outbox_files.write(path, "wb", b"")
    for source, offset, seq, end in files:
        copy = bytearray()
        try:
            outbox_files.scan(source, offset, seq, end, take)
        except OSError:
            pass  # it can't be read, now or later
        outbox_files.write(path, "ab", copy)
    return count, presses


def _renumbered(data, by, outbox):
    """Return the record of an event after all numbers were lowered by `by`: it may name its survey by number."""
    try:
        event = outbox._decode(data)
    except ValueError:
        return data  # another version of the firmware wrote it
    if not isinstance(event, dict) or not event.get("survey"):
        return data
    event["survey"] -= by
    return outbox._encode(event)
