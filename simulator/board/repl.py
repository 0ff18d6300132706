"""The REPL of a board on its serial line, as hosts drive it: friendly, raw and raw paste mode, and Ctrl-C.

It answers as MicroPython's `shared/runtime/pyexec.c` and `repl` do, without line editing or history. What hosts don't
need (paste mode, friendly input of more than one line) is refused with a message.
"""

import sys
from array import array

import micropython as _real
import utime
import wires

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_RAW = b"raw REPL; CTRL-B to exit\r\n"
_WINDOW = 128  # bytes of a raw paste that the host may send until the board allows more
_MACHINES = {
    "esp32": ("esp32", "Generic ESP32 module with ESP32"),
    "pico": ("rp2", "Raspberry Pi Pico with RP2040"),
    "pico_w": ("rp2", "Raspberry Pi Pico W with RP2040"),
}

_CHECKS = 30  # of 10 ms
_SIGINT = 2
_FIONREAD = 0x541B
_count = array("i", [0])
_ioctl = wires.libc.func("i", "ioctl", "iip")
_kill, _getpid = wires.libc.func("i", "kill", "ii"), wires.libc.func("i", "getpid", "")

_in, _out = sys.stdin.buffer, sys.stdout.buffer


class _Module:
    """A stand-in for a built-in module, which can't be changed: the same attributes, but for those that are given."""

    def __init__(self, real, **replaced):
        for name in dir(real):
            setattr(self, name, getattr(real, name))
        for name, value in replaced.items():
            setattr(self, name, value)


def begin():
    """Make `sys` and `micropython` those of the board; from now on, Ctrl-C interrupts what runs."""
    from collections import namedtuple

    platform, machine = _MACHINES[wires.board]
    own = sys.implementation
    implementation_type = namedtuple("implementation", ("name", "version", "_machine", "_mpy"))
    implementation = implementation_type(own.name, own.version, machine, own._mpy)  # noqa: SLF001
    modules = sys.modules
    modules["sys"] = _Module(sys, platform=platform, implementation=implementation)
    modules["micropython"] = _Module(_real, kbd_intr=kbd_intr)
    kbd_intr(ord(CTRL_C))


def kbd_intr(char):
    """Set the character that interrupts what runs; -1: none. The host's end of the line keeps it out of the input."""
    wires.tell("interrupt", char)


@wires.command
def _interrupt():
    """Interrupt the program, as Ctrl-C does: between two tasks, or if no main loop comes round, wherever it is."""
    wires.interrupted = True
    for _ in range(_CHECKS):
        utime.sleep_ms(10)
        if not wires.interrupted:
            return
    wires.interrupted = False
    _kill(_getpid(), _SIGINT)


def say(data):
    """Write to the line."""
    _out.write(data)


def serve(names, raw):
    """Obey until a soft reset; return whether the next boot begins in the raw REPL."""
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
    """Return the next byte; also a Ctrl-C that came just as a program ended."""
    try:
        byte = _in.read(1)
    except KeyboardInterrupt:
        return CTRL_C
    if not byte:
        wires.end(wires.LOST)
    return byte


def _serve_friendly(names):
    """Serve the friendly REPL; return True when the raw REPL is wanted, False for a soft reset."""
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
    """Serve the raw REPL; return True for a soft reset, False when the friendly REPL is wanted."""
    _out.write(_RAW)
    line = bytearray()
    _out.write(b">")
    while True:
        byte = _byte()
        if byte == CTRL_A:
            if line[:1] == CTRL_E and len(line) == 2:  # noqa: PLR2004 - Ctrl-E, the kind, Ctrl-A
                if line[1:] == b"A":
                    _out.write(b"R\x01")
                    _run(_read_paste(), names)
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


def _read_paste():
    """Read the source of a raw paste; it is a fault if the host sends more than the window allows."""
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
            if _unread_bytes() > _WINDOW:  # at most one more window was allowed
                wires.fault("a raw paste went beyond its window")
            _out.write(b"\x01")


def _unread_bytes():
    """Return how many bytes have come that are not read yet."""
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
    """Run source code; `report` gets the exception that ended it, or None. SystemExit is a soft reset."""
    kbd_intr(ord(CTRL_C))
    raised = None
    try:
        exec(compile(source, "<stdin>", kind), names)  # noqa: S102 - a REPL runs code
    except SystemExit:
        wires.end(wires.SOFT_RESET)
    except BaseException as error:
        raised = error
    kbd_intr(-1)
    report(raised)
