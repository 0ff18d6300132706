"""Decide what to send next from the outbox, and what an acknowledgement means. No I/O.

The outbox is read at each call: the epoch to deliver may change, and its lowest number may rise.

Numbers in doubt (see `outbox.py`) wait until the bridge has said which it knows, but no longer than `_DOUBT_MS` of a
session: a listener without a bridge shall get events after a restart, too. So a number is used twice only if flash went
back unnoticed and the bridge, which had more, was away for those seconds. Then the bridge keeps the first event under
that number, and puts the other among its rejects as `conflict`.
"""

import json

from micropython import const

from console.events import BATCH_EVENTS_MAX

_AHEAD = const(4)  # batches ahead of the acknowledgement
_RESEND_MS = const(10000)
_ANSWER_MS = const(2000)
_DOUBT_MS = const(3000)  # how long to wait for the bridge to say which numbers it knows
_BATCH_BYTES = const(8192)  # of JSON
_ENVELOPE_BYTES = const(200)  # of them for all but the events


class Delivery:
    """The delivery of one outbox's events. Batches are signed with `key` (bytes), if there is one. Times are up_ms."""

    def __init__(self, outbox, key=None):
        self.outbox = outbox
        self._key = key
        self._epoch = None
        self._through = 0
        self._next = 0  # the number to send next
        self._restarts = 0
        self._in_flight = []  # (last number, when it was sent) of each batch that is not acknowledged
        self._progress_ms = 0
        self._asked_ms = None  # when the bridge was first asked about numbers in doubt

    def restart(self):
        """Send all that waits again: the connection is a new one."""
        self._restarts += 1  # a batch that is being made is dropped
        self._in_flight = []
        self._next = 0

    def next_batch(self, now_ms):
        """Yield None after each step of making the next batch, then the batch: a list of pieces (bytes) of its JSON.

        Yields no batch if there is nothing to send now. `now_ms` is a function. A step reads flash once or turns one
        event into JSON, so that between two of them lamps and sound can follow a press.
        """
        seq, end, doubt = self._due(now_ms())
        if len(self._in_flight) >= _AHEAD or seq >= end:
            return
        restarts = self._restarts
        batch = None
        while seq < end and (batch is None or not batch.is_full):
            number, event = self.outbox.event(seq)
            if event is not None:
                batch = batch or EventsMessage(self._epoch, min(self.outbox.held(), number), number, self._key)
                if not batch.add(event):
                    break
                number += 1
            elif number > seq and batch:
                break  # a batch ends before a gap
            seq = number
            yield
            if restarts != self._restarts or self._epoch != self.outbox.delivery()[0]:
                return  # what is to be sent next has changed
        if batch is None:
            if doubt and not self._in_flight:
                self.outbox.stop_asking()
            return
        self._next = batch.end
        if not self._in_flight:
            self._progress_ms = now_ms()
        self._in_flight.append((self._next - 1, now_ms()))
        yield batch.pieces()

    def _due(self, now_ms):
        """Return (the number to send next, the one to stop before, whether that is for doubt about it)."""
        epoch, first, end = self.outbox.delivery()
        if epoch != self._epoch:
            self._epoch = epoch
            self._through = first - 1
            self.restart()
        if self._in_flight and now_ms - self._progress_ms >= _RESEND_MS:
            self.restart()
        doubt = self._doubt(epoch, now_ms)
        if doubt:  # send the last one before them, again if necessary, to learn whether the bridge knows of more
            end = doubt
            first = min(first, end - 1)
        self._next = max(self._next, first)
        return self._next, end, bool(doubt)

    def _doubt(self, epoch, now_ms):
        """Return the number from which on events wait for the bridge's answer, 0 if none do."""
        if epoch != self.outbox.epoch or not self.outbox.doubt:
            return 0
        if self._asked_ms is None:
            self._asked_ms = now_ms
        if now_ms - self._asked_ms >= _DOUBT_MS:
            self.outbox.trust()
        return self.outbox.doubt

    def acknowledged(self, epoch, through, now_ms):
        """Take an ack: the bridge has all of `epoch` up to `through`.

        Returns whether it answers a batch sent in the last two seconds.
        """
        if not self.outbox.acknowledge(epoch, through):
            return False
        if epoch != self._epoch:
            return False
        if through < self._through:
            self.restart()
        elif through > self._through:
            self._progress_ms = now_ms
        self._through = through
        answers = False
        while self._in_flight and self._in_flight[0][0] <= through:
            answers = now_ms - self._in_flight.pop(0)[1] < _ANSWER_MS
        return answers


class EventsMessage:
    """A batch, which gets one event after the other, numbered from `base`.

    With a `key` it is signed: `mac` covers epoch, first, base and events as in the message, a line each.
    """

    def __init__(self, epoch, first, base, key):
        self.end = base  # the number after the last event
        self._pieces = [('{"epoch":"%s","first":%d,"base":%d,"events":' % (epoch, first, base)).encode()]
        self._size = _ENVELOPE_BYTES
        self._mac = None
        if key:
            from console.hmac import Hmac

            self._mac = Hmac(key)
            self._mac.update(('"%s"\n%d\n%d\n' % (epoch, first, base)).encode())

    @property
    def is_full(self):
        """True if it holds as many events as a message may."""
        return len(self._pieces) > BATCH_EVENTS_MAX

    def add(self, event):
        """Add the next event; return False if there is no room for it."""
        piece = (b"[" if len(self._pieces) == 1 else b",") + json.dumps(event, separators=(",", ":")).encode()
        if len(self._pieces) > 1 and self._size + len(piece) > _BATCH_BYTES:
            return False
        self._pieces.append(piece)
        self._size += len(piece)
        self.end += 1
        if self._mac:
            self._mac.update(piece)
        return True

    def pieces(self):
        """Return the whole message's pieces; nothing can be added any more."""
        tail = b"]}"
        if self._mac:
            self._mac.update(b"]")
            tail = ('],"mac":"%s"}' % self._mac.hexdigest()).encode()
        self._pieces.append(tail)
        return self._pieces
