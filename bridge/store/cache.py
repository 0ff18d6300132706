"""What is read from the database once and kept between transactions.

The store drops all of it as soon as a transaction is rolled back, and whoever changes what it was read from drops it
too: so it lies here, below everybody who reads through it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bridge.model.console import ConsoleName, KnownConsole
    from bridge.model.epoch import Epoch
    from bridge.model.periods import Timeline
    from bridge.store.places import Placement


class SitePlaces(NamedTuple):
    """What decides whose counts are a site's: its time zone, who stood where, and who was on shift there."""

    timezone: str
    placements: dict[str | None, list[Placement]]  # by checkout point
    shifts: dict[int, Timeline]  # by console key


@dataclass
class RejectTotals:
    """How much is kept of rejected messages."""

    size: int
    of_topic: dict[str, int] = field(default_factory=dict)


@dataclass
class Cache:
    """Each by the name under which it is looked for."""

    consoles: dict[ConsoleName, KnownConsole] = field(default_factory=dict)
    epochs: dict[tuple[int, str], Epoch] = field(default_factory=dict)  # by console key and epoch
    epochs_by_key: dict[int, Epoch] = field(default_factory=dict)
    places: dict[str, SitePlaces] = field(default_factory=dict)  # by site
    rejects: RejectTotals | None = None
