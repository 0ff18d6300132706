"""Match each stored event with its press, by button and time, since events carry no id of a press."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

from tests.chaos.database import EventRow
from tests.chaos.observations import ObservedPowerCycle, ObservedPress

SLACK_MS = 800  # how far from a release or a gap's edge something may seem to be
LATE_MS = 250  # a poll may see a contact before its interrupt does; and the board reports no stop of up to 100 ms
CLOSE_MS = 30  # within this the stamps of most contacts in one power cycle agree


@dataclass
class MatchedCycle:
    """A power cycle and its stored events; `by_press` has the event of each press, by the press's index."""

    cycle: ObservedPowerCycle
    events: list[EventRow]
    offset_ms: int
    by_press: dict[int, EventRow] = field(default_factory=dict)
    lost: list[int] = field(default_factory=list)  # presses that the board took, and that have no event

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{self.cycle.site_id}/{self.cycle.console_id} ({self.cycle.hardware_id}) boot {self.cycle.boot}"

    def with_press(self, index: int, press: ObservedPress) -> MatchedCycle:
        """Return the same power cycle with one press replaced."""
        presses = (*self.cycle.presses[:index], press, *self.cycle.presses[index + 1 :])
        return replace(self, cycle=replace(self.cycle, presses=presses))


def match_events(cycle: ObservedPowerCycle, events: list[EventRow]) -> MatchedCycle:
    """Match the presses of a power cycle with the events stored of it."""
    of_presses = [event for event in events if event.button]
    matched = MatchedCycle(cycle, events, _offset(cycle, of_presses))
    for event in of_presses:
        _find_press(matched, event, set())
    matched.lost += _half_stored(matched)
    return matched


def _find_press(matched: MatchedCycle, event: EventRow, tried: set[int]) -> bool:
    """Give the event the nearest press that fits; an event that had this press finds another (Kuhn's matching)."""
    near = sorted(
        (off_ms, index)
        for index, press in enumerate(matched.cycle.presses)
        if (off_ms := _off_ms(press, event, matched.offset_ms)) is not None
    )
    for _, index in near:
        if index in tried:
            continue
        tried.add(index)
        before = matched.by_press.get(index)
        if before is None or _find_press(matched, before, tried):
            matched.by_press[index] = event
            return True
    return False


def _half_stored(matched: MatchedCycle) -> list[int]:
    """Return the seller's presses of which only the close of the survey before was stored: then power went."""
    superseding = [event.up_ms for event in matched.events if event.payload.get("cause") == "superseded"]
    return [
        index
        for index, press in enumerate(matched.cycle.presses)
        if press.button == "seller" and not press.sure and index not in matched.by_press
        if any(_may_be_at(press, up_ms - matched.offset_ms) for up_ms in superseding)
    ]


def _off_ms(press: ObservedPress, event: EventRow, offset_ms: int) -> int | None:
    """Return how far apart the interrupt of a press and an event are; None if they cannot belong together."""
    if press.button != event.button:
        return None
    at_ms = event.up_ms - offset_ms
    if press.from_start and at_ms <= press.contact_ms + press.held_ms + SLACK_MS:
        return 0
    return abs(at_ms - press.contact_ms - press.late_ms) if _may_be_at(press, at_ms) else None


def _may_be_at(press: ObservedPress, at_ms: int) -> bool:
    """Return whether the board may have stamped the press with this time."""
    return -LATE_MS <= at_ms - press.contact_ms <= press.late_ms + LATE_MS


def _offset(cycle: ObservedPowerCycle, of_presses: list[EventRow]) -> int:
    """Return what to add to the board's clock to get up_ms: the value close to most pairs of press and event."""
    if cycle.offset_ms is not None:
        return cycle.offset_ms
    least_ms = -(cycle.awake_ms or 0) - CLOSE_MS  # it began to count before it had started
    apart = sorted(
        event.up_ms - press.contact_ms - press.late_ms
        for event in of_presses
        for press in cycle.presses
        if press.button == event.button and not press.from_start
        if least_ms <= event.up_ms - press.contact_ms - press.late_ms <= CLOSE_MS
    )
    near = [apart[bisect_left(apart, ms) : bisect_right(apart, ms + CLOSE_MS)] for ms in apart]
    best = max(near, key=lambda found: (len(found), found[0]), default=[0])
    return best[len(best) // 2]
