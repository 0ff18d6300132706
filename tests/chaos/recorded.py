"""`python -m tests.chaos.recorded`: the README's table of the recorded runs, one line a kind of fault.

Record anew with `python -m tests.chaos --seed N --record tests/chaos/recorded.ndjson`, seed by seed.
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
    """Every recorded run, as `--record` wrote it."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


def total(name: str) -> int:
    """The sum of a figure over all runs."""
    return sum(int(run["figures"][name]) for run in runs())


def faults() -> Counter[str]:
    """How often each kind of fault came, by its name."""
    return sum((Counter(run["faults"]) for run in runs()), Counter())


def table() -> str:
    """The README's table."""
    came = faults()
    rows = [f"| {kind.words} | {came[kind.name]:,} |" for kind in ALL_KINDS]
    return "\n".join(["| fault | times |", "|---|---|", *rows])


def summary() -> str:
    """The README's sentence above it."""
    found = sum(len(run["findings"]) for run in runs())
    return (
        f"{faults().total():,} faults in {len(runs())} seeds, {total('presses'):,} presses, {total('starts'):,} starts"
        f" of consoles, {total('events'):,} events and {total('surveys'):,} surveys stored: {found} wrong."
    )


if __name__ == "__main__":
    sys.stdout.write(f"{summary()}\n\n{table()}\n")
