"""Keep events in flash, numbered, until the bridge has acknowledged them.

    outbox = Outbox("/flash/outbox", events.encode, events.decode, prog_size=256)
    outbox.open()
    seq = outbox.append(event, button)          # the event is in flash when this returns
    epoch, first, next = outbox.delivery()      # what to send now: the oldest epoch with events that wait
    number, event = outbox.event(first)         # an event at a time
    outbox.acknowledge(epoch, through)
    outbox.discard()                            # a file at a time: between two, others may run

Flash holds a ring of small files, the slots, which are rewritten in turn. A slot is small enough for LittleFS to keep
it inside the directory, so an event costs one commit and at most a tenth of a block erase. If a slot's turn comes while
it holds events that wait, all such slots are merged into a larger file, a segment, which is deleted when the bridge has
all of it. The events of a slot stay readable until its next turn, in case the bridge is restored from a backup.

A number must never be used for two events. If damage leaves the highest used number uncertain, a new epoch begins, and
what is readable of the old one is delivered first. Damage may also take LittleFS back to an older state that looks
intact. So the numbers used since a start are in doubt: they wait until the bridge has acknowledged the last one before
them, and no more. If the bridge knows of more, or damage is found meanwhile, the events in doubt move into a new epoch
and get new numbers. Two risks remain. If the bridge is away, the console does not wait for it (`delivery.py`). And if
flash goes back from a state after that answer to one before it, the events that were in doubt are delivered again,
under the numbers of a new epoch.

`outbox_files.py` defines the files, `outbox_reader.py` reads them, `outbox_merge.py` merges slots; `outbox_recovery.py`
and `outbox_new_epoch.py` hold what is rarely needed.
"""

import os

from console import outbox_files, outbox_merge
from console.outbox_reader import RecordReader

NOT_OPEN = 5


class Outbox:
    """Events in the folder `root` of a mounted filesystem (LittleFS on a board).

    `encode(event) -> bytes` and `decode(bytes) -> event` are the record codec. `prog_size` is what LittleFS programs
    at once (bytes): 256 on RP2040, 32 on ESP32. The outbox holds at least `limit` events; then it drops the oldest.

    Attributes to read:
        epoch: eight hex digits; new events are numbered in it.
        boot: how many times the console has started, this time included.
        next: the number of the next event.
        doubt: numbers from this one on may have been used before; 0 if there are none.
        presses: [yes, no, cant_say, seller], counted over the epoch.
        lost: how many events were lost unacknowledged since this start: unreadable, or dropped when it was full.
        fault: the last error in reading or deleting, or that flash lost events; None if there was none.
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
        self._through = {}  # the acknowledged number of `epoch`, and that of the epoch in delivery
        self._sending = ""  # the epoch in delivery
        self._sending_end = 0  # … and, if it is an old one, the number after its last
        self._gap = self._lost_through = 0  # the number after the last gap found in it; the last counted as lost
        self._reader = RecordReader()
        self._grows = False  # whether the newest segment may grow: it was written in this boot, and as a whole
        self._certain = False  # whether the highest used number is certain
        self._header_through = 0  # the acknowledged number in the newest header
        self._new_numbers()
        self._settle()

    def _new_numbers(self):
        self.epoch = outbox_files.new_epoch()
        self.next = 1
        self.doubt = 0
        self.presses = [0, 0, 0, 0]
        self._through[self.epoch] = 0
        self._used = None  # bytes in the newest slot; None if it takes no more

    @property
    def first(self):
        """The lowest number of `epoch` that waits to be acknowledged; `next` if none does."""
        return self._through[self.epoch] + 1

    # Opening

    def open(self):
        """Read what flash holds, and count this boot.

        Raises OSError if flash can't be read or written. Then what could be read can still be delivered, but `append`
        raises OSError until `open` succeeds.
        """
        self._reset()
        from console import outbox_recovery

        try:
            outbox_recovery.read(self)
        finally:
            del outbox_recovery
            outbox_files.unload("outbox_recovery", "outbox_new_epoch")
            self._settle()

    @property
    def _needed(self):
        """The lowest number of `epoch` to keep: the last one before those in doubt is kept to ask the bridge with."""
        return min(self.first, self.doubt - 1) if self.doubt else self.first

    # Storing

    def append(self, event, button=None):
        """Write the event to flash; return its number.

        `button` (0 to 3: yes, no, cant_say, seller) counts a press, so give it with one event of each press: if a press
        brings two (survey_closed as superseded, and survey_opened), with the second.
        Raises OSError if flash can't be written; what is in flash can still be delivered.
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
        """Merge slots that an append would soon have to merge. Raises OSError as `append` does."""
        full = [part for part in self._waiting() if part[0] < self._turn]
        if 4 * len(full) >= 3 * self._slot_count:
            outbox_merge.merge_slots(self, full)
            self._settle()

    def _add(self, record):
        if self._used is None or (self._used > outbox_files.HEADER_SIZE and self._used + len(record) > self._slot_size):
            self._begin()
        used = self._used or 0
        self._used = None  # unknown if the writing fails
        outbox_files.write(self._slot(self._turn), "ab", record)
        self._used = used + len(record)

    def _begin(self):
        self._with_room(self._begin_slot, self._turn + 1)

    def _begin_slot(self, turn):
        """Begin the slot of this turn with a header, which holds the whole state, the count of boots too."""
        if not self._certain:
            raise OSError(NOT_OPEN)
        self._used = None
        self._make_room(turn)
        header = outbox_files.header(self.epoch, turn, self.next, self.first - 1, self.boot, self.doubt, *self.presses)
        outbox_files.write(self._slot(turn), "wb", header)
        self._header_through = self.first - 1
        self._turn = turn
        self._used = outbox_files.HEADER_SIZE
        self._parts.append((turn, self.epoch, self.next))

    def _make_room(self, turn):
        """Make sure that the slot of this turn holds no events that wait."""
        waiting = self._waiting()
        if any((turn - part[0]) % self._slot_count == 0 for part in waiting):
            outbox_merge.merge_slots(self, waiting)
        self._parts = [p for p in self._parts if p[0] <= self._merged or (turn - p[0]) % self._slot_count]
        self._settle()

    def _waiting(self):
        """Return the slots that hold events to be acknowledged, or the event to ask the bridge with."""
        needed, parts = self._needed, self._parts
        return [p for i, p in enumerate(parts) if p[0] > self._merged and self._end(i) > max(needed, p[2])]

    def _with_room(self, act, argument):
        """Call `act(argument)`; while flash is full, drop the oldest segment and try again."""
        while True:
            try:
                return act(argument)
            except OSError as error:
                if error.errno != outbox_files.NO_SPACE or not self._drop_oldest():
                    raise

    def _drop_oldest(self):
        if not self._parts or self._parts[0][0] > self._merged:
            return False
        self._remove_oldest()
        self._settle()
        return True

    # Delivering

    def delivery(self):
        """Return (epoch, first, next) of what to deliver now.

        `epoch` is the oldest one with events that wait, else the present one. `first` is the lowest number that waits;
        `first == next` if none does.
        """
        return self._sending, self._through[self._sending] + 1, self._next()

    def held(self):
        """Return the number of the epoch in delivery from which on nothing is lost, acknowledged or not.

        It is `first` of a batch's envelope, from which a bridge that was restored learns what it can get again.
        """
        epoch, parts = self._sending, self._parts
        lowest = parts[0][2] if parts and parts[0][1] == epoch else self._next()
        return min(max(lowest, self._gap), self._through[epoch] + 1)

    def event(self, seq):
        """Return (seq, event) of the epoch in delivery, or (number, None) if it can't be told yet: go on from there.

        If the number is above `seq`, those between are lost; if not, flash was read ahead, or `seq` is past the end.
        Call `delivery()` again afterwards: `first` rises if the lowest numbers turn out to be unreadable.
        """
        if not self._reader.has(seq):
            lowest = self._parts[0][2] if self._parts else self.next
            if seq < lowest:
                return self._pass_over(seq, lowest)
            return self._read_ahead(seq) if seq < self._next() else (seq, None)
        record = self._reader.take()
        try:
            event = None if record is None else self._decode(record)
        except ValueError:  # another version of the firmware wrote it; a MemoryError says nothing about the record
            event = None
        return self._pass_over(seq, seq + 1) if event is None else (seq, event)

    def _read_ahead(self, seq):
        index = self._index(seq)
        part = self._parts[index]
        path, offset = self._file(part)
        try:
            found = self._reader.read_ahead(part[0], path, (part[2], offset), seq)
        except OSError as error:
            self.fault = error
            found = False
        return (seq, None) if found else self._pass_over(seq, self._end(index))

    def _index(self, seq):
        """Return the place in `_parts` of the part of the epoch in delivery that holds the number `seq`."""
        found = 0
        for index, part in enumerate(self._parts):
            if part[1] != self._sending or part[2] > seq:
                break
            found = index
        return found

    def _pass_over(self, seq, number):
        """Note that the numbers from `seq` on, below `number`, are lost."""
        self._gap = max(self._gap, number)
        through = self._through[self._sending]
        if seq <= through + 1 < number:
            self._lose(through, number - 1)
            self._advance(number - 1)
        return number, None

    def acknowledge(self, epoch, through):
        """Take an acknowledgement of the epoch's events up to `through`; return whether `epoch` is the one in delivery.

        A number below an earlier one (the bridge was restored) makes wait again what flash still holds. A number that
        was never used, or not sent yet, shows that flash lost events: a new epoch begins. Raises OSError if flash can't
        be written then.
        """
        if epoch != self._sending:
            return False
        if epoch == self.epoch and through >= (self.doubt or self.next):
            self.distrust()
            return True
        self._advance(min(through, self._next() - 1))
        if epoch == self.epoch and through + 1 == self.doubt:
            self.trust()
        if epoch == self.epoch and self.first - 1 < self._header_through:
            self._begin()  # if power goes before all is sent again, the next start must not take it for acknowledged
        return True

    def discard(self):
        """Delete one segment whose events are all acknowledged; return whether there was one.

        An acknowledgement may cover many, and each may cost an erase, during which no interrupt runs.
        """
        if not self._parts or self._parts[0][0] > self._merged:
            return False
        needed = self._needed if self._sending == self.epoch else self._through[self._sending] + 1
        if self._end(0) > needed:
            return False
        self._remove_oldest()
        self._settle()
        return True

    def trust(self):
        """End the doubt: the numbers in doubt are new. Write that to flash: the next start must not doubt them again.

        If flash can't be written that is a fault, and they go on waiting: the next start would doubt what was sent.
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
            outbox_files.remove(self._path(outbox_files.DOUBT))

    def stop_asking(self):
        """End the doubt as there is no event left to ask the bridge with. Raises OSError.

        If events were dropped because flash was full, the next ones keep their numbers, so that the loss is counted;
        else flash is damaged, and a new epoch begins.
        """
        if self._parts and self._parts[0][2] >= self.doubt:
            self.trust()
        else:
            self.distrust()

    def distrust(self):
        """Begin a new epoch with the events in doubt, as their numbers have been used before, or may have been.

        They were not sent, and all events before them have arrived. Raises OSError.
        """
        from console import outbox_new_epoch

        try:
            outbox_new_epoch.begin(self)
        finally:
            del outbox_new_epoch
            outbox_files.unload("outbox_new_epoch")
            self._settle()
        self.fault = OSError("flash forgot events")

    def _advance(self, through):
        parts = self._parts
        self._through[self._sending] = max(through, parts[0][2] - 1 if parts else self.next - 1)
        self._settle()

    def _lose(self, through, number):
        """Count the numbers above `through`, up to `number`, as lost, each only once."""
        self.lost += max(0, number - max(through, self._lost_through))
        self._lost_through = max(number, self._lost_through)

    def _settle(self):
        """Find the epoch to deliver, and its first number, after parts were added or removed."""
        while True:
            epoch = self._parts[0][1] if self._parts else self.epoch
            base = self._parts[0][2] if self._parts else self.next
            if epoch == self._sending:
                self._lose(self._through[epoch], base - 1)
            else:
                self._gap = self._lost_through = 0
                self._reader.forget()
                if self._sending != self.epoch:
                    self._through.pop(self._sending, 0)
            self._through[epoch] = max(self._through.get(epoch, 0), base - 1)
            if epoch == self.epoch:
                self._sending = epoch
                return
            if epoch != self._sending:
                last = [part for part in self._parts if part[1] == epoch][-1]
                path = self._path(outbox_files.segment_name(*last))
                self._sending, self._sending_end = epoch, outbox_files.segment_end(path, last[2])
            if self._sending_end > self._through[epoch] + 1:
                return
            while self._parts and self._parts[0][1] == epoch:
                self._remove_oldest()

    def _end(self, index):
        """Return the number after the last of this part."""
        parts = self._parts
        if index + 1 < len(parts) and parts[index + 1][1] == parts[index][1]:
            return parts[index + 1][2]
        return self._next() if parts[index][1] == self._sending else self.next

    def _next(self):
        return self.next if self._sending == self.epoch else self._sending_end

    # Files

    def _path(self, name):
        return self.root + "/" + name

    def _slot(self, turn):
        return self._path(str(turn % self._slot_count))

    def _file(self, part):
        """Return (path, offset) of a part's first record."""
        if part[0] > self._merged:
            return self._slot(part[0]), outbox_files.HEADER_SIZE
        return self._path(outbox_files.segment_name(*part)), 0

    def _remove_oldest(self):
        part = self._parts.pop(0)
        if part[0] <= self._merged:
            try:
                outbox_files.remove(self._path(outbox_files.segment_name(*part)))
            except OSError as error:
                self.fault = error
