"""The outbox: events wait here, numbered and in flash, until the bridge has acknowledged them.

    outbox = Outbox("/flash/outbox", events.encode, events.decode, prog_size=256)
    outbox.open()
    seq = outbox.append(event, button)          # in flash when it returns
    epoch, first, next = outbox.delivery()      # what is to be sent now: the oldest epoch that still waits
    base, events = outbox.batch(first)          # up to 32 events, numbered base, base + 1, ...
    outbox.acknowledge(epoch, through)

In flash there is a ring of small files, the slots, each rewritten in its turn. A slot is small enough for LittleFS to
keep it inside the directory, so an event costs one commit and a tenth of a block erase, or less. If a slot's turn
comes while it holds events that wait, all such slots are put together into one larger file, a segment; it is deleted
when the bridge has all of it. What a slot held is readable until its next turn, in case the bridge is restored.

Numbers must never be given twice: where damage leaves the highest number used uncertain, a new epoch begins, and
what is readable of the old one is delivered first. Damage may also take LittleFS back to an older state that looks
whole. So the numbers given since a start are in doubt, and wait until the bridge has acknowledged the last one before
them, and no more. If it knows of more, or damage is found meanwhile, what is in doubt goes over into a new epoch, under
new numbers. Two things remain: a bridge that is away is not waited for (`delivery.py`); and flash that goes back from
after that answer to before it delivers what was in doubt then a second time, under the numbers of a new epoch.
`outbox_files.py` says how the files look, `outbox_recovery.py` and `outbox_new_epoch.py` hold what is seldom needed.
"""

import os

from console import outbox_files

NO_SPACE = 28
NOT_OPEN = 5


class Outbox:
    """Events in the folder `root` of a mounted filesystem (LittleFS on a board).

    `encode(event) -> bytes` and `decode(bytes) -> event` are the record codec. `prog_size` is what LittleFS programs
    at once (bytes): 256 on RP2040, 32 on ESP32. The outbox holds at least `limit` events; then the oldest go.

    Attributes to read:
        epoch: eight hex digits; new events are numbered in it.
        boot: how many times the console has started, this time included.
        next: the number that the next event gets.
        doubt: from this number on they may have been used before; 0: none.
        presses: [yes, no, cant_say, seller], counted over the epoch.
        lost: events that went unacknowledged since this start: unreadable, or the oldest when it was full.
        fault: the last error met in reading or deleting, or what flash forgot; None: all is well.
    """

    def __init__(self, root, encode, decode, prog_size=256, limit=5000):
        self.root = root
        self.limit = limit
        self._encode = encode
        self._decode = decode
        self._slot_size, self._slot_count = outbox_files.SLOTS[prog_size]
        self._reset()

    def _reset(self):
        self.boot = self.lost = self._turn = self._merged = 0
        self.fault = None
        self._parts = []  # (turn, epoch, base), oldest first: segments up to turn _merged, then slots
        self._through = {}  # acknowledged numbers of `epoch` and of the epoch in delivery
        self._way = ""  # the epoch in delivery
        self._way_end = 0  # … and, if it is an old one, the number after its last
        self._gap = self._lost_through = 0  # the number after the last gap found in it; the last counted as lost
        self._cursor = (0, 0, 0)  # turn, number, offset: where the last batch ended
        self._certain = False  # whether the highest number used is
        self._said = 0  # the acknowledged number in the newest header
        self._new_numbers()
        self._settle()

    def _new_numbers(self):
        self.epoch = outbox_files.new_epoch()
        self.next = 1
        self.doubt = 0
        self.presses = [0, 0, 0, 0]
        self._through[self.epoch] = 0
        self._used = None  # bytes in the newest slot; None: it takes no more

    @property
    def first(self):
        """The lowest number of `epoch` that waits for acknowledgement; `next` if none does."""
        return self._through[self.epoch] + 1

    # Opening

    def open(self):
        """Reads what flash holds and counts this boot.

        Raises OSError if flash can't be read or written; what it could read can still be delivered then, but
        `append` raises OSError until `open` succeeds.
        """
        self._reset()
        from console import outbox_recovery

        try:
            outbox_recovery.read(self)
        finally:
            del outbox_recovery
            outbox_files.let_go("outbox_recovery", "outbox_new_epoch")
            self._settle()

    @property
    def _needed(self):
        """The lowest number of `epoch` that must not go: the last before those in doubt is there to ask with."""
        return min(self.first, self.doubt - 1) if self.doubt else self.first

    # Keeping

    def append(self, event, button=None):
        """Keeps the event and returns its number; it is in flash by then.

        `button` (0 to 3: yes, no, cant_say, seller) is given with one event of each press, to count the press: of a
        press that brings two events (superseded and opened) with the last.
        Raises OSError if flash takes it no more; what is in flash can still be delivered.
        """
        data = self._encode(event)
        if len(data) > outbox_files.LENGTH_MAX:
            raise ValueError("event too long")
        self._with_room(self._add, outbox_files.record(data, self.next, 0 if button is None else 1 + button))
        if button is not None:
            self.presses[button] += 1
        self.next += 1
        return self.next - 1

    def tidy(self):
        """Does ahead what an append would have to do soon. Raises OSError as `append` does."""
        full = [part for part in self._waiting() if part[0] < self._turn]
        if 4 * len(full) >= 3 * self._slot_count:
            self._put_together(full)
            self._settle()

    def _add(self, record):
        if self._used is None or (self._used > outbox_files.HEADER_SIZE and self._used + len(record) > self._slot_size):
            self._begin()
        used = self._used or 0
        self._used = None  # not known, should the writing fail
        outbox_files.write(self._slot(self._turn), "ab", record)
        self._used = used + len(record)

    def _begin(self):
        self._with_room(self._begin_slot, self._turn + 1)

    def _begin_slot(self, turn):
        """Begins the slot of this turn with a header that tells all there is to know, the count of boots too."""
        if not self._certain:
            raise OSError(NOT_OPEN)
        self._used = None
        self._make_room(turn)
        header = outbox_files.header(self.epoch, turn, self.next, self.first - 1, self.boot, self.doubt, *self.presses)
        outbox_files.write(self._slot(turn), "wb", header)
        self._said = self.first - 1
        self._turn = turn
        self._used = outbox_files.HEADER_SIZE
        self._parts.append((turn, self.epoch, self.next))

    def _make_room(self, turn):
        """Sees to it that nothing which waits is in the slot of this turn."""
        waiting = self._waiting()
        if any((turn - part[0]) % self._slot_count == 0 for part in waiting):
            self._put_together(waiting)
        self._parts = [p for p in self._parts if p[0] <= self._merged or (turn - p[0]) % self._slot_count]
        self._settle()

    def _put_together(self, slots):
        older = self._before_doubt(slots)
        try:
            for group in (older, slots[len(older) :]):
                if group:
                    self._with_room(self._merge, group)
        except OSError as error:
            if error.errno != NO_SPACE:  # full: the oldest are in a slot, and go when its turn comes
                raise
        self._drop_above_limit()

    def _waiting(self):
        """Returns the slots that hold events not acknowledged, or the one to ask with."""
        needed, parts = self._needed, self._parts
        return [p for i, p in enumerate(parts) if p[0] > self._merged and self._end(i) > max(needed, p[2])]

    def _before_doubt(self, slots):
        return [part for part in slots if part[2] < (self.doubt or outbox_files.ANY)]

    def _merge(self, slots):
        """Puts the slots together into a segment; numbers that are gone keep their places."""
        self._cursor = (0, 0, 0)
        copy = bytearray()
        for index, part in enumerate(self._parts):
            if part in slots:
                copy.extend(outbox_files.copied(self._slot(part[0]), part[2], self._end(index)))
        outbox_files.write(self._path(outbox_files.MERGING), "wb", copy)
        turn = slots[-1][0]
        segment = (turn, slots[0][1], slots[0][2])
        os.rename(self._path(outbox_files.MERGING), self._path(outbox_files.name(*segment)))
        segments = [part for part in self._parts if part[0] <= self._merged]
        self._parts = segments + [segment] + [part for part in self._parts if part[0] > turn]
        self._merged = turn

    def _with_room(self, act, argument):
        """Acts; when flash is full the oldest segments go until it succeeds."""
        while True:
            try:
                return act(argument)
            except OSError as error:
                if error.errno != NO_SPACE or not self._drop_oldest():
                    raise

    def _drop_oldest(self):
        if not self._parts or self._parts[0][0] > self._merged:
            return False
        self._remove_oldest()
        self._settle()
        return True

    def _drop_above_limit(self):
        while (
            len(self._parts) > 1 and outbox_files.held(self._parts[1:], self.next) >= self.limit and self._drop_oldest()
        ):
            pass

    # Delivering

    def delivery(self):
        """Returns (epoch, first, next) of what is to be delivered now.

        That is the oldest epoch with events that wait; `epoch` itself if there is no older one. `first` is the number
        for the envelope of a batch; `first == next`: nothing waits.
        """
        return self._way, self._through[self._way] + 1, self._next()

    def held(self):
        """Returns the lowest number of the epoch in delivery from which on nothing is gone, acknowledged or not.

        It is what `first` in an envelope tells, so that a bridge that was restored knows what it can have again.
        """
        way, parts = self._way, self._parts
        lowest = parts[0][2] if parts and parts[0][1] == way else self._next()
        return min(max(lowest, self._gap), self._through[way] + 1)

    def batch(self, seq, max_events=32):
        """Returns (base, events) of the epoch in `delivery()`, from number `seq` on, at most `max_events` of them.

        `base` is above `seq` where numbers are gone; a batch ends before a gap. `events` is empty past the end.
        Ask `delivery()` afterwards: `first` rises where the lowest numbers turn out unreadable.
        """
        base, events = self._gather(max(seq, self._parts[0][2] if self._parts else self.next), max_events)
        if base > seq:
            self._gap = max(self._gap, base)
            through = self._through[self._way]
            if seq <= through + 1 < base:
                self._lose(through, base - 1)
                self._advance(base - 1)
        return base, events

    def _gather(self, seq, max_events):
        """Returns (base, events), or (next, []) if nothing from `seq` on can be read."""
        base = seq
        events = []
        full = False

        def take(number, data, _, offset):
            nonlocal base, full
            if number < seq:
                return False
            event = self._event(data)
            if event is None or (events and number != base + len(events)):
                self._gap = max(self._gap, number + (event is None))
                full = bool(events)
            else:
                base = number - len(events)
                events.append(event)
                self._cursor = (part[0], number + 1, offset)
                full = len(events) >= max_events
            return full

        for index, part in enumerate(self._parts):
            if part[1] == self._way and self._end(index) > seq and not full:
                self._scan(part, take, end=self._end(index), wanted=seq)
        return (base, events) if events else (max(seq, self._next()), events)

    def acknowledge(self, epoch, through):
        """Lets go of the epoch's events up to number `through`; returns whether `epoch` is the one in delivery.

        A number behind an earlier one (the bridge was restored) takes back what flash still holds. A number that was
        never given out, or not sent yet, shows that flash forgot events: a new epoch begins. Raises OSError if flash
        can't be written then.
        """
        if epoch != self._way:
            return False
        if epoch == self.epoch and through >= (self.doubt or self.next):
            self.distrust()
            return True
        self._advance(min(through, self._next() - 1))
        if epoch == self.epoch and through + 1 == self.doubt:
            self.trust()
        elif self._way == epoch and self._through[epoch] + 1 < self._gap:
            self.batch(self._through[epoch] + 1, 1)  # the first may be gone
        if epoch == self.epoch and self.first - 1 < self._said:
            self._begin()  # power may go before all is sent again: the next start must not take it for acknowledged
        return True

    def trust(self):
        """The numbers in doubt are new. In flash at once: the next start must not doubt what is sent from now on.

        Flash that can't be written now is a fault, and they wait on: the next start would doubt what was sent.
        """
        doubt, self.doubt = self.doubt, 0
        try:
            self._begin()
            self._end_doubt()
        except OSError as error:
            self.doubt = doubt
            self.fault = error

    def _end_doubt(self):
        if outbox_files.DOUBT in os.listdir(self.root):
            os.remove(self._path(outbox_files.DOUBT))

    def stop_asking(self):
        """Nothing is left to ask with. Raises OSError.

        What went because flash was full is counted only if what follows keeps its numbers; else flash is damaged.
        """
        if self._parts and self._parts[0][2] >= self.doubt:
            self.trust()
        else:
            self.distrust()

    def distrust(self):
        """Numbers in doubt have been used, or nobody can tell: a new epoch begins, which takes over what has them.

        They were not sent, and all before them has arrived. Raises OSError.
        """
        from console import outbox_new_epoch

        try:
            outbox_new_epoch.forget(self)
        finally:
            del outbox_new_epoch
            outbox_files.let_go("outbox_new_epoch")
            self._settle()
        self.fault = OSError("flash forgot events")

    def _advance(self, through):
        parts = self._parts
        self._through[self._way] = max(through, parts[0][2] - 1 if parts else self.next - 1)
        needed = self._needed if self._way == self.epoch else through + 1
        while parts and parts[0][0] <= self._merged and parts[0][1] == self._way and self._end(0) <= needed:
            self._remove_oldest()
        self._settle()

    def _lose(self, through, number):
        """Counts what is gone above `through`, up to `number`, once."""
        self.lost += max(0, number - max(through, self._lost_through))
        self._lost_through = max(number, self._lost_through)

    def _settle(self):
        """Finds the epoch to deliver, and its first number, after parts have come or gone."""
        while True:
            way = self._parts[0][1] if self._parts else self.epoch
            base = self._parts[0][2] if self._parts else self.next
            if way == self._way:
                self._lose(self._through[way], base - 1)
            else:
                self._gap = self._lost_through = 0
                if self._way != self.epoch:
                    self._through.pop(self._way, 0)
            self._through[way] = max(self._through.get(way, 0), base - 1)
            if way == self.epoch:
                self._way = way
                return
            if way != self._way:
                last = [part for part in self._parts if part[1] == way][-1]
                self._way, self._way_end = way, outbox_files.end(self._path(outbox_files.name(*last)), last[2])
            if self._way_end > self._through[way] + 1:
                return
            while self._parts and self._parts[0][1] == way:
                self._remove_oldest()

    def _end(self, index):
        """Returns the number after the last of this part."""
        parts = self._parts
        if index + 1 < len(parts) and parts[index + 1][1] == parts[index][1]:
            return parts[index + 1][2]
        return self._next() if parts[index][1] == self._way else self.next

    def _next(self):
        return self.next if self._way == self.epoch else self._way_end

    # Files

    def _path(self, name):
        return self.root + "/" + name

    def _slot(self, turn):
        return self._path(str(turn % self._slot_count))

    def _file(self, part):
        """Returns where a part's records lie: (path, offset)."""
        if part[0] > self._merged:
            return self._slot(part[0]), outbox_files.HEADER_SIZE
        return self._path(outbox_files.name(*part)), 0

    def _scan(self, part, take, slot=None, end=outbox_files.ANY, wanted=0):
        """Scans a part as `outbox_files.scan` does; records below `wanted` may be passed over."""
        turn, _, seq = part
        path, offset = (slot, outbox_files.HEADER_SIZE) if slot else self._file(part)
        if self._cursor[0] == turn and self._cursor[1] <= wanted:
            _, seq, offset = self._cursor
        try:
            return outbox_files.scan(path, offset, seq, end, take)
        except OSError as error:
            self.fault = error
            return seq

    def _remove_oldest(self):
        part = self._parts.pop(0)
        if part[0] <= self._merged:
            try:
                os.remove(self._path(outbox_files.name(*part)))
            except OSError as error:
                self.fault = error

    def _event(self, data):
        try:
            return None if data is None else self._decode(data)
        except Exception:
            return None  # written by another firmware
