"""A stop of the main loop is the firmware's fault only if nothing else explains it."""

from __future__ import annotations

import pytest

from simulator.console.observations import ConsoleRun, Round
from tests.chaos.standstill import Stops, standstills

STOP = Round(at_s=20.0, ticks_ms=10_000, stood_ms=4000)


def run(
    *stood: Round, reset: str = "power_on", last: Round | None = None, ended_at_s: float | None = None
) -> ConsoleRun:
    return ConsoleRun(reset, 10.0, ended_at_s, (), "", frozenset(), stood=stood, last_round=last)


@pytest.mark.parametrize(
    ("stop", "stops", "found"),
    [
        (STOP, [], True),
        (STOP._replace(stood_ms=2400), [], False),
        (STOP._replace(waited_ms=3000), [], False),
        (STOP._replace(waited_ms=500), [], True),
        (STOP, [(15.5, 18.0)], False),
        (STOP, [(15.5, 16.5)], True),
        (STOP, [(1.0, 9.0), (21.0, 30.0)], True),
    ],
)
def test_a_stop_is_the_firmwares_if_nothing_else_explains_it(stop: Round, stops: Stops, *, found: bool) -> None:
    assert bool(list(standstills("till-1", [run(stop)], stops))) == found


@pytest.mark.parametrize(("stops", "found"), [([], True), ([(16.0, 26.0)], False), ([(1.0, 14.0)], True)])
def test_a_watchdog_reset_is_explained_only_by_a_board_that_was_stopped(stops: Stops, *, found: bool) -> None:
    before = run(last=Round(at_s=15.0, ticks_ms=5000), ended_at_s=26.1)
    sentences = list(standstills("till-1", [before, run(reset="watchdog")], stops))
    assert bool(sentences) == found
