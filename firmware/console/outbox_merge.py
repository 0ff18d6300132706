"""Merge slots of the outbox into a segment, before their turn comes again.

A part of `outbox.py`. The newest segment grows, as it takes a board half a second to compact a folder of sixty files,
which LittleFS does at one in sixteen changes.
"""

import os

from console import outbox_files


def merge_slots(outbox, slots):
    """Merge the slots, those before the numbers in doubt by themselves. Raises OSError."""
    older = before_doubt(outbox, slots)
    try:
        for group in (older, slots[len(older) :]):
            if group:
                outbox._with_room(lambda slots: merge(outbox, slots), group)
    except OSError as error:
        if (
            error.errno != outbox_files.NO_SPACE
        ):  # if full, the oldest events are in a slot, and are dropped at its turn
            raise
    _drop_above_limit(outbox)


def before_doubt(outbox, slots):
    """Return those of the slots whose numbers are not in doubt."""
    return [part for part in slots if part[2] < (outbox.doubt or outbox_files.ANY)]


def merge(outbox, slots):
    """Write the events of the slots into a segment; lost numbers keep their places. Raises OSError."""
    outbox._reader.forget()
    copy = bytearray()
    for index, part in enumerate(outbox._parts):
        if part in slots:
            copy.extend(outbox_files.copy_records(outbox._slot(part[0]), part[2], outbox._end(index)))
    segments = [part for part in outbox._parts if part[0] <= outbox._merged]
    base, path, mode = slots[0][2], outbox._path(outbox_files.MERGING), "wb"
    if _may_grow(outbox, segments, slots[0]):
        grown = segments.pop()
        base, path, mode = grown[2], outbox._path(outbox_files.segment_name(*grown)), "ab"
    segment = (slots[-1][0], slots[0][1], base)
    outbox._grows = False  # until all is done: it may hold more than its name says
    outbox_files.write(path, mode, copy)
    os.rename(path, outbox._path(outbox_files.segment_name(*segment)))
    outbox._grows = True
    outbox._parts = segments + [segment] + [part for part in outbox._parts if part[0] > segment[0]]
    outbox._merged = segment[0]


def _drop_above_limit(outbox):
    while (
        len(outbox._parts) > 1
        and outbox_files.numbers_in(outbox._parts[1:], outbox.next) >= outbox.limit
        and outbox._drop_oldest()
    ):
        pass


def _may_grow(outbox, segments, slot):
    """Return whether the newest segment can take the events of `slot` and later ones."""
    if not outbox._grows or not segments:
        return False
    newest, doubt = segments[-1], outbox.doubt or outbox_files.ANY
    return (
        outbox._end(len(segments) - 1) == slot[2]
        and newest[1] == slot[1]
        and (newest[2] < doubt) == (slot[2] < doubt)
        and slot[2] - newest[2] < outbox.limit // 8
    )
