"""What joins the stand-ins with the host: two pipes, and a thread that obeys while the main one stalls.

To the board come frames of JSON behind their length (two bytes, little-endian): `[request, command, ...]`.
From it come lines of JSON: `["reply", request, ...]`, and what the board does, as it does it: `["pin", 6, 1, ...]`.
"""

import _thread
import gc
import json
import sys

import ffi
import micropython
import utime

libc = ffi.open("libc.so.6")
_exit = libc.func("v", "_exit", "i")

RESET, SOFT_RESET, LOST, POWER_CUT = 71, 72, 73, 74  # exit statuses
HEAD_BYTES = 2

config = {}  # what this board is, see `Console`
commands = {}  # name: function of the command's arguments, called by the thread; its answer is the reply
board = ""
rp2 = False

_LATER = object()  # the answer of a command that another thread answers
_incoming = _outgoing = None
_thread_id = 0
_request = 0  # the one that is obeyed now
_errands = []  # what is to be done between two tasks: request, function, arguments
_errands_lock = _thread.allocate_lock()


class BoardError(Exception):
    """The firmware did what this board does not offer or forgive."""


def connect(incoming, outgoing):
    """Takes the two pipes and waits for the configuration."""
    global _incoming, _outgoing, board, rp2
    _incoming = open(incoming, "rb")
    _outgoing = open(outgoing, "wb")
    config.update(_frame())
    board = config["board"]
    rp2 = board in ("pico", "pico_w")


def start():
    """Begins to obey commands."""
    _thread.start_new_thread(_obey, ())


def tell(*words):
    """Tells the host; one write below 4 KB, which no other thread's can part."""
    _outgoing.write(json.dumps(words) + "\n")


def fault(sentence):
    """Tells the host of a broken rule, for firmware may catch anything, and raises BoardError."""
    tell("fault", sentence)
    raise BoardError(sentence)


def moment():
    """Two stamps: the console's clock (ms), and the machine's monotonic one (us, wrapping as `ticks_us`)."""
    import clockwork

    return clockwork.ticks_ms(), utime.ticks_us()


def in_thread():
    """Is this the thread that obeys (in which hard interrupts run)?"""
    return _thread.get_ident() == _thread_id


def in_main(function, argument):
    """Has the main thread call `function` when it gets round to it, as the scheduler of a board does."""
    while True:
        try:
            return micropython.schedule(function, argument)
        except RuntimeError:  # its queue is full
            utime.sleep_ms(1)


def end(status):
    """Ends the process at once."""
    _exit(status)


def _frame():
    head = _incoming.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES:
        end(LOST)
    return json.loads(_incoming.read(head[0] | head[1] << 8))


def _obey():
    global _thread_id, _request
    _thread_id = _thread.get_ident()
    while True:
        _request, name, *arguments = _frame()
        _answer(_request, commands[name], arguments)


def _answer(request, function, arguments):
    try:
        answer = function(*arguments)
    except Exception as error:
        sys.print_exception(error)
        tell("failed", request, repr(error))
        return
    if answer is not _LATER:
        tell("reply", request, answer)


def command(function):
    """Makes `function` a command under its name."""
    commands[function.__name__.strip("_")] = function
    return function


def replying(function):
    """Makes a command that the main thread does and answers when it gets round to it; others are obeyed meanwhile."""

    def forward(*arguments):
        request = _request
        in_main(lambda _: _answer(request, function, arguments), None)
        return _LATER

    commands[function.__name__.strip("_")] = forward
    return function


interrupted = False  # Ctrl-C has come: the main thread is to see it between two tasks, not within the flash's work


def between_tasks(function):
    """Makes a command that the main thread does between two of asyncio's tasks, and answers, as `replying` does.

    There no operation of the filesystem is under way, as there may be where the scheduler calls.
    """

    def forward(*arguments):
        with _errands_lock:
            _errands.append((_request, function, arguments))
        return _LATER

    commands[function.__name__] = forward
    return function


_STOOD_MS = 100  # the host is told if the main loop stood still for longer,
_ROUND_MS = 500  # and so often that it comes round: the last time is all that is known of a board whose power goes
_came_ms = _told_ms = None


def _come_round(now_ms):
    global _came_ms, _told_ms
    stood_ms = 0 if _came_ms is None else utime.ticks_diff(now_ms, _came_ms)
    _came_ms = now_ms
    if _told_ms is None or stood_ms > _STOOD_MS or utime.ticks_diff(now_ms, _told_ms) >= _ROUND_MS:
        _told_ms = now_ms
        tell("round", stood_ms, *moment())


def do_errand():
    """Called by the main thread between two tasks."""
    global interrupted
    at_work()
    now_ms = utime.ticks_ms()
    if now_ms != _came_ms:  # mostly many rounds take a millisecond
        _come_round(now_ms)
    if interrupted:
        interrupted = False
        raise KeyboardInterrupt
    if _errands:
        with _errands_lock:
            errand = _errands.pop(0)
        _answer(*errand)


_baseline = 0
_at_work = False


def ready():
    """All stand-ins are loaded: what lives on the heap from now on is the firmware's."""
    global _baseline
    gc.collect()
    _baseline = gc.mem_alloc()
    tell("ready")


def at_work():
    """Called whenever the firmware waits or ends: the first time, its start is over, and its buttons are heard."""
    global _at_work
    if not _at_work:
        _at_work = True
        tell("at_work")


@between_tasks
def come_round():
    """Nothing: it is answered when what the main loop was at is done."""


@command
def _stand_ins():
    return _baseline


@replying
def _heap():
    gc.collect()
    return gc.mem_alloc() - _baseline


@command
def _stall(ms, interrupts):
    """Blocks the main thread; what it has scheduled waits meanwhile. Without `interrupts` hard ones wait too.

    It is answered when the stall begins.
    """
    request = _request

    def block(_):
        import machine

        state = None if interrupts else machine.disable_irq()
        tell("reply", request, None)
        utime.sleep_ms(ms)
        if not interrupts:
            machine.enable_irq(state)

    in_main(block, None)
    return _LATER
