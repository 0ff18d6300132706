"""Keep events in RAM, on a console whose flash can't be mounted or written."""

from console import outbox_files


class RamOutbox:
    """An outbox in RAM: it has an epoch of its own and at most `limit` events, which are lost when power goes.

    `boot` is the number of this boot, 0 if it is not known.
    """

    def __init__(self, encode, decode, limit=64, boot=0):
        self.limit = limit
        self.boot = boot
        self.epoch = outbox_files.new_epoch()
        self.next = self.first = 1
        self.doubt = 0
        self.presses = [0, 0, 0, 0]
        self.lost = 0
        self.fault = None
        self._encode = encode
        self._decode = decode
        self._records = []  # the newest ones, up to number next - 1; acknowledged ones too while there is room

    def open(self):
        """Do nothing: there is nothing to read."""

    def append(self, event, button=None):
        """Store the event and return its number; drop the oldest if there are more than `limit`."""
        self._records.append(self._encode(event))
        self.next += 1
        if button is not None:
            self.presses[button] += 1
        if len(self._records) > self.limit:
            self._records.pop(0)
            lowest = self.next - len(self._records)
            self.lost += max(0, lowest - self.first)
            self.first = max(self.first, lowest)
        return self.next - 1

    def tidy(self):
        """Do nothing."""

    def delivery(self):
        """Return (epoch, first, next), as Outbox does."""
        return self.epoch, self.first, self.next

    def held(self):
        """Return the lowest number that is held, as Outbox does."""
        return self.next - len(self._records)

    def event(self, seq):
        """Return (seq, event) or (number, None), as Outbox does."""
        lowest = self.next - len(self._records)
        if seq < lowest:
            return lowest, None
        return seq, self._decode(self._records[seq - lowest]) if seq < self.next else None

    def acknowledge(self, epoch, through):
        """Take an acknowledgement of events up to number `through`, as Outbox does."""
        if epoch != self.epoch:
            return False
        self.first = min(max(through + 1, self.next - len(self._records)), self.next)
        return True

    def discard(self):
        """Return False: there is no file to delete."""
        return False
