"""Start real programs for system tests; each ends with its test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mosquitto import Mosquitto
from tests.support.versions import compiled_firmware

__all__ = ["compiled_firmware", "mosquitto"]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto with persistence, as the README advises."""
    with Mosquitto(tmp_path, persistent=True) as broker:
        yield broker
    sys.stdout.write(f"--- {broker.log.name}\n{broker.log.read_text(encoding='utf-8')[-4000:]}\n")
