"""Sound and speech: PWM for the piezo, UART for the player. The simulator hears both."""
# ruff: noqa: ARG002, PLR2004 - the real module's arguments and limits

import wires
from pins import pad_of


class PWM:
    """A pin with a square wave; `duty_u16` 0 is silence. Only the ESP32 has `duty` (0 to 1023)."""

    def __init__(self, dest, freq=None, duty_u16=None, duty_ns=None, **port):
        self._pad = pad_of(dest)
        self._freq, self._duty, self._told_hertz = 0, 0, 0
        if wires.board == "esp32":
            self._freq, self._duty = 5000, 32768  # that port's defaults
        self.init(freq, duty_u16, duty_ns, **port)

    def init(self, freq=None, duty_u16=None, duty_ns=None, duty=None):
        """Set the values that are given."""
        if duty is not None and wires.board != "esp32":
            raise TypeError("extra keyword arguments given")
        if freq is not None:
            self._set_freq(freq)
        if duty_ns is not None:
            duty_u16 = duty_ns * self._freq * 65535 // 1000000000
        if duty is not None:
            duty_u16 = duty * 65535 // 1023
        if duty_u16 is not None:
            self._set_duty(duty_u16)
        self._tell()

    def _set_freq(self, freq):
        if not 1 <= freq <= 40000000 or (wires.rp2 and freq < 8):
            raise ValueError("freq too small" if freq < 8 else "freq too large")
        self._freq = freq

    def _set_duty(self, duty):
        if not 0 <= duty <= 65535:
            raise ValueError("duty_u16 must be from 0 to 65535")
        self._duty = duty

    def freq(self, freq=None):
        """Return the frequency in hertz; sets it, if given."""
        if freq is None:
            return self._freq
        self._set_freq(freq)
        return self._tell()

    def duty_u16(self, duty=None):
        """Return how much of the time the pin is high, of 65535; sets it, if given."""
        if duty is None:
            return self._duty
        if wires.rp2 and not self._freq:
            wires.fault("PWM needs a frequency before its duty")
        self._set_duty(duty)
        return self._tell()

    def deinit(self):
        """Stop the wave."""
        self._duty = 0
        self._tell()

    def _tell(self):
        hertz = self._freq if self._duty else 0
        if hertz != self._told_hertz:
            self._told_hertz = hertz
            wires.tell("tone", self._pad.number, hertz, *wires.moment())


class Esp32PWM(PWM):
    """PWM with the `duty` that only this port has."""

    def duty(self, duty=None):
        """Return how much of the time the pin is high, of 1023; sets it, if given."""
        if duty is None:
            return self._duty * 1023 // 65535
        if not 0 <= duty <= 1023:
            raise ValueError("duty must be from 0 to 1023")
        return self.duty_u16(duty * 65535 // 1023)


class UART:
    """A serial line; the simulator gets what is written, and nothing ever comes in."""

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, *, tx=None, rx=None, **buffers):
        if id not in ((0, 1, 2) if wires.board == "esp32" else (0, 1)) and wires.board != "unix":
            raise ValueError("UART(%d) does not exist" % id)
        if wires.board == "esp32" and id == 0:
            wires.fault("UART 0 of esp32 is its REPL")
        self._id = id
        for number in (tx, rx):
            if number is not None:
                pad_of(number)
        _refuse_unknown(buffers, ("rts", "cts", "txbuf", "rxbuf", "timeout", "timeout_char", "invert", "flow"))
        self.init(baudrate, bits, parity, stop)

    def init(self, baudrate=115200, bits=8, parity=None, stop=1):
        """Set the line's speed and format."""
        if (
            not 300 <= baudrate <= 5000000
            or bits not in (5, 6, 7, 8)
            or stop not in (1, 2)
            or parity not in (None, 0, 1)
        ):
            raise ValueError("unsupported speed or format")

    def write(self, data):
        """Send bytes; return how many."""
        from binascii import hexlify

        wires.tell("uart", self._id, hexlify(bytes(data)).decode(), *wires.moment())
        return len(data)

    def any(self):
        """Return how many bytes have come in."""
        return 0

    def read(self, nbytes=-1):
        """Return None: nothing has come in."""
        return

    def readinto(self, buffer, nbytes=-1):
        """Return None: nothing has come in."""
        return

    def readline(self):
        """Return None: nothing has come in."""
        return

    def flush(self):
        """Do nothing: all is sent at once."""

    def txdone(self):
        """Return whether all is sent."""
        return True

    def deinit(self):
        """Do nothing."""


def _refuse_unknown(given, known):
    for name in given:
        if name not in known:
            raise TypeError("extra keyword arguments given")
