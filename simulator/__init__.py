"""Simulated consoles: the real firmware on a real MicroPython, its pins, radio, clock, flash and power in your hand."""

from simulator.console import Console
from simulator.errors import ConsoleError, FirmwareError, MicroPythonError, SimulatorError
from simulator.record import Change, Sound

__all__ = ["Change", "Console", "ConsoleError", "FirmwareError", "MicroPythonError", "SimulatorError", "Sound"]
