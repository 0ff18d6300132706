"""Print what a command has to say: each sentence on one line, whatever names it repeats."""

import sys

from simulator.errors import SimulatorError
from simulator.text import printable


def print_line(sentence: str) -> None:
    """Print a sentence at once."""
    sys.stdout.write(f"{printable(sentence)}\n")
    sys.stdout.flush()


def print_error(error: SimulatorError, where: str = "") -> None:
    """Print an error to standard error, with a line for each thing that it lists."""
    for line in (f"trivox: {where}{error}", *error.lines):
        sys.stderr.write(f"{printable(line)}\n")
