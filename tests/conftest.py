"""Fix the seeds of all tests, and have most workers begin with the long tests, so that none runs alone at the end."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.seeds import SHIFT

# How long an example takes depends only on how busy the machine is.
settings.register_profile(
    "trivox", derandomize=not SHIFT, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("trivox")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have Hypothesis draw the same examples each time, or others by TRIVOX_SEED."""
    if SHIFT:
        config.option.hypothesis_seed = SHIFT


def pytest_report_header() -> str:
    """Say which seeds are used."""
    return f"seeds: fixed, shifted by TRIVOX_SEED={SHIFT}" if SHIFT else "seeds: fixed; TRIVOX_SEED=N draws others"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests for `--dist worksteal`, which at first gives each worker a block of neighbours.

    Long tests mainly wait and short ones compute: side by side they use the whole machine, and no more.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    leaders = (2 * workers + 2) // 3
    long = [item for item in reversed(items) if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    size = len(items) // workers
    items.clear()
    for leader in range(leaders):
        mine = long[leader::leaders]
        room = max(0, size - len(mine))
        items += [*mine, *short[:room]]
        del short[:room]
    items += short


def pytest_collection_finish() -> None:
    """Let garbage collection pass over what was loaded and collected: it stays to the end."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
