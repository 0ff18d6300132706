"""Check what a board reports without a press: that it started, and what time it is."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.database import EventRow
from tests.chaos.observations import ObservedPowerCycle

CLOCK_MS = 3000  # an acknowledgement may take two seconds to arrive, and a console reports no smaller step
RAN_MS = 1000  # a board whose main loop ran this long has reported that it started


def check_boot(name: str, cycle: ObservedPowerCycle, events: list[EventRow], offset_ms: int) -> Iterator[str]:
    """Yield what is wrong with `booted` and `clock_set` of a power cycle, and with the dates of all its events.

    `offset_ms` is the difference of `up_ms` and the times of the board's clock.
    """
    in_order = sorted(events, key=lambda event: event.seq)
    if len({event.epoch for event in events}) > 1 or not cycle.stores_events:
        return  # numbers of several epochs have no order
    started = [event for event in in_order if event.type == "booted"]
    if len(started) != 1 and (events or _ran_long(cycle)):
        yield f"{name}: it reported {len(started)} times that it started"
    elif started and (in_order[0] is not started[0] or started[0].payload["hardware_id"] != cycle.hardware_id):
        yield f"{name}: its first event is number {in_order[0].seq} ({in_order[0].type}), of board {started[0].payload}"
    longest_ms = max((to - at for at, to in cycle.stops), default=0)  # an answer may have waited that long
    true_ms = None if cycle.true_ms is None else cycle.true_ms - offset_ms
    yield from _dates(name, in_order, true_ms, CLOCK_MS + longest_ms)


def _ran_long(cycle: ObservedPowerCycle) -> bool:
    if cycle.awake_ms is None or cycle.ended_ms is None:
        return cycle.awake_ms is not None
    return cycle.ended_ms - cycle.awake_ms - cycle.stood_ms(cycle.awake_ms, cycle.ended_ms) > RAN_MS


def _dates(name: str, in_order: list[EventRow], true_ms: int | None, off_max_ms: int) -> Iterator[str]:
    """Check that each event has the date by the last `clock_set` before it, which is right if the time is known."""
    offset_ms: int | None = None
    for event in in_order:
        at_ms = event.payload["at_ms"]
        if event.type == "clock_set" and at_ms is not None:
            offset_ms = at_ms - event.up_ms
            off_ms = 0 if true_ms is None else at_ms - true_ms - event.up_ms
            if abs(off_ms) > off_max_ms:
                yield f"{name}: number {event.seq} sets the clock {off_ms} ms wrong"
        elif at_ms != (None if offset_ms is None else event.up_ms + offset_ms):
            yield f"{name}: number {event.seq} ({event.type}) is dated {at_ms}, by its clock {offset_ms}+{event.up_ms}"
