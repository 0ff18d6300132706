"""Seed random tests: seeds are fixed and printed, and TRIVOX_SEED changes them all."""

from __future__ import annotations

import os
import random
import sys

SHIFT = int(os.environ.get("TRIVOX_SEED") or 0)


def seeded(seed: int | str) -> random.Random:
    """Return a generator for this seed, or for another one if TRIVOX_SEED is set; print which."""
    name = f"{seed}" if not SHIFT else f"{seed}+{SHIFT}"
    sys.stdout.write(f"seed {name} (TRIVOX_SEED={SHIFT})\n")
    return random.Random(name)
