"""How the outbox begins a new epoch while it holds events in doubt: seldom needed, and so loaded only then.

A part of `outbox.py`.
"""

import os
import struct

from console import outbox_files


def forget(outbox):
    """Begins a new epoch with what was in doubt; the bridge has all that was before. Raises OSError."""
    old = outbox.epoch
    turns = range(outbox._turn + 1, outbox._turn + 1 + outbox._slot_count)  # of these slots, oldest first
    carry_over(outbox, outbox.doubt or outbox.next)
    while outbox._parts and outbox._parts[0][1] == old:
        outbox._remove_oldest()
    outbox._begin()
    empty_slots(outbox, turns)


def carry_over(outbox, doubt):
    """Draws a new epoch. The outbox's events from number `doubt` on go over into it, numbered from 1.

    Power may go at any point: until the new epoch's first slot begins, the old ones show that this is to be done, and
    the new segment beside them that it has been. Raises OSError.
    """
    old = outbox.epoch
    parts = outbox._parts
    path = outbox._path(outbox_files.MERGING)
    files = []
    if parts and parts[-1][1] == old:  # else they have gone over before power went
        for index, part in enumerate(parts):
            if part[1] == old and part[2] >= doubt:
                files.append(outbox._file(part) + (part[2], outbox._end(index)))  # noqa: RUF005 - as in outbox_recovery.py
    count, presses = _written(path, files, doubt, outbox) if files else (0, None)
    outbox._new_numbers()
    moved = (outbox._turn, outbox.epoch, 1)
    if count:
        os.rename(path, outbox._path(outbox_files.name(*moved)))
    for part in parts:
        if part[1] == old and part[2] >= doubt and part[0] <= outbox._merged:
            os.remove(outbox._path(outbox_files.name(*part)))
    outbox._parts = [part for part in parts if part[1] != old or part[2] < doubt]
    if count:
        outbox._parts.append(moved)
        outbox._merged = outbox._turn
        outbox.next, outbox.presses = 1 + count, presses


def empty_slots(outbox, turns):
    """Begins the ring anew: leaves in all slots, but one that has begun, only the ring's first turn. Raises OSError.

    Damaged ones go first, then those of `turns`, oldest first: should power go, what is left has no gap. They are
    filled before, so that LittleFS divides the folder now and not in an append.
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


def _written(path, files, doubt, outbox):
    """Writes the events from `doubt` on into the segment `path`.

    `files`: (path, offset, first number, number after the last) of each part that holds them, oldest first. Returns
    (how many numbers they take, [yes, no, cant_say, seller] of the presses among them).
    """
    presses = [0, 0, 0, 0]
    count = 0
    copy = bytearray()

    def take(seq, data, mark, _):
        nonlocal count
        while count <= seq - doubt:  # numbers that are gone keep their places
            count += 1
            if data is None or count <= seq - doubt:
                copy.extend(outbox_files.gone(count))
                continue
            copy.extend(outbox_files.record(_moved(data, doubt - 1, outbox), count, mark))
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


def _moved(data, by, outbox):
    """Returns the event, which may name its survey by number, as it is after all numbers have sunk by `by`."""
    try:
        event = outbox._decode(data)
    except Exception:
        return data  # written by another firmware
    if not isinstance(event, dict) or not event.get("survey"):
        return data
    event["survey"] -= by
    return outbox._encode(event)
