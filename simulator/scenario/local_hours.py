"""Cut a time into the hours of a site's clock."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
QUARTER_MS = 900_000


def local_hours(zone: ZoneInfo, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yield the local hours between two instants as (start, end, hour of the day)."""
    start_ms = from_ms
    while start_ms < to_ms:
        hour = _hour(zone, start_ms)
        end_ms = start_ms - start_ms % QUARTER_MS + QUARTER_MS
        while end_ms < to_ms and _hour(zone, end_ms) == hour:
            end_ms += QUARTER_MS
        end_ms = min(end_ms, to_ms)
        yield start_ms, end_ms, hour
        start_ms = end_ms


def _hour(zone: ZoneInfo, at_ms: int) -> int:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).hour
