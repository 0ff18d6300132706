"""List the runs that `make chaos` repeats: each seed that found a bug, in the product or in this harness."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.seeds import SHIFT


class SavedRun(NamedTuple):
    """The arguments of a run, and a description of what happens in it."""

    seed: int
    minutes: float
    consoles: int
    picos: int
    description: str


SAVED_RUNS = (
    SavedRun(3, 0.75, 4, 0, "full flash, full database, two boards with one id, changed settings, a restored database"),
    SavedRun(
        10, 0.75, 4, 0, "killed broker, locked database, power cut in a flash write, doubled packets, half-open TCP"
    ),
    SavedRun(459, 0.75, 1, 3, "pulled cable, noise on the line, killed and stopped gateway, power cuts"),
    SavedRun(902, 2, 3, 2, "power comes back to a stopped board, and goes from another"),
    SavedRun(904, 2, 3, 2, "a full flash is filled again while somebody presses fast"),
    SavedRun(905, 2, 3, 2, "flash is filled right after a start, and power goes meanwhile"),
)
SHORT_RUN = SavedRun(8938, 0.45, 3, 1, "twenty kinds of fault in half a minute")  # `make test` runs this one


def with_shifted_seed(saved: SavedRun) -> SavedRun:
    """Return the run, with another seed if TRIVOX_SEED is set."""
    return saved._replace(seed=saved.seed + SHIFT)
