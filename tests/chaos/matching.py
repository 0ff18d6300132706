"""Which stored event is of which press: found by button and time, since the wire does not say."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from tests.chaos.table import Event
from tests.chaos.witness import Life, Press

SLACK_MS = 800  # how far from a release or a gap's edge something may seem to lie
CLOSE_MS = 30  # contacts of one life are stamped so evenly, mostly
OFFSET_MAX_MS = 5000  # how long a board under load takes to start its clock
HOUR_MS = 3_600_000  # by which a clock may have jumped before the firmware began to count


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
        if (off_ms := _off_ms(press, event, told.offset_ms)) is not None and off_ms <= told.life.late_ms
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
        if any(abs(press.contact_ms + told.offset_ms - up_ms) <= told.life.late_ms for up_ms in superseding)
    ]


def _off_ms(press: Press, event: Event, offset_ms: int) -> int | None:
    """How far apart a press and an event are; None if the event is not of this press."""
    if press.button != event.button:
        return None
    contact_ms = press.contact_ms + offset_ms
    if press.from_start and event.up_ms <= contact_ms + press.held_ms + SLACK_MS:
        return 0
    return abs(contact_ms - event.up_ms)


def _offset(life: Life, telling: list[Event]) -> int:
    """What to add to the board's clock to get up_ms: the value around which most pairs of press and event lie."""
    if life.offset_ms is not None:
        return life.offset_ms
    apart = sorted(
        event.up_ms - press.contact_ms
        for event in telling
        for press in life.presses
        if press.button == event.button and not press.from_start
        if any(-OFFSET_MAX_MS <= event.up_ms - press.contact_ms + hours * HOUR_MS <= CLOSE_MS for hours in range(3))
    )
    near = [apart[bisect_left(apart, ms) : bisect_right(apart, ms + CLOSE_MS)] for ms in apart]
    best = max(near, key=lambda found: (len(found), found[0]), default=[0])
    return best[len(best) // 2]
