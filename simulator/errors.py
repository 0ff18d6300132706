"""The simulator's errors; the name says what was at fault."""

from collections.abc import Sequence


class SimulatorError(Exception):
    """Base of all errors; the text is a plain sentence that says what is wrong and what to do.

    Where several things are wrong, it heads a line for each of them, in `lines`.
    """

    lines: Sequence[str] = ()


class MicroPythonError(SimulatorError):
    """MicroPython could not be found, fetched or unpacked on this machine."""


class ConsoleError(SimulatorError):
    """A simulated console did not do what it was told to do: it has no power, has ended, or is too slow."""


class ConsoleGoneError(ConsoleError):
    """The board's process ended before it answered, by a reset, a power cut or a fault."""


class FirmwareError(ConsoleError):
    """The firmware broke a rule of its board (unknown argument, wrong pin …) or ended with an error."""
