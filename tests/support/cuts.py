"""Where to cut an operation in two: everywhere, with TRIVOX_EVERY_CUT=1 (`make flash-cuts`), or at some places."""

import os
import random

EVERY = os.environ.get("TRIVOX_EVERY_CUT") == "1"
LIMIT_S = 0 if EVERY else 300  # of a test; 0: none


def places(total: int, some: int, chance: random.Random, *, all_of_them: bool = EVERY) -> list[int]:
    """All of 1 to `total`, or one from each of `some` equal parts."""
    if all_of_them:
        return [*range(1, total + 1)]
    return [chance.randint(1 + part * total // some, (part + 1) * total // some) for part in range(some)]
