"""The README's figures of the recorded runs are those that were recorded."""

from pathlib import Path

from tests.chaos.plan import ALL_KINDS
from tests.chaos.recorded import faults, runs, summary, table

README = Path(__file__).with_name("README.md").read_text("utf-8")
FIRST_PAGE = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_readme_has_the_recorded_figures() -> None:
    assert table() in README
    assert summary() in " ".join(README.split())
    assert f"{faults().total():,} faults" in FIRST_PAGE


def test_many_runs_are_recorded_and_nothing_was_wrong() -> None:
    assert len({run["seed"] for run in runs()}) == len(runs()) >= 20
    assert faults().total() >= 1000
    assert all(faults()[kind.name] for kind in ALL_KINDS)
    assert not [finding for run in runs() for finding in run["findings"]]
