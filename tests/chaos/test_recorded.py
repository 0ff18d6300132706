"""What the README says of the recorded runs is what was recorded."""

from pathlib import Path

from tests.chaos.plan import ALL_KINDS
from tests.chaos.recorded import faults, runs, summary, table

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_readme_tells_what_was_recorded() -> None:
    assert table() in README
    assert summary() in " ".join(README.split())


def test_the_recorded_runs_are_many_and_nothing_was_wrong() -> None:
    assert len({run["seed"] for run in runs()}) == len(runs()) >= 20
    assert faults().total() >= 1000
    assert all(faults()[kind.name] for kind in ALL_KINDS)
    assert not [finding for run in runs() for finding in run["findings"]]
