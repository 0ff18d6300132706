"""Compare what was observed at the boards with what the bridge has stored, without any code of firmware or bridge."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from tests.chaos.database import epochs, rejects
from tests.chaos.derived_checks import check_derived
from tests.chaos.observations import Observations
from tests.chaos.press_checks import check_presses
from tests.chaos.sequence_checks import check_sequence


def check(connection: sqlite3.Connection, observations: Observations, now_ms: int) -> list[str]:
    """Return a sentence for each thing that is wrong; none if nothing is lost, double, invented or miscounted.

    `connection` reads the bridge's database once everything is quiet; `now_ms` is the bridge's time then (ms since
    1970).
    """
    return list(_check(connection, observations, now_ms))


def _check(connection: sqlite3.Connection, observations: Observations, now_ms: int) -> Iterator[str]:
    stored = epochs(connection)
    yield from check_sequence(stored, observations)
    yield from check_presses(stored, observations)
    yield from check_derived(connection, list(stored.values()), now_ms)
    for reason, count, topic in rejects(connection):
        yield f"{count} rejects on {topic}: {reason}"
