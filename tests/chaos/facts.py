"""What a board tells without a press: that it started, and what time it is."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.table import Event
from tests.chaos.witness import Life

CLOCK_MS = 3000  # an acknowledgement may have been under way for two seconds, and less is no news
RAN_MS = 1000  # a board whose main loop ran so long has told that it started


def check_facts(name: str, life: Life, events: list[Event], offset_ms: int) -> Iterator[str]:
    """What is wrong with a life's `booted` and `clock_set`, and with the dates of all its events.

    `offset_ms` is what its clock's times need to be `up_ms`.
    """
    in_order = sorted(events, key=lambda event: event.seq)
    if len({event.epoch for event in events}) > 1 or not life.keeps:
        return  # numbers of several epochs have no order
    started = [event for event in in_order if event.type == "booted"]
    if len(started) != 1 and (events or _ran_long(life)):
        yield f"{name}: it is told {len(started)} times that it started"
    elif started and (in_order[0] is not started[0] or started[0].said["hardware_id"] != life.hardware_id):
        yield f"{name}: its first event is number {in_order[0].seq} ({in_order[0].type}), of board {started[0].said}"
    longest_ms = max((to - at for at, to in life.stops), default=0)  # an answer may have waited in it so long
    true_ms = None if life.true_ms is None else life.true_ms - offset_ms
    yield from _dates(name, in_order, true_ms, CLOCK_MS + longest_ms)


def _ran_long(life: Life) -> bool:
    if life.awake_ms is None or life.ended_ms is None:
        return life.awake_ms is not None
    return life.ended_ms - life.awake_ms - life.stood_ms(life.awake_ms, life.ended_ms) > RAN_MS


def _dates(name: str, in_order: list[Event], true_ms: int | None, off_max_ms: int) -> Iterator[str]:
    """Each event has the date that the last `clock_set` before it gives; where the truth is known, that is true."""
    offset_ms: int | None = None
    for event in in_order:
        at_ms = event.said["at_ms"]
        if event.type == "clock_set" and at_ms is not None:
            offset_ms = at_ms - event.up_ms
            off_ms = 0 if true_ms is None else at_ms - true_ms - event.up_ms
            if abs(off_ms) > off_max_ms:
                yield f"{name}: number {event.seq} sets the clock {off_ms} ms beside the truth"
        elif at_ms != (None if offset_ms is None else event.up_ms + offset_ms):
            yield f"{name}: number {event.seq} ({event.type}) is dated {at_ms}, by its clock {offset_ms}+{event.up_ms}"
