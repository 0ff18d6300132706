"""The REPL of a board on its serial line, as hosts drive it: friendly, raw, and raw paste; and Ctrl-C.

It speaks as MicroPython's `shared/runtime/pyexec.c` and `repl` do, without editing or history. What is not asked for by
that protocol (paste mode, more than one line of friendly input) is refused aloud.
"""

import sys
from array import array

import micropython as _real
import utime
import wires

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_RAW = b"raw REPL; CTRL-B to exit\r\n"
_WINDOW = 128  # bytes of a raw paste between two words of the board
_MACHINES = {
    "esp32": ("esp32", "Generic ESP32 module with ESP32"),
    "pico": ("rp2", "Raspberry Pi Pico with RP2040"),
    "pico_w": ("rp2", "Raspberry Pi Pico W with RP2040"),
}

_LOOKS = 30
_SIGINT = 2
_FIONREAD = 0x541B
_count = array("i", [0])
_ioctl = wires.libc.func("i", "ioctl", "iip")
_kill, _getpid = wires.libc.func("i", "kill", "ii"), wires.libc.func("i", "getpid", "")

_in, _out = sys.stdin.buffer, sys.stdout.buffer


class _Module:
    """Stands in for a built-in module that can't be changed: the same names, some of them other."""

    def __init__(self, real, **other):
        for name in dir(real):
            setattr(self, name, getattr(real, name))
        for name, value in other.items():
            setattr(self, name, value)


def begin():
    """Makes `sys` and `micropython` those of the board; from now on Ctrl-C stops what runs."""
    from collections import namedtuple

    platform, machine = _MACHINES[wires.board]
    this = sys.implementation
    as_there = namedtuple("implementation", ("name", "version", "_machine", "_mpy"))
    like = as_there(this.name, this.version, machine, this._mpy)  # noqa: SLF001
    modules = sys.modules
    modules["sys"] = _Module(sys, platform=platform, implementation=like)
    modules["micropython"] = _Module(_real, kbd_intr=kbd_intr)
    kbd_intr(ord(CTRL_C))


def kbd_intr(char):
    """Which character stops what runs; -1: none. The host's end of the line keeps it out of the input."""
    wires.tell("interrupt", char)


@wires.command
def _interrupt():
    """Ctrl-C: between two tasks, or if no main loop comes round, wherever the program is."""
    wires.interrupted = True
    for _ in range(_LOOKS):
        utime.sleep_ms(10)
        if not wires.interrupted:
            return
    wires.interrupted = False
    _kill(_getpid(), _SIGINT)


def say(data):
    """Writes to the line."""
    _out.write(data)


def serve(names, raw):
    """Obeys until a soft reset; answers whether the next boot begins in the raw REPL."""
    kbd_intr(-1)
    wires.at_work()
    while True:
        if raw:
            if _serve_raw(names):
                return True
            raw = False
        if not _serve_friendly(names):
            return False
        raw = True


def _byte():
    """The next byte; Ctrl-C that came just as something ended is one too."""
    try:
        byte = _in.read(1)
    except KeyboardInterrupt:
        return CTRL_C
    if not byte:
        wires.end(wires.LOST)
    return byte


def _serve_friendly(names):
    """True once the raw REPL is wanted, False for a soft reset."""
    _say_hello()
    line = bytearray()
    while True:
        byte = _byte()
        if byte == CTRL_A:
            return True
        if byte == CTRL_B:
            _say_hello()
            line = bytearray()
        elif byte == CTRL_C:
            line = bytearray()
            _out.write(b"\r\n>>> ")
        elif byte == CTRL_D and not line:
            _out.write(b"\r\n")
            return False
        elif byte == CTRL_E:
            _out.write(b"\r\nno paste mode here\r\n>>> ")
        elif byte == b"\r":
            _out.write(b"\r\n")
            _execute(bytes(line), names, "single", _report)
            line = bytearray()
            _out.write(b">>> ")
        elif byte >= b" ":
            line.extend(byte)
            _out.write(byte)


def _say_hello():
    _out.write(b'MicroPython v%s; %s\r\nType "help()" for more information.\r\n>>> ' % (_version(), _machine()))


def _version():
    return ".".join(str(number) for number in sys.implementation.version[:3]).encode()


def _machine():
    return _MACHINES[wires.board][1].encode()


def _serve_raw(names):
    """True for a soft reset, False once the friendly REPL is wanted."""
    _out.write(_RAW)
    line = bytearray()
    _out.write(b">")
    while True:
        byte = _byte()
        if byte == CTRL_A:
            if line[:1] == CTRL_E and len(line) == 2:  # noqa: PLR2004 - Ctrl-E, the kind, Ctrl-A
                if line[1:] == b"A":
                    _out.write(b"R\x01")
                    _run(_pasted(), names)
                else:
                    _out.write(b"R\x00")
            else:
                _out.write(_RAW)
            line = bytearray()
            _out.write(b">")
        elif byte == CTRL_B:
            _out.write(b"\r\n")
            return False
        elif byte == CTRL_C:
            line = bytearray()
        elif byte == CTRL_D:
            _out.write(b"OK")
            if not line:
                _out.write(b"\r\n")
                return True
            _run(bytes(line), names)
            line = bytearray()
            _out.write(b">")
        else:
            line.extend(byte)


def _pasted():
    """The source that a raw paste brings; what is beyond the windows given breaks the rules of this line."""
    _out.write(bytes((_WINDOW & 0xFF, _WINDOW >> 8)) + b"\x01")
    source, left = bytearray(), _WINDOW
    while True:
        byte = _byte()
        if byte in (CTRL_C, CTRL_D):
            _out.write(CTRL_D)
            return b"" if byte == CTRL_C else bytes(source)
        source.extend(byte)
        left -= 1
        if left == 0:
            left = _WINDOW
            if _waiting() > _WINDOW:  # at most one more was free
                wires.fault("a raw paste went beyond its window")
            _out.write(b"\x01")


def _waiting():
    """How many bytes have come that are not read yet."""
    _ioctl(0, _FIONREAD, _count)
    return _count[0]


def _run(source, names):
    _execute(source, names, "exec", _report_raw)
    _out.write(CTRL_D)


def _report_raw(error):
    _out.write(CTRL_D)
    if error is not None:
        _report(error)


def _report(error):
    if error is not None:
        sys.print_exception(error)


def _execute(source, names, kind, report):
    """Runs it; `report` gets the error that ended it, or None. SystemExit is a soft reset."""
    kbd_intr(ord(CTRL_C))
    failed = None
    try:
        exec(compile(source, "<stdin>", kind), names)  # noqa: S102 - what else
    except SystemExit:
        wires.end(wires.SOFT_RESET)
    except BaseException as error:
        failed = error
    kbd_intr(-1)
    report(failed)
