"""Real programs for system tests; whatever is started here ends with its test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.programs import MOSQUITTO, Programs, free_port, listens, wait_until


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    started = Programs(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def mosquitto(tmp_path: Path, programs: Programs) -> int:
    """The port of a mosquitto with persistence, as the README advises."""
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {tmp_path}/\n"
        f"max_queued_messages 1000000\nmax_inflight_messages 1000\n"
        + (f"user {os.environ.get('USER', 'root')}\n" if os.geteuid() == 0 else "")
    )
    programs.start(MOSQUITTO, "-c", str(config))
    wait_until("mosquitto listens", lambda: listens(port))
    return port
