"""Puts the firmware, and a stand-in for `micropython`, within reach of its tests on CPython."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "firmware"), str(HERE / "stubs"), str(HERE / "portable"), str(HERE)]


@pytest.fixture(autouse=True)
def scratch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in an empty folder of its own, as it does under MicroPython."""
    monkeypatch.chdir(tmp_path)
