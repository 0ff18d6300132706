"""Share between the workers of a test run: make something once for all, or do something one at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def one_worker(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Keep other workers out of the section of that name; yield a folder that all workers share."""
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield shared


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder of that name, which `make` fills for the first worker that asks, while others wait.

    Nobody may change it afterwards.
    """
    with one_worker(factory, name) as shared:
        folder = shared / name
        if not folder.exists():
            unfinished = shared / f"{name}.{os.getpid()}"
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder
