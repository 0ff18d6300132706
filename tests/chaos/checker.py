"""Compares what was seen from outside of the boards with what the bridge has stored. No code of firmware or bridge."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from tests.chaos.derived import check_derived
from tests.chaos.lives import check_lives
from tests.chaos.numbers import check_numbers
from tests.chaos.table import epochs, rejects
from tests.chaos.witness import Testimony


def check(connection: sqlite3.Connection, testimony: Testimony, now_ms: int) -> list[str]:
    """All that is wrong, a sentence each; empty if nothing is lost, double, invented or miscounted.

    `connection` reads the bridge's database once all is quiet; `now_ms` is the bridge's time then (ms since 1970).
    """
    return list(_check(connection, testimony, now_ms))


def _check(connection: sqlite3.Connection, testimony: Testimony, now_ms: int) -> Iterator[str]:
    found = epochs(connection)
    yield from check_numbers(found, testimony)
    yield from check_lives(found, testimony)
    yield from check_derived(connection, list(found.values()), now_ms)
    for reason, count, topic in rejects(connection):
        yield f"{count} rejects on {topic}: {reason}"
