"""Print to standard output."""

from __future__ import annotations

import sys


def print_line(text: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{text}\n")
