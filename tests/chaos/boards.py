"""Whose epochs are whose: a board is a site, a console's id, and the hardware that has it."""

from __future__ import annotations

from tests.chaos.table import Epoch
from tests.chaos.witness import EpochName, Testimony

Board = tuple[str, str, str]
"""(site_id, console_id, hardware_id)"""


def boards_of(epochs: dict[EpochName, Epoch], testimony: Testimony) -> dict[EpochName, Board]:
    """Whose epochs they are, as far as they say so themselves or only one board has the id."""
    found: dict[EpochName, Board] = {}
    for name, epoch in epochs.items():
        ids = epoch.hardware_ids() or {
            life.hardware_id for life in testimony.lives if (life.site_id, life.console_id) == name[:2]
        }
        if len(ids) == 1:
            found[name] = (name[0], name[1], ids.pop())
    return found


def by_boot(name: EpochName, boot: int, testimony: Testimony) -> Board:
    """Whose event it is that comes of this boot, where the epoch itself does not tell."""
    for life in testimony.lives:
        if (life.site_id, life.console_id, life.boot) == (name[0], name[1], boot):
            return (name[0], name[1], life.hardware_id)
    return (name[0], name[1], "unknown")
