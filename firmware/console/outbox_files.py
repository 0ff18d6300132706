"""How the outbox's files look in flash: headers, records and names.

    slot     header (epoch, turn, base number, acknowledged number, boot, doubt, presses, CRC) and records
             or, until its turn, only the first turn of the ring
    segment  records; its name tells the last turn in it, the epoch and the first number
    doubt    an empty file: numbers are in doubt (should the newest header be lost, which says so too)
    record   length and mark, CRC over the event with its number as seed, the event

LittleFS changes a file at once, when it is closed. On other filesystems a record or header that ends before its
length was being written when power went, and nobody was told that it was kept. Anything else that does not check is
damage.
"""

import os
import struct
import sys
from binascii import crc32, hexlify, unhexlify

LENGTH_MAX = 0xFFF
RECORD_SIZE = 6
HEADER_SIZE = 44  # with its CRC
MARK_SIZE = 4
ANY = 1 << 32
DOUBT = "doubt"  # a file that is there as long as numbers are in doubt
MERGING = "new"
HEADER = "<4sIIIII4I"

# Bytes and number of slots by what LittleFS programs at once. It keeps 128 B inside the directory if that is 32 B, and
# 512 B if it is 256 B. Together they make a segment of about one block. The fewer files, the less LittleFS has to read
# when it puts a directory in order, which it does within an append.
SLOTS = {32: (128, 32), 256: (440, 8)}
_RECORD = "<HI"  # length in the low 12 bits, mark above them; CRC

_unclosed = []  # files that a failing flash left open: collected, they would write while the heap is locked


def write(path, mode, data):
    """Writes `data` to a file, which is closed then. Raises OSError."""
    file = open(path, mode)
    try:
        file.write(data)
    finally:
        try:
            file.close()
        except OSError:
            _unclosed.append(file)
            raise


def header(epoch, *fields):
    """Returns the bytes of a header; `fields`: turn, base, acknowledged, boot, doubt and four counts of presses."""
    data = struct.pack(HEADER, unhexlify(epoch), *fields)
    return data + struct.pack("<I", crc32(data))


def record(data, seq, mark):
    """Returns the bytes of event `seq`; `mark` is 0 or 1 + the button of the press that it counts."""
    return struct.pack(_RECORD, len(data) | mark << 12, crc32(data, seq)) + data


def gone(seq):
    """Returns the bytes that keep the place of an event that is gone: a record that does not check."""
    return struct.pack(_RECORD, 0, ~crc32(b"", seq) & 0xFFFFFFFF)


def scan(path, offset, seq, end, take):
    """Calls take(seq, data, mark, offset after it) for each record from `seq` to `end` - 1, until it answers true.

    `data` is None where a record does not check. Returns the number after the last one seen. Raises OSError.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        while seq < end:
            head = file.read(RECORD_SIZE)
            if len(head) < RECORD_SIZE:
                break
            length, check = struct.unpack(_RECORD, head)
            data = file.read(length & LENGTH_MAX)
            if len(data) < length & LENGTH_MAX:
                break
            offset += RECORD_SIZE + len(data)
            seq += 1
            if take(seq - 1, data if crc32(data, seq - 1) == check else None, length >> 12, offset):
                break
    return seq


def copied(path, seq, end):
    """Returns the records `seq` to `end` - 1 of a slot; those that are gone keep their places."""
    copy = bytearray()

    def take(number, data, mark, _):
        copy.extend(gone(number) if data is None else record(data, number, mark))

    try:
        seq = scan(path, HEADER_SIZE, seq, end, take)
    except OSError:
        copy = bytearray()  # it can't be read, now or later
    for number in range(seq, end):
        copy.extend(gone(number))
    return copy


def held(parts, next):
    """Returns how many numbers the parts (turn, epoch, base) hold, of which the last one ends before `next`."""
    _, epoch, base = parts[0]
    count = 0
    for _, other, number in parts[1:]:
        count += number - base if other == epoch else 0
        epoch, base = other, number
    return count + next - base


def end(path, base):
    """Returns the number after the last that can be read in a segment."""
    found = base

    def take(seq, data, *_):
        nonlocal found
        found = found if data is None else seq + 1

    try:
        scan(path, 0, base, ANY, take)
    except OSError:
        return base
    return found


def name(turn, epoch, base):
    """Returns the name of a segment. It sorts after the slots, for LittleFS looks names up in order."""
    return "s%08x-%s-%x" % (turn, epoch, base)


def let_go(*names):
    """Unloads modules that have done their work; their memory is free once nothing else refers to them."""
    for name in names:
        if sys.modules.pop("console." + name, None):
            delattr(sys.modules["console"], name)


def new_epoch():
    """Returns eight hex digits by chance."""
    return str(hexlify(os.urandom(4)), "ascii")
