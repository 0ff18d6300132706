"""Pins: contacts come in from the simulator, lamps go out, and interrupts run as the board's port runs them."""

import _thread
import sys

import clockwork
import micropython
import utime
import wires
from umachine import PinBase

SOFT_DEPTH = 8  # how many calls the scheduler of both ports holds; more are dropped
RISING, FALLING = 1, 2
MODES = IN, OUT, OPEN_DRAIN = (1, 3, 7) if wires.board == "esp32" else (0, 1, 2)
PULL_UP, PULL_DOWN = (2, 1) if wires.board == "esp32" else (1, 2)

_UNUSABLE = {  # by board: pins that its module uses itself, or does not lead out
    "esp32": (6, 7, 8, 9, 10, 11, 20, 24, 28, 29, 30, 31),
    "pico_w": (23, 24, 25, 29),
    "pico": (23, 24),
    "unix": (),
}
_HIGHEST = {"esp32": 39}
_FIRST_INPUT_ONLY = {"esp32": 34}

# Soft interrupts that wait. One thread puts them in and another takes them out, each with its own count: this
# MicroPython runs threads truly in parallel, and a list that both change would lose some.
_soft = [None] * SOFT_DEPTH
_soft_put = _soft_taken = _soft_lost = 0
_draining = False
_running = _thread.allocate_lock()  # held while a hard interrupt runs
_off = False  # hard interrupts are disabled


class _Pad:
    """The state of one pin, which several Pin objects may share."""

    def __init__(self, number):
        self.number = number
        self.mode = None
        self.pull = None
        # The level that something outside drives: 0, 1, or None.
        self.contact = wires.config["contacts"].get(str(number))
        self.out = 0
        self.told_out = 0
        self.handler = None
        self.trigger = 0
        self.hard = False
        self.latched = False
        self.told_ms = None  # when the host was told of the latched contact
        self.pin = None

    def level(self):
        """Return what the pin reads."""
        if self.contact is not None:
            return self.contact
        if self.pull == PULL_UP:
            return 1
        if self.pull == PULL_DOWN:
            return 0
        return wires.fault("pin %d is read, but nothing drives it: it needs a pull" % self.number)

    def tell(self):
        """Tell the host if the output has changed."""
        if self.out != self.told_out:
            self.told_out = self.out
            wires.tell("pin", self.number, self.out, *wires.moment())


# All pads are made here, so that they don't count as the firmware's memory.
_pads = {n: _Pad(n) for n in range(_HIGHEST.get(wires.board, 29) + 1) if n not in _UNUSABLE[wires.board]}


class _Irq:
    def __init__(self, pad):
        self._pad = pad

    def trigger(self):
        return self._pad.trigger


def pad(number):
    """Return the pad of that number; a fault if the board does not have it."""
    if type(number) is not int or not 0 <= number <= _HIGHEST.get(wires.board, 29):
        raise ValueError("invalid pin")
    if number not in _pads:
        wires.fault("pin %d can't be used on %s" % (number, wires.board))
    return _pads[number]


class _Pin(PinBase):
    IN, OUT, OPEN_DRAIN = IN, OUT, OPEN_DRAIN
    PULL_UP, PULL_DOWN = PULL_UP, PULL_DOWN
    IRQ_RISING, IRQ_FALLING = RISING, FALLING

    def __init__(self, id, mode=-1, pull=-1, *, value=None):
        self.pad = pad(id)
        self.pad.pin = self
        if mode != -1:
            self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None):
        """Set mode, pull and, of an output, its first level."""
        this = self.pad
        if mode not in MODES:
            raise ValueError("invalid pin mode")
        if pull not in (-1, None, PULL_UP, PULL_DOWN):
            raise ValueError("invalid pull")
        if this.number >= _FIRST_INPUT_ONLY.get(wires.board, 99) and (mode != IN or pull not in (-1, None)):
            wires.fault("pin %d can only be an input without pulls" % this.number)
        if mode == IN and value is not None:
            wires.fault("pin %d is an input and takes no value" % this.number)
        this.mode, this.pull = mode, pull
        if value is not None:
            self._drive(value)

    def _drive(self, value):
        this = self.pad
        if this.mode not in (OUT, OPEN_DRAIN):
            wires.fault("pin %d is driven, but is not an output" % this.number)
        this.out = 1 if value else 0
        if not wires.in_thread():
            this.tell()

    def value(self, value=None):
        """Read an input, or drive an output."""
        if value is not None:
            return self._drive(value)
        this = self.pad
        if this.mode != IN:
            wires.fault("pin %d is read, but is not an input" % this.number)
        return this.level()

    __call__ = value

    def on(self):
        self._drive(1)

    def off(self):
        self._drive(0)

    def _irq(self, handler, trigger, hard):
        this = self.pad
        if this.mode != IN:
            wires.fault("pin %d has an interrupt, but is not an input" % this.number)
        if not trigger or trigger & ~(RISING | FALLING):
            wires.fault("pin %d: only edges can trigger interrupts here" % this.number)
        this.handler, this.trigger, this.hard = handler, trigger, hard
        return _Irq(this)


class _Esp32Pin(_Pin):
    def irq(self, handler=None, trigger=RISING | FALLING, wake=None):
        """Call `handler(pin)` from the scheduler."""
        if wake is not None:
            wires.fault("pins can't wake the board here")
        return self._irq(handler, trigger, False)


class _Rp2Pin(_Pin):
    high, low = _Pin.on, _Pin.off

    def toggle(self):
        self._drive(1 - self.pad.out)

    def irq(self, handler=None, trigger=RISING | FALLING, hard=False):
        """Call `handler(pin)` from the scheduler, or if `hard` at once and without heap."""
        return self._irq(handler, trigger, hard)


class _UnixPin(_Pin):
    def irq(self, handler=None, trigger=RISING | FALLING, hard=False):
        """Call `handler(pin)` as the console's `interrupts` say."""
        return self._irq(handler, trigger, hard and wires.config["interrupts"] == "hard")


Pin = _Rp2Pin if wires.rp2 else _Esp32Pin if wires.board == "esp32" else _UnixPin


def disable_irq():
    """Hold hard interrupts back; return the state to give to `enable_irq`."""
    global _off
    if wires.in_thread():  # during a hard interrupt
        return True
    with _running:
        before, _off = _off, True
    return before


def enable_irq(state):
    """Let hard interrupts run; those that waited run now, once each."""
    global _off
    if wires.in_thread() or state:
        return
    with _running:
        _off = False
        for this in _pads.values():
            if this.latched:
                this.latched = False
                _call_hard(this)
                _tell_caught(this, this.told_ms)


def pad_of(pin):
    """Return the pad of a Pin, or of a pin's number."""
    return pin.pad if isinstance(pin, _Pin) else pad(pin)


def contact(number, level, told_ms=None):
    """Drive the pin to `level` from outside (None: let go), and run its interrupts.

    `told_ms` is when the host was told of the contact, by the console's clock; the host is then also told when the
    interrupt has run.
    """
    this = pad(number)
    before = _visible_level(this)
    this.contact = level
    after = _visible_level(this)
    if before != after and this.handler and this.trigger & (RISING if after else FALLING):
        if this.hard:
            with _running:
                if _off:
                    this.latched, this.told_ms = True, told_ms
                else:
                    _call_hard(this)
                    _tell_caught(this, told_ms)
            _tell_all()
        else:
            _call_soft(this, told_ms)


def _visible_level(this):
    """Return the pin's level; None if nothing drives it."""
    if this.contact is None and this.pull not in (PULL_UP, PULL_DOWN):
        return None
    return this.level()


def _tell_all():
    for this in _pads.values():
        this.tell()


def _call_hard(this):
    micropython.heap_lock()
    try:
        this.handler(this.pin)
        failed = None
    except Exception as error:
        failed = error
    micropython.heap_unlock()
    if failed is not None:
        this.handler = None
        print("Uncaught exception in IRQ callback handler")  # noqa: T201 - as a board does
        sys.print_exception(failed)
        wires.tell("fault", "a hard interrupt raised %r" % failed)


def _tell_caught(this, told_ms):
    if told_ms is not None:
        wires.tell("caught", this.number, told_ms, clockwork.ticks_ms())


def _call_soft(this, told_ms):
    global _soft_lost, _soft_put
    if _soft_put - _soft_taken >= SOFT_DEPTH:
        _soft_lost += 1
        return
    _soft[_soft_put % SOFT_DEPTH] = (this, told_ms)
    _soft_put += 1
    if _soft_put - _soft_taken == 1:
        wires.in_main(_drain, None)


def settled():
    """Return whether the main thread has run all soft interrupts that are due."""
    return _soft_put == _soft_taken and not _draining


def _drain(_):
    global _draining, _soft_taken
    _draining = True
    while _soft_taken != _soft_put:
        this, told_ms = _soft[_soft_taken % SOFT_DEPTH]
        _soft_taken += 1
        if this.handler:
            try:
                this.handler(this.pin)
            except Exception as error:
                sys.print_exception(error)
            _tell_caught(this, told_ms)
    _draining = False


@wires.command
def _contact(number, level):
    contact(number, level, _tell_contact(number, level))


@wires.command
def _contacts(number, edges):
    """Drive the pin through `edges`: (level, microseconds for which it is held)."""
    told_ms = _tell_contact(number, edges[-1][0])
    for level, held_us in edges:
        contact(number, level, told_ms)
        told_ms = None
        utime.sleep_us(held_us)


def _tell_contact(number, level):
    """Tell the host of a contact before anything can follow from it; return the console's clock at that moment."""
    moment = wires.moment()
    wires.tell("contact", number, level is not None, *moment)
    return moment[0]


@wires.command
def _stall(ms, interrupts):
    """Blocks the main thread; what it has scheduled waits meanwhile. Without `interrupts`, hard ones wait too.

    The reply comes when the stall begins.
    """
    request = wires.request

    def block(_):
        state = None if interrupts else disable_irq()
        wires.tell("reply", request, None)
        utime.sleep_ms(ms)
        if not interrupts:
            enable_irq(state)

    wires.in_main(block, None)
    return wires.LATER
