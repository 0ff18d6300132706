"""A run ends once nothing changes any more, however slow the machine is, and not before."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos import run
from tests.chaos.listener import HealthReport
from tests.chaos.run import QUIET_LIMIT_S, QUIET_S, wait_until_quiet

EPOCH = ("shop", "till-1", "9f2c1ab0")


class SleepingClock:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SleepingClock:
    made = SleepingClock()
    monkeypatch.setattr(run, "time", made)
    return made


def world(clock: SleepingClock, numbered: Callable[[float], int], stored: Callable[[float], int]) -> Any:
    """A world with one board: how many events it has numbered and sent, and the bridge stored, after some seconds."""
    began_s = clock.now_s
    till = SimpleNamespace(console=SimpleNamespace(console_id="till-1", hardware_id="a1"))

    def health() -> dict[str, HealthReport]:
        number = numbered(clock.now_s - began_s) + 1
        return {"a1": HealthReport(EPOCH, clock.now_s, {"outbox": {"first": number, "next": number}})}

    bridge = SimpleNamespace(compare=lambda: None, throughs=lambda: {EPOCH: stored(clock.now_s - began_s)})
    return SimpleNamespace(
        bridge=bridge, listener=SimpleNamespace(health=health), tills=[till], everyone=lambda: [till], twin_seen=False
    )


def say(_: str) -> None:
    pass


def test_a_slow_world_has_time_as_long_as_there_is_progress(clock: SleepingClock) -> None:
    began_s = clock.now_s
    slow = world(clock, lambda _: 20, lambda passed_s: min(20, int(passed_s // 50)))
    assert wait_until_quiet(slow, say) == []
    assert clock.now_s - began_s >= 20 * 50


def test_a_world_that_never_becomes_quiet_is_reported(clock: SleepingClock) -> None:
    restless = world(clock, int, lambda passed_s: int(passed_s) - 1)
    (found,) = wait_until_quiet(restless, say)
    assert "something still happens: till-1 (a1) has sent" in found


def test_a_world_without_progress_is_reported_with_what_is_missing(clock: SleepingClock) -> None:
    began_s = clock.now_s
    (found,) = wait_until_quiet(world(clock, lambda _: 20, lambda _: 19), say)
    assert "has sent 20 events, stored are 19" in found
    assert clock.now_s - began_s >= QUIET_LIMIT_S


def test_late_events_of_a_press_are_waited_for(clock: SleepingClock) -> None:
    began_s = clock.now_s
    late_s = QUIET_S - 1
    late = world(clock, lambda passed_s: 7 + (passed_s > late_s), lambda passed_s: 7 + (passed_s > late_s))
    assert wait_until_quiet(late, say) == []
    assert clock.now_s - began_s >= late_s + QUIET_S
