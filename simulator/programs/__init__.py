"""Real programs for a shop's own tests: a broker and the bridge, as the pytest fixtures give them (see README.md)."""

from simulator.programs.bridge import Bridge
from simulator.programs.broker import Broker
from simulator.programs.program import NotSeenError, ProgramError

__all__ = ["Bridge", "Broker", "NotSeenError", "ProgramError"]
