"""How the outbox's files look in flash: headers, records and names.

    slot     header (epoch, turn, base number, acknowledged number, boot, presses, CRC) and records
    segment  records; its name tells the last turn in it, the epoch and the first number
    record   length and mark, CRC over the event with its number as seed, the event

LittleFS changes a file at once, when it is closed. On other filesystems a record or header that ends before its
length was being written when power went, and nobody was told that it was kept. Anything else that does not check is
damage.
"""

import struct
from binascii import crc32, hexlify, unhexlify

LENGTH_MAX = 0xFFF
RECORD_SIZE = 6
HEADER_SIZE = 40  # with its CRC
ANY = 1 << 32
_HEADER = "<4sIIII4I"
_RECORD = "<HI"  # length in the low 12 bits, mark above them; CRC


def header(epoch, *fields):
    """Returns the bytes of a header; `fields`: turn, base, acknowledged, boot and the four counts of presses."""
    data = struct.pack(_HEADER, unhexlify(epoch), *fields)
    return data + struct.pack("<I", crc32(data))


def read_header(path):
    """Returns (epoch, turn, base, acknowledged, boot, presses…); () if it was cut short, None if it does not check."""
    with open(path, "rb") as file:
        data = file.read(HEADER_SIZE)
    if len(data) < HEADER_SIZE:
        return ()
    if struct.unpack("<I", data[-4:])[0] != crc32(data[:-4]):
        return None
    fields = struct.unpack(_HEADER, data[:-4])
    return (str(hexlify(fields[0]), "ascii"),) + fields[1:]  # noqa: RUF005 - MicroPython has no such unpacking


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


def name(turn, epoch, base):
    """Returns the name of a segment."""
    return "%08x-%s-%x" % (turn, epoch, base)


def parse(text):
    """Returns (turn, epoch, base) of a segment's name."""
    turn, epoch, base = text.split("-")
    return int(turn, 16), epoch, int(base, 16)
