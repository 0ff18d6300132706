"""Read and write the outbox's files in flash: headers, records and names; and the doors to flash for all who change it.

    slot     header (epoch, turn, base number, acknowledged number, boot, doubt, presses, CRC) and records
             or, until its turn, only the first turn of the ring
    segment  records; its name holds the last turn in it, the epoch and the first number
    doubt    an empty file: numbers are in doubt (the newest header says so too, but may be lost)
    record   length and mark, CRC over the event with its number as seed, the event

LittleFS changes a file as a whole, when it is closed. On other filesystems a record or header that is too short was
being written when power went, so nobody was told that it was stored. Anything else that does not match is damage.
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
NO_SPACE = 28  # errno
DOUBT = "doubt"  # a file that exists as long as numbers are in doubt
MERGING = "new"
HEADER = "<4sIIIII4I"

# The size (bytes) and number of slots, by how many bytes LittleFS programs at once. It keeps a file of up to 128 B
# inside the directory if that is 32 B, and of up to 512 B if it is 256 B. All slots together make a segment of about
# one block. The fewer files, the less LittleFS reads when it compacts a directory, which it does within an append.
SLOTS = {32: (128, 32), 256: (440, 8)}
_RECORD = "<HI"  # length in the low 12 bits, mark above them; CRC

_unclosed = []  # files that a failing flash left open: if collected, they would write while the heap is locked


def is_slow():
    """Measure whether flash is too slow to be used. An update over the air may run without the guard at the root."""
    module = sys.modules.get("flash_guard")
    if module is None or module.guard is None:
        return False
    module.guard.probe()
    return module.guard.is_slow


def check_speed():
    """Raise OSError if flash is too slow to be used: one change may read it thousands of times."""
    if is_slow():
        raise OSError("too slow")


def write(path, mode, data):
    """Write `data` to a file and close it. Raises OSError."""
    check_speed()
    file = open(path, mode)
    try:
        file.write(data)
    finally:
        try:
            file.close()
        except OSError:
            _unclosed.append(file)
            raise


def remove(path):
    """Remove a file. Raises OSError."""
    check_speed()
    os.remove(path)


def header(epoch, *fields):
    """Return the bytes of a header; `fields`: turn, base, acknowledged, boot, doubt and four counts of presses."""
    data = struct.pack(HEADER, unhexlify(epoch), *fields)
    return data + struct.pack("<I", crc32(data))


def record(data, seq, mark):
    """Return the record of event `seq`; `mark` is 0, or 1 + the button of the press that it counts."""
    return struct.pack(_RECORD, len(data) | mark << 12, crc32(data, seq)) + data


def placeholder(seq):
    """Return a record that keeps the place of a lost event: one whose CRC is wrong."""
    return struct.pack(_RECORD, 0, ~crc32(b"", seq) & 0xFFFFFFFF)


def scan(path, offset, seq, end, take):
    """Call take(seq, data, mark, offset after it) for each record from `seq` to `end` - 1, until it returns true.

    `data` is None if a record's CRC is wrong. Returns the number after the last record seen. Raises OSError.
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


def copy_records(path, seq, end):
    """Return the records `seq` to `end` - 1 of a slot; lost ones keep their places."""
    try:
        with open(path, "rb") as file:
            file.seek(HEADER_SIZE)
            data = file.read()
    except OSError:
        data = b""  # it can't be read, now or later
    at = 0
    while seq < end and record_size(data, at):
        at += record_size(data, at)
        seq += 1
    copy = bytearray(data[:at])
    for number in range(seq, end):
        copy.extend(placeholder(number))
    return copy


def record_size(data, at):
    """Return the size of the record at this place, with its head; 0 if it is not there as a whole."""
    left = len(data) - at
    if left < RECORD_SIZE:
        return 0
    size = RECORD_SIZE + ((data[at] | data[at + 1] << 8) & LENGTH_MAX)
    return size if size <= left else 0


def numbers_in(parts, next):
    """Return how many numbers the parts (turn, epoch, base) hold; the last part ends before `next`."""
    _, epoch, base = parts[0]
    count = 0
    for _, other, number in parts[1:]:
        count += number - base if other == epoch else 0
        epoch, base = other, number
    return count + next - base


def segment_end(path, base):
    """Return the number after the last one that can be read in a segment."""
    end = base

    def take(seq, data, *_):
        nonlocal end
        end = end if data is None else seq + 1

    try:
        scan(path, 0, base, ANY, take)
    except OSError:
        return base
    return end


def segment_name(turn, epoch, base):
    """Return the name of a segment. It sorts after the slots, as LittleFS searches names in order."""
    return "s%08x-%s-%x" % (turn, epoch, base)


def unload(*names):
    """Unload modules of `console`; their memory is freed once nothing refers to them."""
    for name in names:
        if sys.modules.pop("console." + name, None):
            delattr(sys.modules["console"], name)


def new_epoch():
    """Return eight random hex digits."""
    return str(hexlify(os.urandom(4)), "ascii")
