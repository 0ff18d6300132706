"""Read the contacts of the four buttons: interrupts note edges in a fixed ring, a poll debounces them.

The interrupt only notes what it saw, without allocating. It is hard where the port has hard interrupts, else soft; soft
ones run late when the main loop is blocked. The poll reads the levels too, so that a full ring or a missed edge does no
lasting harm.
"""

import time
from array import array

from machine import Pin
from micropython import const

from console.debounce import Debounce, settled_ms

POLL_MS = 10
_NOTICE_MS = const(5)  # a contact that a poll still finds closed after this time is shown, before it is debounced
_RING_SIZE = const(64)


class Ring:
    """A ring buffer of edges, in two arrays of fixed size. `dropped` counts edges that came when it was full."""

    def __init__(self):
        self._what = array("b", bytearray(_RING_SIZE))
        self._ticks = array("l", [0] * _RING_SIZE)
        self._head = self._tail = 0
        self.dropped = 0

    def put(self, what, ticks):
        """Add an edge, from the interrupt. If the ring is full it is dropped: the poll will see the level."""
        after = (self._head + 1) % _RING_SIZE
        if after == self._tail:
            self.dropped += 1
            return
        self._what[self._head] = what
        self._ticks[self._head] = ticks
        self._head = after

    def peek(self):
        """Return the oldest edge as (button << 1 | level, ticks), or None."""
        if self._tail == self._head:
            return None
        return self._what[self._tail], self._ticks[self._tail]

    def drop(self):
        """Remove the oldest edge."""
        self._tail = (self._tail + 1) % _RING_SIZE

    def count(self):
        """Return how many edges there are."""
        return (self._head - self._tail) % _RING_SIZE


class Contact:
    """One button's pin, closed to ground when pressed."""

    def __init__(self, button, pin_number, ring):
        self._pressed = button << 1 | 1
        self._ring = ring
        self._pin = Pin(pin_number, Pin.IN, Pin.PULL_UP)
        handler = self._caught  # bound here: the interrupt must not allocate
        self.is_late = False  # whether interrupts wait until a stall is over
        edges = Pin.IRQ_FALLING | Pin.IRQ_RISING
        try:
            self._pin.irq(handler, edges, hard=True)
        except TypeError:  # this port has soft interrupts only, and no such argument
            self._pin.irq(handler, edges)
            self.is_late = True

    def pressed(self):
        """Return whether the contact is closed now."""
        return not self._pin.value()

    def _caught(self, pin):
        self._ring.put(self._pressed ^ pin.value(), time.ticks_ms())


class Buttons:
    """The four buttons. Presses and releases go to `sink.press(button, up_ms)` and `sink.release(button, up_ms)`.

    `on_contact(button)` is called once for each press, as soon as it can be told from noise, for its lamp or sound.
    """

    def __init__(self, pin_numbers, clock, debounce_ms, sink, on_contact):
        self._clock = clock
        self._on_contact = on_contact
        self._ring = Ring()
        self._debounces = [Debounce(button, debounce_ms, sink) for button in range(len(pin_numbers))]
        self._contacts = [Contact(button, number, self._ring) for button, number in enumerate(pin_numbers)]
        self._levels = [False] * len(pin_numbers)
        self._is_pending = False  # whether a first contact or break is not decided yet
        self._noticed = [False] * len(pin_numbers)
        self._looked_ms = self._polled_ms = clock.up_ms()  # before and after the last poll read the levels
        self._early_contact_ms = self._early_break_ms = (
            None  # when what interrupts brought since may have been, if late
        )
        self._missed_ms = 0

    def set_debounce(self, debounce_ms):
        """Debounce with this time from now on."""
        for debounce in self._debounces:
            debounce.debounce_ms = debounce_ms

    def is_pressed(self, button):
        """Return whether the button is down, debounced."""
        return self._debounces[button].is_pressed()

    def dropped(self):
        """Return how many edges were dropped because the ring was full."""
        return self._ring.dropped

    def poll(self):
        """Debounce all edges since the last poll; return the up_ms up to which presses and releases are decided.

        The clock is read after the levels, so that a level never gets a time before its contact; edges that come in
        between are newer than the levels. It is read before them too: a contact that they don't show came later.
        """
        older = self._ring.count()
        changed = False
        looked_ms = self._clock.up_ms()
        for button in range(len(self._contacts)):  # `enumerate` would fill the heap with tuples, 400 a second
            pressed = self._contacts[button].pressed()
            if pressed != self._levels[button]:
                self._levels[button] = pressed
                changed = True
        now_ms = self._clock.up_ms()
        self._note_stall(looked_ms, now_ms)
        seen = self._ring.peek()
        if not (seen or changed or self._is_pending):
            return now_ms - 1
        while seen:
            up_ms = self._clock.up_ms_of(seen[1])
            if up_ms > now_ms:
                break
            self._ring.drop()
            button, pressed = seen[0] >> 1, seen[0] & 1 == 1
            older -= 1
            if older < 0:
                self._levels[button] = pressed
            self._edge(self._debounces[button], pressed, up_ms)
            seen = self._ring.peek()
        for button in range(len(self._debounces)):
            debounce = self._debounces[button]
            pressed = self._levels[button]
            debounce.poll(pressed, now_ms, self._early_ms(button, pressed))
            self._notice(debounce, pressed, now_ms)
        settled = settled_ms(self._debounces, now_ms)
        self._is_pending = settled < now_ms
        return min(settled, now_ms - 1)  # an edge may still come in this millisecond

    def _note_stall(self, looked_ms, now_ms):
        """Note since when interrupts may have been late: since the last poll, if the loop has been stalled."""
        if now_ms - self._looked_ms > max(self._debounces[0].debounce_ms, 2 * POLL_MS):
            self._early_contact_ms, self._early_break_ms = self._looked_ms, self._polled_ms
        else:
            self._early_contact_ms = self._early_break_ms = None
        self._looked_ms, self._polled_ms = looked_ms, now_ms

    def _early_ms(self, button, pressed):
        """Return how early a change may have been that is seen now; None if it was not late.

        A hard interrupt waits for one flash operation at most: what it stamps is taken as it is, or noise would count.
        """
        if not self._contacts[button].is_late:
            return None
        return self._early_contact_ms if pressed else self._early_break_ms

    def _edge(self, debounce, pressed, up_ms):
        """Debounce an edge. An interrupt that ran after a stall may find the button released.

        That was a press all the same. And as the release may have been early, it must not turn a short press into a
        long one.
        """
        debounce.settle(up_ms)
        is_missed = not pressed and not debounce.is_pressed() and debounce.pending_since() is None
        if is_missed and self._early_contact_ms is not None:
            self._missed_ms = max(up_ms, self._missed_ms + 1)  # in the order of the interrupts
            if debounce.missed(self._missed_ms):
                self._on_contact(debounce.button)
        else:
            debounce.edge(pressed, up_ms, self._early_ms(debounce.button, pressed))

    def _notice(self, debounce, pressed, now_ms):
        button, since = debounce.button, debounce.pending_since()
        noticed = debounce.is_pressed()
        if not noticed and since is not None:
            is_sure = debounce.will_count() or (pressed and now_ms - since >= _NOTICE_MS)
            noticed = self._noticed[button] or is_sure
        if noticed and not self._noticed[button]:
            self._on_contact(button)
        self._noticed[button] = noticed
