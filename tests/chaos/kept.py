"""Runs that are kept: every seed that found a bug, in the product or in this harness, with what it holds."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.seeds import SHIFT


class Kept(NamedTuple):
    """What a run is asked for, and what it is kept for."""

    seed: int
    minutes: float
    consoles: int
    picos: int
    words: str


KEPT = (
    Kept(3, 0.75, 4, 0, "full flash, full database, a twin, settings changed, restored from a copy"),
    Kept(10, 0.75, 4, 0, "broker killed, database locked, flash torn, packets doubled, TCP half open"),
    Kept(459, 0.75, 1, 3, "cable pulled, noise on the line, gateway killed and stopped, power cut, flash torn"),
    Kept(902, 2, 3, 2, "power comes to a board that is stopped, and goes from one that is"),
    Kept(904, 2, 3, 2, "flash filled while it is full, under people who play"),
    Kept(905, 2, 3, 2, "flash filled right after a start; power goes meanwhile"),
)
SHORT = Kept(8938, 0.45, 3, 1, "twenty kinds of fault in half a minute")  # `make test` runs this one


def shifted(kept: Kept) -> Kept:
    """The same, or with another seed if TRIVOX_SEED is set."""
    return kept._replace(seed=kept.seed + SHIFT)
