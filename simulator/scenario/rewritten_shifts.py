"""Rewrite shifts, as a seller does who has his bad hours booked on a colleague afterwards."""

from collections.abc import Iterator
from datetime import date
from random import Random
from typing import NamedTuple

from simulator.scenario.local_hours import local_hours
from simulator.scenario.sites import PlannedPost, PlannedShift, PlannedSite, colleague_of, shifts_on


class ShiftAndParts(NamedTuple):
    """A shift that could be rewritten, and what it became: parts that follow one another; none if it was not."""

    shift: PlannedShift
    parts: list[PlannedShift]

    @property
    def moved(self) -> list[PlannedShift]:
        """The parts that are booked on a colleague."""
        return [part for part in self.parts if part.seller is not self.shift.seller]


def rewritten_shifts_on(site: PlannedSite, post: PlannedPost, day: date, seed: object) -> Iterator[ShiftAndParts]:
    """Yield the shifts of a local day that their seller could have rewritten: those with an unhappy hour, if any is."""
    rng = Random(f"{seed}/{post.site_id}/{post.console_id}/{day}/rewritten")
    for shift in shifts_on(post, site.zone, day):
        share = shift.seller.habits.rewrites_shifts
        if not share:
            continue
        is_rewritten = rng.random() < share
        parts = list(_parts(site, shift))
        if any(part.seller is not shift.seller for part in parts):
            yield ShiftAndParts(shift, parts if is_rewritten else [])


def _parts(site: PlannedSite, shift: PlannedShift) -> Iterator[PlannedShift]:
    unhappy_hours, colleague = site.customers.unhappy_hours, colleague_of(site.posts, shift.seller)
    part: PlannedShift | None = None
    for from_ms, to_ms, hour in local_hours(site.zone, shift.from_ms, shift.to_ms):
        seller = colleague if colleague and (not unhappy_hours or hour in unhappy_hours) else shift.seller
        if part is not None and part.seller is seller:
            part = PlannedShift(seller, part.from_ms, to_ms)
            continue
        if part is not None:
            yield part
        part = PlannedShift(seller, from_ms, to_ms)
    if part is not None:
        yield part
