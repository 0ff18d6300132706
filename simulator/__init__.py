"""Simulated consoles: the real firmware on a real MicroPython, its pins, radio, clock, flash and power in your hand.

And scenarios: whole chains of them, with people around.

What is named here is imported when it is first asked for, so that `import simulator` costs next to nothing: pytest does
so in every project that has trivox installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.console import Console
    from simulator.errors import ConsoleError, FirmwareError, MicroPythonError, SimulatorError
    from simulator.record import Change, Sound
    from simulator.scenario import Scenario
    from simulator.scenario_file import ScenarioError
    from simulator.scenario_run import Run

__all__ = [
    "Change",
    "Console",
    "ConsoleError",
    "FirmwareError",
    "MicroPythonError",
    "Run",
    "Scenario",
    "ScenarioError",
    "SimulatorError",
    "Sound",
]

_HOMES = {
    "Change": "simulator.record",
    "Console": "simulator.console",
    "ConsoleError": "simulator.errors",
    "FirmwareError": "simulator.errors",
    "MicroPythonError": "simulator.errors",
    "Run": "simulator.scenario_run",
    "Scenario": "simulator.scenario",
    "ScenarioError": "simulator.scenario_file",
    "SimulatorError": "simulator.errors",
    "Sound": "simulator.record",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
