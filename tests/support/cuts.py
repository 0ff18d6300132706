"""Choose the operations at which power is cut: all of them with TRIVOX_EVERY_CUT=1 (`make flash-cuts`), or some."""

import os
import random

EVERY = os.environ.get("TRIVOX_EVERY_CUT") == "1"
LIMIT_S = 0 if EVERY else 300  # time limit of a test; 0 for none


def cut_points(total: int, count: int, chance: random.Random, *, every: bool = EVERY) -> list[int]:
    """Return all numbers from 1 to `total`, or one from each of `count` equal parts."""
    if every:
        return [*range(1, total + 1)]
    return [chance.randint(1 + part * total // count, (part + 1) * total // count) for part in range(count)]
