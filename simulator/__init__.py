"""Simulated consoles: the real firmware on a real MicroPython, its pins, radio, clock, flash and power in your hand.

And scenarios: whole chains of them, with people around.

What is named here is imported when it is first asked for, so that `import simulator` costs next to nothing: pytest does
so in every project that has trivox installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.console.console import Console
    from simulator.console.observations import Change, Sound
    from simulator.errors import ConsoleError, FirmwareError, MicroPythonError, SimulatorError
    from simulator.scenario.file import ScenarioError
    from simulator.scenario.run_folder import Run
    from simulator.scenario.scenario import Scenario

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
    "Change": "simulator.console.observations",
    "Console": "simulator.console.console",
    "ConsoleError": "simulator.errors",
    "FirmwareError": "simulator.errors",
    "MicroPythonError": "simulator.errors",
    "Run": "simulator.scenario.run_folder",
    "Scenario": "simulator.scenario.scenario",
    "ScenarioError": "simulator.scenario.file",
    "SimulatorError": "simulator.errors",
    "Sound": "simulator.console.observations",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
