"""The outbox: events wait here, numbered and in flash, until the bridge has acknowledged them.

    outbox = Outbox("/flash/outbox", events.encode, events.decode, prog_size=256)
    outbox.open()                               # counts this boot
    seq = outbox.append(event, button)          # in flash when it returns
    epoch, first, next = outbox.delivery()      # what is to be sent now: the oldest epoch that still waits
    base, events = outbox.batch(first)          # up to 32 events, numbered base, base + 1, ...
    outbox.acknowledge(epoch, through)
"""


class Outbox:
    """Events in the folder `root` of a mounted filesystem (LittleFS on a board).

    `encode(event) -> bytes` and `decode(bytes) -> event` are the record codec. `prog_size` is what LittleFS programs
    at once (bytes): 256 on RP2040, 32 on ESP32. The outbox holds at least `limit` events; then the oldest go.

    Attributes to read:
        epoch: eight hex digits; new events are numbered in it.
        boot: how many times the console has started, this time included.
        next: the number that the next event gets.
        first: the lowest number of `epoch` that waits for acknowledgement (`next` if none does).
        presses: [yes, no, cant_say, seller], counted over the epoch.
        lost: events found unreadable since this start (their numbers are skipped).
        limit: how many events it holds at least.
    """

    def __init__(self, root, encode, decode, prog_size=256, limit=5000):
        raise NotImplementedError

    def open(self):
        """Reads what flash holds and counts this boot.

        Raises OSError if flash can't be read or written; what it could read may still be delivered then.
        """
        raise NotImplementedError

    def append(self, event, button=None):
        """Keeps the event and returns its number; it is in flash by then.

        `button` (0 to 3: yes, no, cant_say, seller) is given with one event of each press, to count the press: of a
        press that brings two events (superseded and opened) with the last.
        Raises OSError if flash takes it no more; what is in flash can still be delivered.
        """
        raise NotImplementedError

    def delivery(self):
        """Returns (epoch, first, next) of what is to be delivered now.

        That is the oldest epoch with events that wait; `epoch` itself if there is no older one. `first` is the number
        for the envelope of a batch; `first == next`: nothing waits.
        """
        raise NotImplementedError

    def batch(self, seq, max_events=32):
        """Returns (base, events) of the epoch in `delivery()`, from number `seq` on, at most `max_events` of them.

        `base` is above `seq` where numbers are gone; a batch ends before a gap. `events` is empty past the end.
        Ask `delivery()` for `first` afterwards: it rises where the lowest numbers turn out unreadable.
        """
        raise NotImplementedError

    def acknowledge(self, epoch, through):
        """Lets go of the epoch's events up to number `through`; returns whether `epoch` is the one in delivery.

        A number behind an earlier one (the bridge was restored) takes back what flash still holds. A number that was
        never given out shows that flash forgot events: a new epoch begins.
        """
        raise NotImplementedError


class RamOutbox:
    """The same in RAM: an epoch of its own, `limit` events, gone with the power.

    `boot` is what the caller knows of it (0: nothing).
    """

    def __init__(self, encode, decode, limit=64, boot=0):
        raise NotImplementedError
