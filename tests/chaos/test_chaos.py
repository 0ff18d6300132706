"""Short runs of `make chaos`, with seeds that hold most kinds of fault; every seed that found a bug stays here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.chaos.run import run

MINUTES = 0.75
SEEDS = {  # by seed, consoles with radio, consoles without
    (3, 4, 0): "full flash, full database, a twin, settings changed, restored from a copy",
    (10, 4, 0): "broker killed, database locked, flash torn, packets doubled, TCP half open",
    (459, 1, 3): "cable pulled, noise on the line, gateway killed and stopped, power cut, flash torn",
}


def say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "consoles", "picos"), SEEDS)
def test_nothing_is_lost_double_or_wrong(tmp_path: Path, seed: int, consoles: int, picos: int) -> None:
    result = run(tmp_path, seed, MINUTES, consoles, say, picos=picos)
    say(f"seed {seed}: {dict(result.faults)}, {result.figures}")
    assert result.findings == []
    assert sum(result.faults.values()) == (40 + 12 * bool(picos)) * MINUTES
    assert result.figures["surveys"] > 10
    assert result.figures["thanks"] > 2
