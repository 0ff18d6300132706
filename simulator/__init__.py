"""Simulate consoles: the real firmware on a real MicroPython, with pins, radio, clock, flash and power under control.

Scenarios simulate whole chains of shops with their people.

Each name is imported when it is first used, so that `import simulator` costs next to nothing: pytest imports this
package in every project that has trivox installed.
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

_MODULES = {
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
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
