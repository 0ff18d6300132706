"""Decide what to send next from the outbox, and what an acknowledgement means. No I/O.

The outbox is read at each call: the epoch to deliver may change, and its lowest number may rise.

Numbers in doubt (see `outbox.py`) wait until the bridge has said which it knows, but no longer than `_DOUBT_MS` of a
session: a listener without a bridge shall get events after a restart, too. So a number is used twice only if flash went
back unnoticed and the bridge, which had more, was away for those seconds. Then the bridge keeps the first event under
that number, and puts the other among its rejects as `conflict`.
"""

import json

from micropython import const

_AHEAD = const(4)  # batches ahead of the acknowledgement
_RESEND_MS = const(10000)
_ANSWER_MS = const(2000)
_DOUBT_MS = const(3000)  # how long to wait for the bridge to say which numbers it knows
_BATCH_BYTES = const(4096)  # of JSON: half of what the schema allows, as a board's heap holds it three times


class Delivery:
    """The delivery of one outbox's events. Batches are signed with `key` (bytes), if there is one. Times are up_ms."""

    def __init__(self, outbox, key=None):
        self.outbox = outbox
        self._key = key
        self._epoch = None
        self._through = 0
        self._next = 0  # the number to send next
        self._in_flight = []  # (last number, when it was sent) of each batch that is not acknowledged
        self._progress_ms = 0
        self._asked_ms = None  # when the bridge was first asked about numbers in doubt

    def restart(self):
        """Send all that waits again: the connection is a new one."""
        self._in_flight = []
        self._next = 0

    def next_batch(self, now_ms):
        """Return the next batch as JSON, or None if there is nothing to send now."""
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
        if len(self._in_flight) >= _AHEAD or self._next >= end:
            return None
        base, events = self.outbox.batch(self._next)
        events = events[: max(end - base, 0)]
        if not events:
            if doubt and not self._in_flight:
                self.outbox.stop_asking()
            return None
        parts = as_json(events)
        self._next = base + len(parts)
        if not self._in_flight:
            self._progress_ms = now_ms
        self._in_flight.append((self._next - 1, now_ms))
        return envelope(epoch, min(self.outbox.held(), base), base, parts, self._key)

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


def as_json(events):
    """Return the first events, each as JSON: as many as fit in a batch, at least one."""
    parts = []
    size = 0
    for event in events:
        part = json.dumps(event, separators=(",", ":"))
        size += len(part.encode()) + 1
        if parts and size > _BATCH_BYTES - 100:
            break
        parts.append(part)
    return parts


def envelope(epoch, first, base, parts, key):
    """Return the batch as JSON. Changes `parts`, its events as JSON, so that the text is put together only once."""
    tail = "]}"
    if key:
        from console.hmac import hmac

        tail = '],"mac":"%s"}' % hmac(key, signed('"%s"\n%d\n%d\n[' % (epoch, first, base), parts))
    parts[0] = '{"epoch":"%s","first":%d,"base":%d,"events":[%s' % (epoch, first, base, parts[0])
    parts[-1] += tail
    return ",".join(parts)


def signed(head, parts):
    """Yield the bytes that a batch's `mac` signs: epoch, first, base and events as in the message, a line each."""
    for part in parts:
        yield head.encode()
        yield part.encode()
        head = ","
    yield b"]"
