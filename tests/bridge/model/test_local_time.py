import zoneinfo
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge.errors import TrivoxError, UsageError
from bridge.model.cell_values import read_moment
from bridge.model.local_time import day_starts_ms, days_of, instant_ms, local_hour, period_of, zone
from tests.bridge.office import at


def test_hours_are_local_with_their_offset() -> None:
    assert local_hour(at("2026-11-22T11:59:59+00:00"), "Europe/Sofia") == "2026-11-22T13:00+02:00"
    assert local_hour(at("2026-06-22T11:59:59+00:00"), "Asia/Kolkata") == "2026-06-22T17:00+05:30"
    assert local_hour(0, "UTC") == "1970-01-01T00:00+00:00"


def test_days_begin_at_local_midnight_or_right_after_it_is_skipped() -> None:
    assert day_starts_ms(date(2026, 3, 30), "Europe/Sofia") == at("2026-03-30T00:00+03:00")
    assert day_starts_ms(date(2018, 11, 4), "America/Sao_Paulo") == at("2018-11-04T01:00-02:00")


def test_a_day_of_summer_time_is_shorter_or_longer() -> None:
    lengths = [
        to_ms - from_ms
        for from_ms, to_ms in (period_of("day", day, "Europe/Sofia") for day in ("2026-03-29", "2026-10-25"))
    ]
    assert lengths == [23 * 3_600_000, 25 * 3_600_000]


def test_weeks_and_months() -> None:
    assert days_of("week", "2026-W53") == (date(2026, 12, 28), date(2027, 1, 4))
    assert days_of("month", "2026-12") == (date(2026, 12, 1), date(2027, 1, 1))
    assert days_of("month", "9999-12")[1] == date.max
    assert period_of("hour", "2026-11-22T13:00+02:00", "UTC") == (at("2026-11-22T11:00+00:00"), at("2026-11-22T12:00Z"))


@pytest.mark.parametrize("text", ["", "noon", "0001-01-01T00:00", "9999-12-31T23:00", "2026-03-29T03:59"])
def test_an_invalid_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant_ms(read_moment(text), "Europe/Sofia")


def test_an_instant_keeps_its_milliseconds() -> None:
    assert instant_ms(read_moment("2026-11-22T13:00:00.123"), "Europe/Sofia") == at("2026-11-22T11:00:00+00:00") + 123


def test_only_real_zones_are_zones() -> None:
    assert zone("Europe/Sofia") == ZoneInfo("Europe/Sofia")
    for name in ("Europe/Sofa", "", "/etc/passwd", "../x", "Europe"):
        with pytest.raises(UsageError):
            zone(name)


def test_damaged_rules_are_not_called_unknown(tmp_path: Path) -> None:
    (tmp_path / "Nowhere").write_bytes(b"junk")
    zoneinfo.reset_tzpath([str(tmp_path)])
    try:
        with pytest.raises(TrivoxError, match="The rules of time zone Nowhere are damaged on this machine"):
            zone("Nowhere")
    finally:
        zoneinfo.reset_tzpath(None)


def test_an_hour_in_which_clocks_go_back_by_half_an_hour_is_two_hours() -> None:
    zone_name = "Australia/Lord_Howe"  # on that night clocks went back by half an hour, at 02:00
    hours = [local_hour(at(f"2026-04-04T{time}+00:00"), zone_name) for time in ("14:10", "14:50", "15:15", "15:40")]
    first, second, after = "2026-04-05T01:00+11:00", "2026-04-05T01:00+10:30", "2026-04-05T02:00+10:30"
    assert hours == [first, first, second, after]
    assert period_of("hour", first, zone_name) == (at("2026-04-04T14:00+00:00"), at("2026-04-04T15:00+00:00"))
    assert period_of("hour", second, zone_name) == (at("2026-04-04T15:00+00:00"), at("2026-04-04T15:30+00:00"))
