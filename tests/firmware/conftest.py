"""Put the firmware and a stub of `micropython` on the path, for tests on CPython; give a broker and a bridge."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.broker import LoginBroker, StandInBridge
from tests.support.versions import compiled_firmware

__all__ = ["bridge", "broker", "compiled_firmware", "scratch_folder"]

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "firmware"), str(HERE / "stubs"), str(HERE / "portable"), str(HERE)]


@pytest.fixture(autouse=True)
def scratch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder of its own, as under MicroPython."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LoginBroker]:
    made = LoginBroker(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def bridge(broker: LoginBroker) -> Iterator[StandInBridge]:
    """A stand-in for the bridge; it fails if a number comes again with other content."""
    made = StandInBridge(broker)
    yield made
    made.close()
