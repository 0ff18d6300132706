"""`python -m tests.chaos.virtual`: many seeds, or `--seed N` with everything that happens in it."""

from __future__ import annotations

import argparse
import sys

from tests.chaos.virtual.campaign import campaign, tell

EVER = 1 << 31


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def main() -> int:
    """Exit status 1 if a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.virtual", description=__doc__)
    parser.add_argument("--seed", type=int, help="tell this one at length")
    parser.add_argument("--seeds", type=positive, help="how many (1000, or as many as the minutes allow)")
    parser.add_argument("--first", type=int, default=0, help="the seed to begin with (0)")
    parser.add_argument("--minutes", type=positive, help="end after so many")
    parser.add_argument("--jobs", type=positive, default=2, help="processes (2)")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return int(tell(chosen.seed).failure is not None)
    count = chosen.seeds or (EVER if chosen.minutes else 1000)
    failed = campaign(range(chosen.first, chosen.first + count), chosen.jobs, chosen.minutes)
    for outcome in failed[:10]:
        sys.stdout.write(f"again, told at length: python -m tests.chaos.virtual --seed {outcome.seed}\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
