"""Keep what is read from the database between transactions.

The store drops all of it as soon as a transaction is rolled back, and whoever changes what it was read from drops it
too: so it lies here, below everybody who reads through it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bridge.model.console import ConsoleName, KnownConsole
    from bridge.model.epoch import Epoch
    from bridge.model.periods import Placement, Timeline


class SitePlaces(NamedTuple):
    """The time zone, placements and shifts of a site, by which its counts are assigned."""

    timezone: str
    placements: dict[str | None, list[Placement]]  # by checkout point
    shifts: dict[int, Timeline]  # by console key


@dataclass
class RejectTotals:
    """The size of all stored rejected messages, and their number by topic."""

    size: int
    of_topic: dict[str, int] = field(default_factory=dict)


@dataclass
class Cache:
    """The cached objects, by the key under which they are looked up."""

    consoles: dict[ConsoleName, KnownConsole] = field(default_factory=dict)
    epochs: dict[tuple[int, str], Epoch] = field(default_factory=dict)  # by console key and epoch
    epochs_by_key: dict[int, Epoch] = field(default_factory=dict)
    places: dict[str, SitePlaces] = field(default_factory=dict)  # by site
    rejects: RejectTotals | None = None
    flag_months_due: set[str] = field(default_factory=set)  # noted already
    kept_bytes: int | None = None  # of all that `store/kept.py` bounds
