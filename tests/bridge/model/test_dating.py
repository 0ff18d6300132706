from __future__ import annotations

import pytest

from bridge.model.dating import clamp, date_event
from bridge.model.local_time import hour_of
from bridge.model.received_numbers import ReceivedNumbers
from tests.support.seeds import seeded


def test_three_ways_of_dating() -> None:
    assert date_event(7, 100, 5, 3) == (7, "console")
    assert date_event(None, 100, 5, 3) == (105, "clock_set")
    assert date_event(None, 100, None, 3) == (103, "arrival")


def test_dates_stay_between_1970_and_9999() -> None:
    assert date_event(None, 5, -(10**15), 0) == (0, "clock_set")
    assert date_event(None, 2**53, None, 0) == (clamp(2**60), "arrival")
    assert hour_of(clamp(2**60), "Pacific/Kiritimati").startswith("9999-12-31")


@pytest.mark.parametrize(
    ("at_ms", "timezone", "hour"),
    [
        (1_763_780_000_123, "UTC", "2025-11-22T02:00+00:00"),
        (1_763_780_000_123, "Europe/Sofia", "2025-11-22T04:00+02:00"),
        (1_763_780_000_123, "Asia/Kathmandu", "2025-11-22T08:00+05:45"),
        (1_761_436_800_000, "Europe/Sofia", "2025-10-26T03:00+03:00"),
        (1_761_440_400_000, "Europe/Sofia", "2025-10-26T03:00+02:00"),
        (0, "America/New_York", "1969-12-31T19:00-05:00"),
    ],
)
def test_local_hours(at_ms: int, timezone: str, hour: str) -> None:
    assert hour_of(at_ms, timezone) == hour


@pytest.mark.parametrize("seed", range(50))
def test_ranges_are_a_set(seed: int) -> None:
    chance = seeded(seed)
    ranges, numbers, stored = ReceivedNumbers(), set[int](), dict[int, int]()
    for _ in range(60):
        low = chance.randrange(1, 80)
        high = low + chance.choice((0, 0, 1, 5))
        ranges.add(low, high)
        numbers.update(range(low, high + 1))
        if chance.random() < 0.5:
            changed, dropped = ranges.take_changes()
            for gone in dropped:
                stored.pop(gone, None)
            stored.update(changed)
            assert sorted(stored.items()) == list(ranges)
        assert {number for number in range(100) if number in ranges} == numbers
        assert ranges.highest == max(numbers)
        first = chance.randrange(1, 90)
        through = first - 1
        while through + 1 in numbers or through + 1 < first:
            through += 1
        assert ranges.through(first) == through
