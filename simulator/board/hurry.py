"""A life in a hurry: contacts by a timetable, the clock jumping on to the next as soon as the main loop has no work.

It takes the place of asyncio's wait for sockets: only there nothing is under way.
"""

import clockwork
import pins
import utime
import wires

_SETTLE_MS = 1  # of the machine's time, for an answer from the network, before a jump that it would miss
_SMALL_MS = 500
_PIECE_MS = 6000  # the longest jump in a session: it has limits for answers
_STANDSTILL_MS = 25000  # of the machine's time, without anything done
_LONG_MS = 60000  # what is longer than this is jumped at once; sessions end by it

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
            return  # something has come
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
    """Does all of the plan; answers by how much the clock has jumped."""
    global _next, _jumped
    if _core is None:
        wires.in_main(_begin, None)  # in the thread whose queue it is
        while _core is None:
            utime.sleep_ms(1)
    _jumped = 0
    plan.reverse()
    _next = utime.ticks_add(clockwork.ticks_ms(), plan[-1][0])
    _plan.extend(plan)
    seen, since = None, 0
    while _plan:
        if seen != (len(_plan), _jumped):
            seen, since = (len(_plan), _jumped), clockwork.machine_ms()
        elif utime.ticks_diff(clockwork.machine_ms(), since) > _STANDSTILL_MS:
            del _plan[:]
            raise RuntimeError("the main loop does not come round")
        utime.sleep_ms(1)
    return _jumped
