"""Connects the stand-ins with the host: by two pipes, and a thread that obeys commands even while the main one stalls.

The host sends frames of JSON after their length (two bytes, little-endian): `[request, command, ...]`.
The board sends lines of JSON: `["reply", request, ...]`, and what it does, as it does it: `["pin", 6, 1, ...]`.
"""

import _thread
import gc
import json
import sys

import clockwork
import ffi
import micropython
import utime

libc = ffi.open("libc.so.6")
_exit = libc.func("v", "_exit", "i")

RESET, SOFT_RESET, LOST, POWER_CUT = 71, 72, 73, 74  # exit statuses
LENGTH_BYTES = 2  # before a frame

config = {}  # of this board, see `Console`
commands = {}  # by name, the function that the thread calls with a command's arguments; what it returns is the reply
board = ""
rp2 = False
request = 0  # the number of the command that is being obeyed

LATER = object()  # what a command returns if its reply comes later
_incoming = _outgoing = None
_thread_id = 0
_errands = []  # commands to be done between two tasks: request, function, arguments
_errands_lock = _thread.allocate_lock()


class BoardError(Exception):
    """The firmware did something that this board does not offer or does not allow."""


def connect(incoming, outgoing):
    """Open the two pipes and wait for the configuration."""
    global _incoming, _outgoing, board, rp2
    _incoming = open(incoming, "rb")
    _outgoing = open(outgoing, "wb")
    config.update(_frame())
    board = config["board"]
    rp2 = board in ("pico", "pico_w")


def start():
    """Begin to obey commands."""
    _thread.start_new_thread(_obey, ())


def tell(*words):
    """Tell the host, in one write below 4 KB, so that no other thread's write can split it."""
    _outgoing.write(json.dumps(words) + "\n")


def fault(sentence):
    """Report a broken rule to the host, as the firmware may catch any exception, and raises BoardError."""
    tell("fault", sentence)
    raise BoardError(sentence)


def moment():
    """Return two stamps: of the console's clock (ms), and of the host's monotonic one (us, wrapping as `ticks_us`)."""
    return clockwork.ticks_ms(), utime.ticks_us()


def in_thread():
    """Return whether this is the thread that obeys commands, in which hard interrupts run."""
    return _thread.get_ident() == _thread_id


def in_main(function, argument):
    """Have the main thread call `function` when it gets round to it, as the scheduler of a board does."""
    while True:
        try:
            return micropython.schedule(function, argument)
        except RuntimeError:  # its queue is full
            utime.sleep_ms(1)


def end(status):
    """End the process at once."""
    _exit(status)


def _frame():
    length = _incoming.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        end(LOST)
    return json.loads(_incoming.read(length[0] | length[1] << 8))


def _obey():
    global _thread_id, request
    _thread_id = _thread.get_ident()
    while True:
        request, name, *arguments = _frame()
        _do(request, commands[name], arguments)


def _do(number, function, arguments):
    """Do a command, and reply to the request of that number."""
    try:
        answer = function(*arguments)
    except Exception as error:
        sys.print_exception(error)
        tell("failed", number, repr(error))
        return
    if answer is not LATER:
        tell("reply", number, answer)


def command(function):
    """Make `function` a command of the same name."""
    commands[function.__name__.strip("_")] = function
    return function


def main_command(function):
    """Make `function` a command that the main thread does when it gets round to it; others are obeyed meanwhile."""

    def forward(*arguments):
        number = request
        in_main(lambda _: _do(number, function, arguments), None)
        return LATER

    commands[function.__name__.strip("_")] = forward
    return function


interrupted = False  # Ctrl-C has come: the main thread is to see it between two tasks, not during the flash's work


def between_tasks(function):
    """Make `function` a command that the main thread does between two of asyncio's tasks.

    No operation of the filesystem is under way then, as it may be where the scheduler calls.
    """

    def forward(*arguments):
        with _errands_lock:
            _errands.append((request, function, arguments))
        return LATER

    commands[function.__name__] = forward
    return function


_STANDSTILL_MS = 100  # a longer standstill of the main loop is reported to the host,
_ROUND_MS = 500  # and so is a round this often: of a board whose power goes, the last report is all that is known
_came_ms = _told_ms = None  # when the main loop came round last, and when it was reported


def _come_round(now_ms):
    global _came_ms, _told_ms
    stood_ms = 0 if _came_ms is None else utime.ticks_diff(now_ms, _came_ms)
    _came_ms = now_ms
    if _told_ms is None or stood_ms > _STANDSTILL_MS or utime.ticks_diff(now_ms, _told_ms) >= _ROUND_MS:
        _told_ms = now_ms
        tell("round", stood_ms, *moment())


def do_errand():
    """Do one command that waits; called by the main thread between two tasks."""
    global interrupted
    at_work()
    now_ms = utime.ticks_ms()
    if now_ms != _came_ms:  # usually there are many rounds in a millisecond
        _come_round(now_ms)
    if interrupted:
        interrupted = False
        raise KeyboardInterrupt
    if _errands:
        with _errands_lock:
            errand = _errands.pop(0)
        _do(*errand)


_baseline = 0
_at_work = False


def ready():
    """Note that all stand-ins are loaded: what is allocated on the heap from now on is the firmware's."""
    global _baseline
    gc.collect()
    _baseline = gc.mem_alloc()
    tell("ready")


def at_work():
    """Tell the host, the first time, that the firmware has started: it waits or has ended, and hears its buttons."""
    global _at_work
    if not _at_work:
        _at_work = True
        tell("at_work")


@between_tasks
def come_round():
    """Do nothing; the reply comes once the main loop has finished its present task."""


@command
def _stand_ins():
    return _baseline


@main_command
def _heap():
    gc.collect()
    return gc.mem_alloc() - _baseline
