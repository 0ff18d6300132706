"""Real programs for your own tests: a broker and the bridge, as the fixtures start them; see simulator/README.md."""

from simulator.programs.bridge import Bridge
from simulator.programs.broker import Broker
from simulator.programs.program import NotSeenError, ProgramError

__all__ = ["Bridge", "Broker", "NotSeenError", "ProgramError"]
