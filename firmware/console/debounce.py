"""Debouncing of one button, both ways. Pure, no I/O: edges and levels in, confirmed presses and releases out.

A change of level counts once the new level has held for `debounce_ms`; its time is that of the first edge out of the
old stable level (first contact, first break). What goes back sooner is noise. Time that passes between two calls is
judged when the later one comes, so a stalled main loop changes nothing.
"""

from micropython import const

_CHATTER_LIMIT = const(10)  # times debounce_ms: a contact that never comes to rest is then taken as it stands


class Debounce:
    """One button, known as `button` to `sink`, whose `press(button, up_ms)` and `release(button, up_ms)` are called.

    Calls must come in order of time. `debounce_ms` may be set anew at any time.
    """

    def __init__(self, button, debounce_ms, sink):
        self.button = button
        self.debounce_ms = debounce_ms
        self._sink = sink
        self._stable = False  # the confirmed level: True is pressed
        self._level = False  # the level last seen
        self._since = 0  # when it was taken up
        self._first = None  # first edge out of the stable level, while that is not decided
        self._ignored_until = -1  # a missed press brings several late interrupts: they are one

    def edge(self, pressed, up_ms):
        """The level became `pressed` at `up_ms`. True if this is a first contact, so that a lamp can tell at once."""
        self._settle(up_ms)
        if pressed == self._level:
            return False
        self._level = pressed
        self._since = up_ms
        if self._first is None and pressed != self._stable:
            self._first = up_ms
            return pressed
        return False

    def poll(self, pressed, now_ms):
        """The level is `pressed` at `now_ms` (a change without an edge is taken as an edge now). As `edge` else."""
        begun = self.edge(pressed, now_ms)
        self._settle(now_ms)
        return begun

    def missed(self, up_ms):
        """There was a contact up to `up_ms` that is over: its interrupt came late. A whole press and release then.

        Late interrupts of one contact may be many: those within `debounce_ms` of a first are part of it. Give contacts
        of several buttons increasing times, in the order of their interrupts.
        """
        self._settle(up_ms)
        if self._stable or self._first is not None or up_ms <= self._ignored_until:
            return False
        self._ignored_until = up_ms + self.debounce_ms
        self._sink.press(self.button, up_ms)
        self._sink.release(self.button, up_ms)
        return True

    def pending_since(self):
        """The up_ms of a first contact or break that is not decided yet, or None."""
        return self._first

    def is_pressed(self):
        """The confirmed level."""
        return self._stable

    def _settle(self, now_ms):
        if self._first is None:
            return
        held = now_ms - self._since >= self.debounce_ms
        if not held and now_ms - self._first < _CHATTER_LIMIT * self.debounce_ms:
            return
        first, self._first = self._first, None
        if self._level == self._stable:
            return
        self._stable = self._level
        if self._stable:
            self._sink.press(self.button, first)
        else:
            self._sink.release(self.button, first)


def settled_ms(buttons, now_ms):
    """The moment up to which every first contact and break is decided, for `SurveyTable.take`.

    Read `now_ms` first, then hand in all edges noted before it and poll, then ask this.
    """
    settled = now_ms
    for button in buttons:
        first = button.pending_since()
        if first is not None and first <= settled:
            settled = first - 1
    return settled
