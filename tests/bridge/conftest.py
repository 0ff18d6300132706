"""Fixtures of most tests of the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.store import Store, open_store
from tests.bridge.office import Office
from tests.bridge.shop import RealShop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new database, `a.db`, open for writing."""
    store = open_store(tmp_path / "a.db", writing=True)
    yield store
    store.close()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """The commands and a database, `trivox.db`, which the first command makes."""
    return Office(tmp_path)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RealShop]:
    """A broker and consoles; the test starts the bridge."""
    with RealShop(tmp_path) as shop:
        yield shop
