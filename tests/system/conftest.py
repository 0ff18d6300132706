"""Real programs for system tests; whatever is started here ends with its test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mosquitto import Mosquitto
from tests.support.versions import compiled_firmware
from tests.system.programs import Programs

__all__ = ["compiled_firmware", "mosquitto", "programs"]


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    started = Programs(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    """The port of a mosquitto with persistence, as the README advises."""
    with Mosquitto(tmp_path, persistent=True) as broker:
        yield broker.port
    sys.stdout.write(f"--- {broker.log.name}\n{broker.log.read_text(encoding='utf-8')[-4000:]}\n")
