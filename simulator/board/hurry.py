"""Follows a timetable of contacts in a hurry: the clock jumps to the next one as soon as the main loop has no work.

This replaces asyncio's wait for sockets, the only place where the main loop does nothing.
"""

import clockwork
import pins
import utime
import wires

_SETTLE_MS = 1  # of the host's time, for an answer from the network to arrive before a jump
_SMALL_MS = 500  # a shorter jump needs no such wait
_PIECE_MS = 6000  # the longest jump while a broker session goes on, as it waits only so long for answers
_STANDSTILL_MS = 25000  # of the host's time, without progress
_LONG_MS = 60000  # a longer wait is jumped at once; broker sessions end by it

_plan = []  # [ms after the one before, pin (None: just time), level], last first
_next = 0
_jumped = 0
_core = None


def _begin(_):
    global _core
    from asyncio import core

    core._io_queue.wait_io_event = _wait  # noqa: SLF001
    _core = core


def _wait(dt):
    queue = _core._io_queue  # noqa: SLF001
    wait = type(queue).wait_io_event
    if dt == 0 or not _plan:
        wait(queue, dt)
        return
    ahead = utime.ticks_diff(_next, clockwork.ticks_ms())
    if ahead <= 0:
        _do_next()
        return
    if ahead > _SMALL_MS:
        wait(queue, _SETTLE_MS)
        first = _core._task_queue.peek()  # noqa: SLF001
        if first and utime.ticks_diff(first.ph_key, clockwork.ticks_ms()) <= 0:
            return  # a task has become due: something arrived
        ahead = max(0, utime.ticks_diff(_next, clockwork.ticks_ms()))
    _jump(min(ahead, _PIECE_MS) if ahead < _LONG_MS else ahead)


def _jump(ms):
    global _jumped
    clockwork.jump(ms)
    _jumped += ms


def _do_next():
    global _next
    _, number, level = _plan.pop()
    if number is not None:
        pins.contact(number, level)
    if _plan:
        _next = utime.ticks_add(clockwork.ticks_ms(), _plan[-1][0])


@wires.command
def _hurry(plan):
    """Follow the plan to its end; return by how many ms the clock has jumped."""
    global _next, _jumped
    if _core is None:
        wires.in_main(_begin, None)  # in the main thread, to which the queue belongs
        while _core is None:
            utime.sleep_ms(1)
    _jumped = 0
    plan.reverse()
    _next = utime.ticks_add(clockwork.ticks_ms(), plan[-1][0])
    _plan.extend(plan)
    seen, since = None, 0
    while _plan:
        if seen != (len(_plan), _jumped):
            seen, since = (len(_plan), _jumped), clockwork.host_ms()
        elif utime.ticks_diff(clockwork.host_ms(), since) > _STANDSTILL_MS:
            del _plan[:]
            raise RuntimeError("the main loop makes no progress")
        utime.sleep_ms(1)
    return _jumped
