"""Which stored event is of which press: found by button and time, since the wire does not say."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

from tests.chaos.table import Event
from tests.chaos.witness import Life, Press

SLACK_MS = 800  # how far from a release or a gap's edge something may seem to lie
LATE_MS = 250  # a poll may find a contact before its interrupt does; and the board tells of no stop of up to 100 ms
CLOSE_MS = 30  # contacts of one life are stamped so evenly, mostly


@dataclass
class Told:
    """A life with what the table tells of it: each stored event of a press, by the press's index."""

    life: Life
    events: list[Event]
    offset_ms: int
    by_press: dict[int, Event] = field(default_factory=dict)
    lost: list[int] = field(default_factory=list)  # presses that were taken, and have no event

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.life.site_id}/{self.life.console_id} ({self.life.hardware_id}) boot {self.life.boot}"

    def with_press(self, index: int, press: Press) -> Told:
        """The same, if that press had been this one."""
        presses = (*self.life.presses[:index], press, *self.life.presses[index + 1 :])
        return replace(self, life=replace(self.life, presses=presses))


def tell(life: Life, events: list[Event]) -> Told:
    """The life, each of its presses joined with its event."""
    telling = [event for event in events if event.button]
    told = Told(life, events, _offset(life, telling))
    for event in telling:
        _find_press(told, event, set())
    told.lost += _half_kept(told)
    return told


def _find_press(told: Told, event: Event, tried: set[int]) -> bool:
    """Give the event the nearest press that it can be of; whose it was until now finds another (Kuhn's matching)."""
    near = sorted(
        (off_ms, index)
        for index, press in enumerate(told.life.presses)
        if (off_ms := _off_ms(press, event, told.offset_ms)) is not None
    )
    for _, index in near:
        if index in tried:
            continue
        tried.add(index)
        before = told.by_press.get(index)
        if before is None or _find_press(told, before, tried):
            told.by_press[index] = event
            return True
    return False


def _half_kept(told: Told) -> list[int]:
    """Seller's presses whose power went when the close of the survey before was kept, and the opening was not yet."""
    superseding = [event.up_ms for event in told.events if event.said.get("cause") == "superseded"]
    return [
        index
        for index, press in enumerate(told.life.presses)
        if press.button == "seller" and not press.sure and index not in told.by_press
        if any(_may_be_at(press, up_ms - told.offset_ms) for up_ms in superseding)
    ]


def _off_ms(press: Press, event: Event, offset_ms: int) -> int | None:
    """How far apart the interrupt of a press and an event are; None if the event can't be of this press."""
    if press.button != event.button:
        return None
    at_ms = event.up_ms - offset_ms
    if press.from_start and at_ms <= press.contact_ms + press.held_ms + SLACK_MS:
        return 0
    return abs(at_ms - press.contact_ms - press.late_ms) if _may_be_at(press, at_ms) else None


def _may_be_at(press: Press, at_ms: int) -> bool:
    """May the board have stamped it so?"""
    return -LATE_MS <= at_ms - press.contact_ms <= press.late_ms + LATE_MS


def _offset(life: Life, telling: list[Event]) -> int:
    """What to add to the board's clock to get up_ms: the value around which most pairs of press and event lie."""
    if life.offset_ms is not None:
        return life.offset_ms
    least_ms = -(life.awake_ms or 0) - CLOSE_MS  # it began to count before it had started
    apart = sorted(
        event.up_ms - press.contact_ms - press.late_ms
        for event in telling
        for press in life.presses
        if press.button == event.button and not press.from_start
        if least_ms <= event.up_ms - press.contact_ms - press.late_ms <= CLOSE_MS
    )
    near = [apart[bisect_left(apart, ms) : bisect_right(apart, ms + CLOSE_MS)] for ms in apart]
    best = max(near, key=lambda found: (len(found), found[0]), default=[0])
    return best[len(best) // 2]
