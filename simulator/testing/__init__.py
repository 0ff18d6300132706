"""Real programs for a shop's own tests: a broker and the bridge, as the pytest fixtures give them (see README.md)."""

from simulator.testing.bridge import Bridge
from simulator.testing.broker import Broker
from simulator.testing.program import NotSeenError, ProgramError

__all__ = ["Bridge", "Broker", "NotSeenError", "ProgramError"]
