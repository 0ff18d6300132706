"""Contacts that close or break at the worst moment of a poll: between any two of its reads of clock and pins."""

import sys

from console.clock import Clock
from console.events import NO, SELLER, YES

DEBOUNCE_MS = 20
POLL_MS = 10
LAG_MS = 7  # as long as a collection of garbage, or a run of flash, in the midst of a poll
READS = 12  # more than a poll makes


class PlannedWiring:
    """Four pins and a clock; at a read that was planned, time passes and a contact changes."""

    def __init__(self, has_interrupts=True):
        self.now_ms = 1000
        self.levels = [1, 1, 1, 1]
        self.handlers = [None] * 4
        self.plan = None  # (number of the read, function)
        self._has_interrupts = has_interrupts
        self._interrupts_held = 0
        self._is_in_interrupt = False

    def read(self):
        if self.plan and not self._is_in_interrupt:
            number, happen = self.plan
            self.plan = (number - 1, happen) if number else None
            if not number:
                happen()

    def ticks_ms(self):
        self.read()
        return self.now_ms

    def change(self, button, pressed, after_ms=LAG_MS):
        """Close or open a contact after some time."""
        self.now_ms += after_ms
        self.levels[button] = 0 if pressed else 1
        if self._has_interrupts:
            self.interrupt(button)

    def interrupt(self, button):
        self._is_in_interrupt = True
        self.handlers[button](PlannedPin(button))
        self._is_in_interrupt = False


wiring = PlannedWiring()


class PlannedPin:
    IN, PULL_UP, IRQ_FALLING, IRQ_RISING = range(4)
    hard = True

    def __init__(self, number, *_):
        self._number = number

    def value(self):
        wiring.read()
        return wiring.levels[self._number]

    def irq(self, handler, _edges, **options):
        if options and not PlannedPin.hard:
            raise TypeError("unexpected keyword argument")
        wiring.handlers[self._number] = handler


class PlannedMachine:
    Pin = PlannedPin


class PlannedTime:
    @staticmethod
    def ticks_ms():
        return wiring.ticks_ms()


def load_buttons():
    before = sys.modules.get("machine")
    sys.modules["machine"] = PlannedMachine
    try:
        from console import buttons
    finally:
        del sys.modules["machine"]
        if before:
            sys.modules["machine"] = before
    buttons.time = PlannedTime
    return buttons


class PolledButtons:
    """Buttons on a wiring of their own; `heard` holds presses and releases."""

    def __init__(self, has_interrupts=True, hard=True):
        global wiring
        wiring = PlannedWiring(has_interrupts)
        PlannedPin.hard = hard
        self.heard = []
        self.settled_ms = -1
        clock = Clock(wiring.ticks_ms, lambda end, begin: end - begin)
        self.began_ms = wiring.now_ms
        self._buttons = load_buttons().Buttons(range(4), clock, DEBOUNCE_MS, self, lambda button: None)
        self.poll()

    def press(self, button, up_ms):
        self.hear(button, "press", up_ms)

    def release(self, button, up_ms):
        self.hear(button, "release", up_ms)

    def hear(self, button, what, up_ms):
        assert up_ms > self.settled_ms, "it was said that all up to here is decided"
        self.heard.append((button, what, self.began_ms + up_ms))

    def poll(self):
        settled_ms = self._buttons.poll()
        assert settled_ms >= self.settled_ms
        self.settled_ms = settled_ms

    def pass_ms(self, ms):
        for _ in range(ms // POLL_MS):
            wiring.now_ms += POLL_MS
            self.poll()


def changes(button, pressed, has_interrupts=True, hard=True):
    """Yield (what was heard, when it was, when the next poll was) of a change before each read of a poll."""
    for number in range(READS):
        rig = PolledButtons(has_interrupts, hard)
        if not pressed:
            wiring.change(button, True)
            rig.pass_ms(100)
            rig.heard = []
        wiring.now_ms += POLL_MS
        wiring.plan = (number, lambda: wiring.change(button, pressed))
        rig.poll()
        if wiring.plan:  # the poll makes fewer reads
            return
        changed_ms = wiring.now_ms
        rig.pass_ms(100)
        yield rig.heard, changed_ms, changed_ms + POLL_MS


def test_a_press_is_stamped_by_its_interrupt_whenever_it_comes():
    tried = 0
    for heard, contact_ms, _ in changes(NO, True):
        assert heard == [(NO, "press", contact_ms)]
        tried += 1
    assert tried > 4


def test_a_release_is_stamped_by_its_interrupt_whenever_it_comes():
    tried = 0
    for heard, break_ms, _ in changes(SELLER, False):
        assert heard == [(SELLER, "release", break_ms)]
        tried += 1
    assert tried > 4


def test_a_level_without_an_interrupt_is_stamped_at_the_next_look_and_never_before():
    for pressed in (True, False):
        for heard, changed_ms, next_poll_ms in changes(YES, pressed, has_interrupts=False):
            ((button, what, up_ms),) = heard
            assert (button, what) == (YES, "press" if pressed else "release")
            assert changed_ms <= up_ms <= next_poll_ms


def test_late_interrupts_are_no_exception():
    for heard, contact_ms, _ in changes(NO, True, hard=False):
        assert heard == [(NO, "press", contact_ms)]


def test_two_contacts_around_a_poll_keep_their_distance():
    for number in range(READS):
        rig = PolledButtons()
        wiring.change(YES, True)
        first_ms = wiring.now_ms
        wiring.now_ms += POLL_MS - LAG_MS
        wiring.plan = (number, lambda: wiring.change(NO, True))
        rig.poll()
        if wiring.plan:
            break
        rig.pass_ms(100)
        assert rig.heard == [(YES, "press", first_ms), (NO, "press", first_ms + POLL_MS)]


def test_a_contact_that_bounces_during_a_poll_is_one_press():
    for number in range(READS):
        rig = PolledButtons()
        wiring.change(YES, True)
        first_ms = wiring.now_ms

        def bounce():
            wiring.change(YES, False, 1)
            wiring.change(YES, True, 1)

        wiring.plan = (number, bounce)
        rig.poll()
        if wiring.plan:
            break
        rig.pass_ms(100)
        assert rig.heard == [(YES, "press", first_ms)]


def test_a_press_that_bounced_is_not_lost_if_the_next_poll_comes_late():
    for board_is_late in (False, True):
        rig = PolledButtons(hard=not board_is_late)
        for pressed in (True, False, True):
            wiring.change(YES, pressed, 1)
        first_ms = wiring.now_ms - 2
        wiring.change(YES, False, 60)
        wiring.now_ms += 40
        rig.poll()
        rig.pass_ms(100)
        assert [heard[:2] for heard in rig.heard] == [(YES, "press"), (YES, "release")]
        assert rig.heard[0][2] == first_ms
        assert first_ms <= rig.heard[1][2] <= first_ms + 2 + 60


def test_a_break_of_a_moment_in_a_long_press_is_noise_if_the_next_poll_comes_late():
    for board_is_late in (False, True):
        rig = PolledButtons(hard=not board_is_late)
        wiring.change(SELLER, True)
        first_ms = wiring.now_ms
        rig.pass_ms(50)
        wiring.change(SELLER, False, 150)
        wiring.change(SELLER, True, 2)
        wiring.now_ms += 100
        rig.poll()
        rig.pass_ms(100)
        assert rig.heard == [(SELLER, "press", first_ms)]


def press_across_the_end_of_a_stall(wait_ms, held_ms, after_ms):
    """Yield (what was heard, when the stall ended) of a contact in a stall, `wait_ms` after its begin.

    Its interrupt runs when the stall ends, `held_ms` later; `after_ms` after that the contact breaks.
    """
    for has_poll_between in (False, True):
        rig = PolledButtons(hard=False)
        wiring.now_ms += wait_ms
        wiring.levels[NO] = 0
        wiring.now_ms += held_ms
        wiring.interrupt(NO)
        ended_ms = wiring.now_ms
        if has_poll_between:
            rig.poll()
        wiring.change(NO, False, after_ms)
        rig.poll()
        rig.pass_ms(100)
        yield rig.heard, ended_ms


def test_a_press_that_ends_a_moment_after_a_stall_is_not_lost():
    for after_ms in range(1, 2 * DEBOUNCE_MS):
        for heard, ended_ms in press_across_the_end_of_a_stall(5, 70, after_ms):
            assert [fact[:2] for fact in heard] == [(NO, "press"), (NO, "release")]
            assert heard[0][2] == ended_ms
            assert ended_ms - 75 <= heard[1][2] <= ended_ms + after_ms


def test_a_contact_that_was_short_even_if_its_interrupt_was_late_is_noise():
    for heard, _ in press_across_the_end_of_a_stall(2, POLL_MS - 2, DEBOUNCE_MS - POLL_MS - 1):
        assert heard == []


def test_a_short_contact_in_a_stall_is_noise_if_interrupts_are_on_time():
    rig = PolledButtons()
    wiring.now_ms += 50
    wiring.change(NO, True)
    wiring.change(NO, False, DEBOUNCE_MS - 1)
    wiring.now_ms += 50
    rig.poll()
    rig.pass_ms(100)
    assert rig.heard == []


def test_a_press_in_a_stall_in_the_midst_of_a_poll_is_not_lost():
    """Its late interrupts run when the poll goes on: the poll may have read the clock already."""

    def stall():
        wiring.now_ms += 90
        wiring.plan = (0, run_late_interrupts)  # before the next read

    def run_late_interrupts():
        wiring.interrupt(NO)
        wiring.interrupt(NO)

    for number in range(READS):
        rig = PolledButtons(has_interrupts=False, hard=False)
        wiring.now_ms += POLL_MS
        wiring.plan = (number, stall)
        rig.poll()
        if wiring.plan and wiring.plan[1] is stall:
            break
        rig.pass_ms(100)
        assert [heard[:2] for heard in rig.heard] == [(NO, "press"), (NO, "release")]
    assert number > 4


def test_a_press_in_a_stall_right_after_another_is_not_lost():
    """A hard interrupt that waited for flash runs once for both edges."""
    rig = PolledButtons()
    wiring.change(NO, True)
    rig.pass_ms(80)
    wiring.change(NO, False)
    rig.pass_ms(POLL_MS)  # the release is not decided yet
    wiring.now_ms += 200
    wiring.interrupt(NO)
    rig.poll()
    rig.pass_ms(100)
    assert [heard[1] for heard in rig.heard] == ["press", "release"] * 2
