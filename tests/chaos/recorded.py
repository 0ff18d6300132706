"""`python -m tests.chaos.recorded`: print the README's table of the recorded runs, a line for each kind of fault.

Record again with `python -m tests.chaos --seed N --record tests/chaos/recorded.ndjson`, seed by seed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.plan import ALL_KINDS

FILE = Path(__file__).with_name("recorded.ndjson")


def runs() -> list[dict[str, Any]]:
    """Return every recorded run, as `--record` wrote it."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


def total(name: str) -> int:
    """Return the sum of a figure over all runs."""
    return sum(int(run["figures"][name]) for run in runs())


def faults() -> Counter[str]:
    """Return how often each kind of fault happened, by its name."""
    return sum((Counter(run["faults"]) for run in runs()), Counter())


def table() -> str:
    """Return the README's table."""
    counts = faults()
    rows = [f"| {kind.description} | {counts[kind.name]:,} |" for kind in ALL_KINDS]
    return "\n".join(["| fault | times |", "|---|---|", *rows])


def summary() -> str:
    """Return the README's sentence above the table."""
    found = sum(len(run["findings"]) for run in runs())
    return (
        f"{faults().total():,} faults in {len(runs())} seeds, {total('presses'):,} presses, {total('starts'):,} starts"
        f" of consoles, {total('events'):,} events and {total('surveys'):,} surveys stored: {found} wrong."
    )


if __name__ == "__main__":
    sys.stdout.write(f"{summary()}\n\n{table()}\n")
