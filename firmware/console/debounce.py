"""Debounce one button, both ways: edges and levels in, confirmed presses and releases out. Pure, no I/O.

A change of level counts once the new level has held for `debounce_ms`; its time is that of the first edge out of the
old stable level (first contact, first break). A level that changes back sooner is noise. The time between two calls is
judged at the later call, so a stalled main loop changes nothing.

An interrupt may run late, and then only the earliest time of a contact is known. If that makes it as long as
`debounce_ms` it is a press, not noise.
"""

from micropython import const

_CHATTER_LIMIT = const(10)  # times debounce_ms: then a contact that never comes to rest is taken as it is


class Debounce:
    """The debouncing of one button. Calls `sink.press(button, up_ms)` and `sink.release(button, up_ms)`.

    Calls must come in order of time. `debounce_ms` may be changed at any time.
    """

    def __init__(self, button, debounce_ms, sink):
        self.button = button
        self.debounce_ms = debounce_ms
        self._sink = sink
        self._stable = False  # the confirmed level: True is pressed
        self._level = False  # the level seen last
        self._since = 0  # when that level began
        self._first = None  # the first edge out of the stable level, until it is decided
        self._dated = 0  # its time for the sink
        self._early = None  # when that edge, if it is a contact, may have been at the earliest; None: not before it
        self._pressed_ms = 0  # the time of the last press
        self._ignored_until = -1  # a missed press brings several late interrupts: they are one press

    def edge(self, pressed, up_ms, early_ms=None):
        """Note that the level became `pressed` at `up_ms`. Returns whether this is a first contact.

        It may have become so as early as `early_ms`, but not before the change before. A release is dated so.
        """
        self.settle(up_ms)
        if pressed == self._level:
            return False
        if early_ms is not None and pressed:
            early_ms = None if up_ms <= self._ignored_until else max(early_ms, self._since)
        self._level = pressed
        self._since = up_ms
        if self._first is None and pressed != self._stable:
            self._first = self._dated = up_ms
            self._early = early_ms if pressed else None
            if early_ms is not None and not pressed:
                self._dated = max(early_ms, self._pressed_ms)
            return pressed
        return False

    def poll(self, pressed, now_ms, early_ms=None):
        """Note the level at `now_ms`: a change that had no edge counts as an edge now. Returns what `edge` returns."""
        if self._first is None and pressed == self._level:
            return False  # nothing has changed, as nearly always
        begun = self.edge(pressed, now_ms, early_ms)
        self.settle(now_ms)
        return begun

    def missed(self, up_ms):
        """Report a press and release at `up_ms`: a contact ended before its interrupt ran. Returns whether it counts.

        One contact may bring many late interrupts: those within `debounce_ms` of the first are part of it. Give
        contacts of several buttons increasing times, in the order of their interrupts.
        """
        self.settle(up_ms)
        if self._stable or self._first is not None or up_ms <= self._ignored_until:
            return False
        self._since = up_ms
        self._ignored_until = up_ms + self.debounce_ms
        self._sink.press(self.button, up_ms)
        self._sink.release(self.button, up_ms)
        return True

    def pending_since(self):
        """Return the up_ms of a first contact or break that is not decided yet, or None."""
        return None if self._first is None else self._dated

    def is_pressed(self):
        """Return whether the button is down, debounced."""
        return self._stable

    def will_count(self):
        """Return whether a first contact that is not decided yet may have lasted long enough: then it is a press."""
        return self._first is not None and self._early is not None and self._since - self._early >= self.debounce_ms

    def settle(self, now_ms):
        """Decide a first contact or break, if it is time."""
        if self._first is None:
            return
        held = now_ms - self._since >= self.debounce_ms
        if not held and now_ms - self._first < _CHATTER_LIMIT * self.debounce_ms:
            return
        is_over = self._level == self._stable and self.will_count()
        self._first = None
        if is_over:
            self._sink.press(self.button, self._dated)
            self._sink.release(self.button, self._since)
        if self._level == self._stable:
            return
        self._stable = self._level
        if self._stable:
            self._pressed_ms = self._dated
            self._sink.press(self.button, self._dated)
        else:
            self._sink.release(self.button, self._dated)


def settled_ms(buttons, now_ms):
    """Return the moment up to which every first contact and break is decided, for `SurveyTable.take`.

    First read `now_ms`, then pass on all edges noted before it and poll, then call this.
    """
    settled = now_ms
    for button in buttons:
        first = button.pending_since()
        if first is not None and first <= settled:
            settled = first - 1
    return settled
