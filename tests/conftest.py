"""For all tests: most workers begin with the long ones, so that none runs on alone at the end."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order them for `--dist worksteal`, which gives each worker neighbours at first.

    Long tests mostly wait, short ones compute: side by side they take the whole machine, and no more.
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
