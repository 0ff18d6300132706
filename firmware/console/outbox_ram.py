"""The outbox in RAM, for a console whose flash can't be mounted or written."""

from console import outbox_files


class RamOutbox:
    """The same in RAM: an epoch of its own, at most `limit` events, gone with the power.

    `boot` is what the caller knows of it (0: nothing).
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
        self._records = []  # the last ones up to next - 1, acknowledged ones too while there is room

    def open(self):
        """Does nothing: there is nothing to read."""

    def append(self, event, button=None):
        """Keeps the event and returns its number; the oldest goes if there are more than `limit`."""
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
        """Does nothing."""

    def delivery(self):
        """Returns (epoch, first, next), as Outbox does."""
        return self.epoch, self.first, self.next

    def held(self):
        """Returns the lowest number that is held, as Outbox does."""
        return self.next - len(self._records)

    def batch(self, seq, max_events=32):
        """Returns (base, events), as Outbox does."""
        lowest = self.next - len(self._records)
        base = min(max(seq, lowest), self.next)
        return base, [self._decode(data) for data in self._records[base - lowest :][:max_events]]

    def acknowledge(self, epoch, through):
        """Lets go of events up to number `through`, as Outbox does."""
        if epoch != self.epoch:
            return False
        self.first = min(max(through + 1, self.next - len(self._records)), self.next)
        return True
