"""Short runs of `make chaos`, with seeds that hold most kinds of fault; every seed that found a bug stays here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.chaos.run import run

MINUTES, CONSOLES = 0.75, 4
SEEDS = {
    3: "full flash, full database, a twin, settings changed, restored from a copy",
    10: "broker killed, database locked, flash torn, packets doubled, TCP half open",
}


def say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_double_or_wrong(tmp_path: Path, seed: int) -> None:
    result = run(tmp_path, seed, MINUTES, CONSOLES, say)
    say(f"seed {seed}: {dict(result.faults)}, {result.figures}")
    assert result.findings == []
    assert sum(result.faults.values()) == 40 * MINUTES
    assert result.figures["surveys"] > 10
    assert result.figures["thanks"] > 2
