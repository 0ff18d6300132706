"""For all tests: long ones begin first, so that none runs on alone at the end."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order them for `--dist worksteal`: to each worker go neighbours, led by its share of the long ones."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in reversed(items) if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    items.clear()
    for worker in range(workers):
        items += long[worker::workers]
        items += short[worker * len(short) // workers : (worker + 1) * len(short) // workers]
