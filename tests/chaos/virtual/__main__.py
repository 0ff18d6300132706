"""`python -m tests.chaos.virtual`: run many seeds, or print everything that happens with `--seed N`."""

from __future__ import annotations

import argparse
import sys

from tests.chaos.virtual.campaign import campaign, trace_seed

EVER = 1 << 31


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def main() -> int:
    """Run the seeds; return exit status 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.virtual", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed and print everything that happens")
    parser.add_argument("--seeds", type=positive, help="how many seeds (1000, or as many as the minutes allow)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--minutes", type=positive, help="end after this many minutes")
    parser.add_argument("--jobs", type=positive, default=2, help="how many processes (2)")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return int(trace_seed(chosen.seed).failure is not None)
    count = chosen.seeds or (EVER if chosen.minutes else 1000)
    failed = campaign(range(chosen.first, chosen.first + count), chosen.jobs, chosen.minutes)
    for outcome in failed[:10]:
        sys.stdout.write(f"see what happens: python -m tests.chaos.virtual --seed {outcome.seed}\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
