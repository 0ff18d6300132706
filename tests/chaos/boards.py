"""Find the board of each epoch: a board is a site, a console's id, and the hardware that has this id."""

from __future__ import annotations

from tests.chaos.database import StoredEpoch
from tests.chaos.observations import EpochName, Observations

Board = tuple[str, str, str]
"""(site_id, console_id, hardware_id)"""


def boards_of(epochs: dict[EpochName, StoredEpoch], observations: Observations) -> dict[EpochName, Board]:
    """Return each epoch's board, if the epoch says so itself or only one board has the console's id."""
    boards: dict[EpochName, Board] = {}
    for name, epoch in epochs.items():
        ids = epoch.hardware_ids() or {
            cycle.hardware_id for cycle in observations.power_cycles if (cycle.site_id, cycle.console_id) == name[:2]
        }
        if len(ids) == 1:
            boards[name] = (name[0], name[1], ids.pop())
    return boards


def board_by_boot(name: EpochName, boot: int, observations: Observations) -> Board:
    """Return the board of an event from this boot, for an epoch that does not say whose it is."""
    for cycle in observations.power_cycles:
        if (cycle.site_id, cycle.console_id, cycle.boot) == (name[0], name[1], boot):
            return (name[0], name[1], cycle.hardware_id)
    return (name[0], name[1], "unknown")
