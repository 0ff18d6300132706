"""Measure how long `trivox flags` takes to compute a year of 500 sellers, whose tills send each sale, on two cores."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks._flag_database import fill
from tests.benchmarks.figure import Figure
from tests.support.programs import TRIVOX

if TYPE_CHECKING:
    from collections.abc import Iterator

SELLERS, MONTHS = 500, 12
LIMIT_S = 60


def figures() -> Iterator[Figure]:
    """Compute a year anew, then ask once more, when nothing has changed."""
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "year.db"
        surveys = fill(database, SELLERS, MONTHS, seed=6)
        took_s, found = _flags(database)
        again_s, again = _flags(database)
        assert found == again
    note = f"{surveys:,} surveys; {found} watches and flags; again: {again_s:.1f} s"
    yield Figure(f"`trivox flags`, a year of {SELLERS} sellers", took_s, "s", LIMIT_S, at_most=True, note=note)


def _flags(database: Path) -> tuple[float, int]:
    """Return how many seconds the command took, and how many rows it showed."""
    words = [TRIVOX, "flags", "--all", "--format", "json", "--database", str(database)]
    began_s = time.monotonic()
    done = subprocess.run(words, check=True, capture_output=True)
    return time.monotonic() - began_s, len(json.loads(done.stdout))
