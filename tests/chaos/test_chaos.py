"""Make one short run with real processes; `make chaos` makes the saved ones, and the virtual worlds are the proof."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.chaos.plan import ALL_KINDS, FAULTS_A_MINUTE, SERIAL_FAULTS_A_MINUTE, make_plan
from tests.chaos.run import run
from tests.chaos.saved_runs import SAVED_RUNS, SHORT_RUN, with_shifted_seed


def say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_is_lost_double_or_wrong(tmp_path: Path) -> None:
    seed, minutes, consoles, picos, _ = with_shifted_seed(SHORT_RUN)
    say(f"make chaos SEED={seed} MINUTES={minutes} CONSOLES={consoles} PICOS={picos}")
    result = run(tmp_path, seed, minutes, consoles, say, picos=picos)
    say(f"seed {seed}: {dict(result.faults)}, {result.figures}")
    assert result.findings == []
    assert sum(result.faults.values()) == round(FAULTS_A_MINUTE * minutes) + round(SERIAL_FAULTS_A_MINUTE * minutes)
    assert result.figures["surveys"] > 0
    assert result.figures["thanks"] > 0


def test_the_short_run_has_most_kinds_of_fault_and_the_saved_runs_have_all() -> None:
    def kinds(seed: int, minutes: float, consoles: int, picos: int) -> set[str]:
        return {fault.kind.name for fault in make_plan(seed, minutes, consoles, picos)}

    short = kinds(*SHORT_RUN[:4])
    assert len(short) >= 20
    assert short >= {"kill_broker", "kill_bridge", "restore_bridge", "kill_console", "tear_flash", "kill_gateway"}
    every = set().union(*(kinds(*saved[:4]) for saved in SAVED_RUNS))
    assert every | short == {kind.name for kind in ALL_KINDS}
