"""Cut power at every program and erase of a workload: `micropython power_cuts.py PROG_SIZE SHARD SHARDS SEED`.

The workload runs once, on a flash that notes every operation. Then, for each operation, the flash is restored as it was
before, with that operation torn, and mounted: nothing is closed, and nothing of the previous life is in memory. This
process checks operations SHARD, SHARD + SHARDS ... and prints a line of JSON; an exception ends it.

How a cut tears an operation of a NOR chip: programs go page by page (256 B). Within a page bits are pulled from 1 to 0,
and any of them may be done, in any order. An erase first programs the whole block to 0, then raises all its bits
together; meanwhile any of them may read as either. Where a program meets what a torn one left, only bits that are 1 in
both stay 1, and the driver does not learn of it. Bits that read differently each time are not modelled.
"""

import gc
import io
import json
import os
import random
import struct
import sys

import vfs

HERE = __file__.rsplit("/", 1)[0]
sys.path += [HERE + "/../../simulator/board", HERE + "/portable"]
from at_once import read_batch  # noqa: E402
from console import outbox_files, settings  # noqa: E402
from console.outbox import Outbox  # noqa: E402
from flash import BLOCK_SIZE, COUNTS, Flash  # noqa: E402

del sys.path[-2:]

SIZE = 40 * BLOCK_SIZE
EVENTS = 220
OUTBOX = "/flash/outbox"
RESTART_AT = 125
TRUST_AT = 140
PAGE = 256
WAYS = {"program": ("first", "last"), "erase": ("first", "last")}
BY_TURNS = {
    "program": ("nothing", "bits"),
    "erase": ("bits", "zeros"),
}  # one of the two for each operation


class RamFlash(Flash):
    """A flash in RAM; `log` gets (place, data, kind) of each operation. `torn`: (start, end) of what a cut left."""

    def __init__(self, image, prog_size, log=None, torn=(0, 0)):
        self.log = log
        self.torn = torn
        super().__init__(image, len(image), prog_size)

    def _open(self, image):
        return io.BytesIO(bytes(image) + bytes(struct.calcsize(COUNTS)))

    def image(self):
        """Return its content."""
        return bytearray(self._file.getvalue()[:SIZE])

    def writeblocks(self, block, buffer, offset):
        place = block * BLOCK_SIZE + offset
        if place < self.torn[1] and self.torn[0] < place + len(buffer):
            self._seek(block, offset, len(buffer))
            old = self._file.read(len(buffer))
            buffer = bytes([a & b for a, b in zip(old, buffer)])
        super().writeblocks(block, buffer, offset)

    def _write(self, place, data, kind):
        if self.log is not None:
            self.log.append((place, bytes(data), kind))
        super()._write(place, data, kind)


def encode(event):
    """Return an event of 28 to 38 bytes, the usual size."""
    return struct.pack("<I", event) + bytes(24 + event % 11)


def decode(record):
    return struct.unpack("<I", record)[0]


def some_settings(revision):
    made = settings.Settings()
    made.revision = revision
    made.text = {"en": "Were you satisfied?", "ru": "Довольны ли Вы?"}
    return made


def newest_turn():
    """Return the turn of the newest slot, by the headers in flash."""
    turns = [0]
    for name in os.listdir(OUTBOX):
        if "-" not in name:
            with open(OUTBOX + "/" + name, "rb") as file:
                header = file.read(outbox_files.HEADER_SIZE)
            if len(header) == outbox_files.HEADER_SIZE:
                turns.append(struct.unpack(outbox_files.HEADER, header[:-4])[1])
    return max(turns)


class Work:
    """The workload. `marks`: after each step, the count of operations and the state that must hold from then on."""

    def __init__(self, prog_size):
        self.log = []
        self.marks = []
        self.stored = self.through = self.noted = self.boots = self.revision = 0
        self.epoch = self.outbox = None
        self.segments = set()
        flash = RamFlash(b"\xff" * SIZE, prog_size)
        vfs.VfsLfs2.mkfs(flash, progsize=prog_size)
        self.image = flash.image()
        flash.log = self.log
        vfs.mount(vfs.VfsLfs2(flash, progsize=prog_size), "/flash")
        self.prog_size = prog_size
        self.mark()
        self.live()
        vfs.umount("/flash")

    def mark(self):
        if self.outbox:
            self.segments.update(name for name in os.listdir(OUTBOX) if "-" in name)
        state = (self.stored, self.noted, self.through, self.boots, self.epoch, self.revision)
        self.marks.append((len(self.log), state))

    def start(self):
        self.outbox = Outbox(OUTBOX, encode, decode, self.prog_size)
        self.outbox.open()
        self.boots += 1
        self.epoch = self.outbox.epoch
        self.turn = newest_turn()
        self.mark()

    def live(self):
        self.start()
        for number in range(1, EVENTS + 1):
            self.append(number)
            if number == RESTART_AT:
                self.start()
            elif number == TRUST_AT:
                self.acknowledge(RESTART_AT)
            elif number in (40, 110):
                settings.save("/flash/settings.json", some_settings(number))
                self.revision = number
            behind = 3 if number < 20 else EVENTS if number < 205 else 10
            if number % 4 == 0 and number > behind:
                self.acknowledge(number - behind)
            if number % 5 == 0 and number > TRUST_AT:  # before that, an append has to make room itself
                self.outbox.tidy()
            self.mark()
        assert self.outbox.lost == 0
        assert len(self.segments) >= 2, self.segments

    def append(self, number):
        before = self.through
        assert self.outbox.append(number) == number
        turn = newest_turn()
        if turn != self.turn:  # its header holds how far the bridge was
            self.turn, self.noted = turn, before
        self.stored = number
        self.mark()

    def acknowledge(self, through):
        self.through = through
        self.outbox.acknowledge(self.epoch, through)
        self.mark()


def torn(way, old, new, noise):
    """Return what an operation's place holds after a cut."""
    half = len(old) // 2
    if way == "nothing":
        return old
    if way == "first":
        return new[:half] + old[half:]
    if way == "last":
        return old[:half] + new[half:]
    if way == "zeros":
        return bytes(len(old))
    return bytes([a ^ ((a ^ b) & mask) for a, b, mask in zip(old, new, noise)])


def tears(kind, old, new, noise):
    """Yield (way, what a cut leaves in this operation's place, the range in which bits may be neither old nor new)."""
    ways = WAYS[kind] + (BY_TURNS[kind][noise[0] % 2],)
    for way in ways if kind == "erase" else ():
        yield way, torn(way, old, new, noise), (0, 0)
    for at in range(0, len(old), PAGE) if kind == "program" else ():
        end = min(at + PAGE, len(old))
        for way in ways:
            page = torn(way, old[at:end], new[at:end], noise)
            yield way, new[:at] + page + old[end:], (at, end)


def checked(image, prog_size, spoilt, before, after):
    """Start on this flash: it holds what was stored before the cut, and at most the event that was being stored.

    Events that the bridge has come again only from the last slot's beginning on; the settings are old or new.
    """
    stored, noted, _, boots, epoch, revision = before
    flash = RamFlash(image, prog_size, torn=spoilt)
    vfs.mount(vfs.VfsLfs2(flash, progsize=prog_size), "/flash")
    try:
        outbox = Outbox(OUTBOX, encode, decode, prog_size)
        outbox.open()
        assert outbox.fault is None, outbox.fault
        assert outbox.lost == 0
        assert boots < outbox.boot <= after[3] + 1
        assert stored == 0 or outbox.epoch == epoch, "a new epoch without need"
        assert stored <= outbox.next - 1 <= after[0], (stored, outbox.next)
        way, first, end = outbox.delivery()
        assert (way, end) == (outbox.epoch, outbox.next)
        assert noted < first <= after[2] + 1, (noted, first)
        read(outbox, first, end)
        loaded = settings.load("/flash/settings.json")
        assert (loaded.revision if loaded else 0) in (revision, after[5])
        return outbox
    except BaseException:
        vfs.umount("/flash")
        raise


def goes_on(outbox, prog_size):
    """Append more events, under the next numbers, and find them at the next start."""
    epoch, _, end = outbox.delivery()
    try:
        if outbox.doubt:
            outbox.acknowledge(epoch, outbox.doubt - 1)
        assert [outbox.append(end + more) for more in range(4)] == [end, end + 1, end + 2, end + 3]
        again = Outbox(OUTBOX, encode, decode, prog_size)
        again.open()
        state = (again.epoch, again.next, again.fault, again.boot)
        assert state == (epoch, end + 4, None, outbox.boot + 1), state
        read(again, again.first, end + 4)
    finally:
        vfs.umount("/flash")


def read(outbox, first, end):
    while first < end:
        base, events = read_batch(outbox, first)
        assert base == first, (base, first)
        assert events == list(range(base, base + len(events)))
        first += len(events)


def tried(number, entry, image, noise, prog_size, states):
    """Cut power in one operation, in each way; return how often. After every third cut, go on working, too."""
    place, data, kind = entry
    old = bytes(image[place : place + len(data)])
    cuts = 0
    for way, left, (first, end) in tears(kind, old, data, noise[number * 37 % BLOCK_SIZE :]):
        image[place : place + len(data)] = left
        try:
            outbox = checked(image, prog_size, (place + first, place + end), *states)
            if (number + cuts) % 3 == 0:
                goes_on(outbox, prog_size)
            else:
                vfs.umount("/flash")
        except BaseException:
            print("operation", number, kind, way)  # noqa: T201 - with the seed it can be repeated
            raise
        cuts += 1
        gc.collect()
    return cuts


def main(prog_size, shard, shards, seed):
    random.seed(seed)
    noise = bytes([random.getrandbits(8) for _ in range(2 * BLOCK_SIZE)])
    work = Work(prog_size)
    image = work.image
    marks = iter(work.marks)
    before = after = next(marks)
    cuts = 0
    for number, entry in enumerate(work.log):
        while after[0] <= number:
            before, after = after, next(marks)
        if number % shards == shard:
            cuts += tried(number, entry, image, noise, prog_size, (before[1], after[1]))
        place, data, _ = entry
        image[place : place + len(data)] = data
    erases = len([1 for entry in work.log if entry[2] == "erase"])
    return {"programs": len(work.log) - erases, "erases": erases, "cuts": cuts, "turns": work.turn}


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))  # noqa: T201 - the result
