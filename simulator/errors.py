"""What can go wrong in the simulator; the name says whose fault it was."""


class SimulatorError(Exception):
    """Base of all; its text is one plain sentence that says what to do."""


class MicroPythonError(SimulatorError):
    """MicroPython could not be found, fetched or unpacked on this machine."""


class ConsoleError(SimulatorError):
    """A simulated console did not do what was asked of it: not powered, gone, or too slow."""


class ConsoleGoneError(ConsoleError):
    """The board's process ended before it answered: a reset, a power cut, or a fault."""


class FirmwareError(ConsoleError):
    """The firmware broke a rule of its board (unknown argument, wrong pin …) or ended by an error."""
