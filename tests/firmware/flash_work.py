"""Exercise the outbox on LittleFS on a NOR flash: `micropython flash_work.py JOB PROG_SIZE [SEED]`.

MicroPython runs it with the firmware on its path. It makes its files in the working folder and prints a line of JSON;
an exception ends it.
"""

import gc
import json
import os
import random
import struct
import sys
import time

import vfs

HERE = __file__.rsplit("/", 1)[0]
sys.path += [HERE + "/../../simulator/board", HERE + "/portable"]
from at_once import discard_all, next_message, read_batch  # noqa: E402
from console.delivery import Delivery  # noqa: E402
from console.outbox import Outbox  # noqa: E402
from flash import Cut, Flash, PowerCut  # noqa: E402

del sys.path[-2:]

FULL = 5000
OVERFULL = 2000  # events, more than the small flash holds


def encode(event):
    """Return an event of 20 to 30 bytes, the usual size."""
    return struct.pack("<I", event) + bytes(16 + event % 11)


def decode(record):
    return struct.unpack("<I", record)[0]


def mounted(path, prog_size, size=848 * 1024, fault=None):
    """Mount the flash in the file `path` at /flash; make the file and a filesystem if it is missing."""
    fresh = path not in os.listdir()
    flash = Flash(path, size, prog_size)
    if fresh:
        vfs.VfsLfs2.mkfs(flash, progsize=prog_size)
    vfs.mount(vfs.VfsLfs2(flash, progsize=prog_size), "/flash")
    flash.fault = fault
    return flash


def opened(prog_size):
    outbox = Outbox("/flash/outbox", encode, decode, prog_size)
    outbox.open()
    if outbox.doubt:
        outbox.trust()  # the bridge knows no more
    return outbox


def drained(outbox):
    """Take and acknowledge all events that wait; return them. There must be no gap."""
    drained_events = []
    epoch, first, end = outbox.delivery()
    for seq in range(first, end):
        if seq >= first + len(drained_events):
            base, events = read_batch(outbox, seq)
            assert base == seq, (base, seq)
            assert events
            drained_events += events
            outbox.acknowledge(epoch, base + len(events) - 1)
            discard_all(outbox)
    return drained_events


def wear(prog_size):
    """Measure erases per 1,000 events, reads of the longest append, and opening and draining with 5,000 events."""
    flash = mounted("wear.bin", prog_size)
    outbox = opened(prog_size)
    figures = {}
    for name, behind, count in (("acknowledged", 0, 1000), ("32 behind", 32, 1000), ("offline", 1 << 30, FULL)):
        erases = flash.erases
        longest = 0
        for number in range(count):
            if number % 5 == 0:
                outbox.tidy()  # as when nobody presses for a while
            reads = flash.reads
            seq = outbox.append(outbox.next)
            longest = max(longest, flash.reads - reads)
            if behind < seq:
                outbox.acknowledge(outbox.epoch, seq - behind)
                discard_all(outbox)
        figures["erases, " + name] = (flash.erases - erases) * 1000 / count
        figures["reads, " + name] = longest
    assert outbox.delivery()[1:] == (2000 - 31, 2000 + FULL + 1)
    assert outbox.lost == 0
    figures["free blocks"] = os.statvfs("/flash")[3]
    outbox = None
    gc.collect()
    before = gc.mem_alloc()
    begun = time.ticks_us()
    outbox = opened(prog_size)
    figures["open ms"] = time.ticks_diff(time.ticks_us(), begun) / 1000
    gc.collect()
    figures["heap bytes"] = gc.mem_alloc() - before
    begun = time.ticks_us()
    epoch, seq, end = outbox.delivery()
    assert (seq, end) == (2000 - 31, 2000 + FULL + 1)
    while seq < end:  # in pieces: a used heap has no room for a list of all
        base, events = read_batch(outbox, seq)
        assert base == seq
        assert events == list(range(seq, seq + len(events)))
        seq += len(events)
        outbox.acknowledge(epoch, seq - 1)
        discard_all(outbox)
    figures["drain ms"] = time.ticks_diff(time.ticks_us(), begun) / 1000
    return figures


def no_space(prog_size):
    """Fill a flash that is too small: the oldest events are dropped, and all works again once there is room."""
    mounted("small.bin", prog_size, 28 * 4096)
    with open("/flash/other", "wb") as file:
        file.write(bytes(6 * 4096))
    outbox = opened(prog_size)
    for _ in range(OVERFULL):
        outbox.append(outbox.next)
    first = outbox.first
    assert outbox.lost == first - 1 > 0
    assert opened(prog_size).delivery() == outbox.delivery()
    assert drained(outbox) == list(range(first, OVERFULL + 1))
    for _ in range(100):
        outbox.append(outbox.next)
    assert drained(opened(prog_size))[-100:] == list(range(OVERFULL + 1, OVERFULL + 101))
    return {"held": OVERFULL + 1 - first}


def no_space_in_doubt(prog_size):
    """Start offline with events that wait, then add more than there is room for: dropped events are counted as lost."""
    mounted("small.bin", prog_size, 28 * 4096)
    with open("/flash/other", "wb") as file:
        file.write(bytes(6 * 4096))
    outbox = opened(prog_size)
    for _ in range(100):
        outbox.append(outbox.next)
    outbox.acknowledge(outbox.epoch, 60)
    epoch = outbox.epoch
    outbox = Outbox("/flash/outbox", encode, decode, prog_size)
    outbox.open()
    for _ in range(OVERFULL):
        outbox.append(outbox.next)
    assert outbox.first > outbox.doubt == 101
    delivery = Delivery(outbox)
    received = set(range(1, 61))
    through = 60
    now_ms = 0
    while outbox.first < outbox.next:
        now_ms += 10
        batch = json.loads(next_message(delivery, now_ms) or "{}")
        assert now_ms < 60000
        if not batch:
            continue
        assert batch["epoch"] == epoch
        received.update(batch["events"])
        through = max(through, batch["first"] - 1)
        while through + 1 in received:
            through += 1
        delivery.acknowledged(epoch, through, now_ms)
    assert through == 100 + OVERFULL
    return {"lost": through - len(received), "lost by the console's count": outbox.lost}


def power_cut(prog_size):
    """Start, then append and acknowledge until power goes; nothing stored before is lost.

    `flash_work.py power_cut PROG_SIZE SEED LIFE`, with LIFE as this printed it the last time, or {}. The process ends
    at once when power goes: as on a board, nothing closes its open files.
    """
    import ffi

    random.seed(int(sys.argv[3]))
    flash = mounted("cut.bin", prog_size, 40 * 4096)
    life = FlashLife(prog_size, json.loads(sys.argv[4]))
    last = flash.programs + flash.erases + random.randrange(1, 120)
    flash.fault = Cut(last, random.choice((0, 0.25, 0.5, 0.75, 1, -0.5)), prog_size)
    behind = random.choice((0, 5, 40, 300))
    try:
        while True:
            life.live(behind)
    except (PowerCut, OSError):
        assert not flash.powered
        print(json.dumps(life.state()))  # noqa: T201 - LIFE of the next run
    ffi.open(None).func("v", "_exit", "i")(0)


class FlashLife:
    """What was put into the outbox; event n has number n. `state` is the one at the end of the previous life."""

    def __init__(self, prog_size, state):
        self.prog_size = prog_size
        self.stored, self.acknowledged = state.get("stored", 0), state.get("acknowledged", 0)
        self.boots, self.epoch = state.get("boots", 0), state.get("epoch")
        self.outbox = None
        self.check()

    def state(self):
        return {"stored": self.stored, "acknowledged": self.acknowledged, "boots": self.boots, "epoch": self.epoch}

    def live(self, behind):
        self.outbox.append(self.stored + 1)
        self.stored += 1
        if random.random() < 0.1:
            self.outbox.tidy()
        if self.stored - behind > self.acknowledged:
            self.acknowledged = self.stored - behind
            self.outbox.acknowledge(self.epoch, self.acknowledged)
            discard_all(self.outbox)

    def check(self):
        """Open the outbox again: it holds all that was stored, and perhaps the event that was being stored."""
        self.outbox = opened(self.prog_size)
        epoch, first, end = self.outbox.delivery()
        self.epoch = self.epoch or epoch
        assert epoch == self.epoch
        assert self.outbox.boot > self.boots
        self.boots = self.outbox.boot
        assert end - 2 <= self.stored < end
        self.stored = end - 1
        assert first <= self.acknowledged + 1
        while first < end:
            base, events = read_batch(self.outbox, first)
            assert base == first
            assert events == list(range(base, base + len(events)))
            first += len(events)


def endless(prog_size):
    """Append events and print their numbers, until killed."""
    mounted("killed.bin", prog_size)
    outbox = opened(prog_size)
    while True:
        print(outbox.append(outbox.next))  # noqa: T201 - the test reads it


def held(prog_size):
    """Return what the flash holds after `endless`."""
    mounted("killed.bin", prog_size)
    outbox = opened(prog_size)
    return {"boot": outbox.boot, "events": drained(outbox)}


JOBS = {
    "wear": wear,
    "no_space": no_space,
    "no_space_in_doubt": no_space_in_doubt,
    "power_cut": power_cut,
    "endless": endless,
    "held": held,
}

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](int(sys.argv[2]))))  # noqa: T201 - the result
