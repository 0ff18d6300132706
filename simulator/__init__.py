"""Simulated consoles: the real firmware on a real MicroPython, its pins, radio, clock, flash and power in your hand."""

from simulator.console import Change, Console, Sound
from simulator.errors import ConsoleError, FirmwareError, MicroPythonError, SimulatorError

__all__ = ["Change", "Console", "ConsoleError", "FirmwareError", "MicroPythonError", "SimulatorError", "Sound"]
