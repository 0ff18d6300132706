"""What the bridge's database holds, read with the standard library's SQLite. Nothing is checked here."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.witness import EpochName

PRESSED = ("survey_opened", "force_majeure_declared", "stray_pressed")


@dataclass(frozen=True)
class Event:
    """A row of `event`, with what it said of itself."""

    seq: int
    type: str
    boot: int
    up_ms: int
    said: dict[str, Any]
    epoch: EpochName
    arrived_at_ms: int

    @property
    def button(self) -> str | None:
        """The button whose press it tells of; None if it tells of none."""
        if self.type in {"survey_opened", "force_majeure_declared"}:
            return "seller"
        if self.type == "survey_closed" and self.said["cause"] == "answered":
            return str(self.said["outcome"])
        return str(self.said["button"]) if self.type == "stray_pressed" else None


@dataclass
class Epoch:
    """One epoch of one console: its events by number, and what the bridge says of it."""

    name: EpochName
    first: int
    through: int
    events: dict[int, Event] = field(default_factory=dict)
    received: list[tuple[int, int]] = field(default_factory=list)
    rejected: set[int] = field(default_factory=set)

    def missing(self) -> list[int]:
        """Numbers up to the highest known that no row has."""
        top = max([self.through, *self.events])
        return [seq for seq in range(1, top + 1) if seq not in self.events and seq not in self.rejected]

    def hardware_ids(self) -> set[str]:
        """The boards that say they started in it."""
        return {str(event.said["hardware_id"]) for event in self.events.values() if event.type == "booted"}


def epochs(connection: sqlite3.Connection) -> dict[EpochName, Epoch]:
    """Every epoch by its name."""
    found: dict[int, Epoch] = {}
    query = "SELECT epoch_key, site_id, console_id, epoch, first, through FROM epoch JOIN console USING (console_key)"
    for key, site_id, console_id, epoch, first, through in connection.execute(query):
        found[key] = Epoch((site_id, console_id, epoch), first, through)
    for key, seq, kind, boot, up_ms, raw, arrived in connection.execute(
        "SELECT epoch_key, seq, type, boot, up_ms, raw, arrived_at_ms FROM event ORDER BY epoch_key, seq"
    ):
        found[key].events[seq] = Event(seq, kind, boot, up_ms, json.loads(raw), found[key].name, arrived)
    for key, low, high in connection.execute("SELECT epoch_key, low, high FROM received ORDER BY epoch_key, low"):
        found[key].received.append((low, high))
    for key, seq in connection.execute(
        "SELECT DISTINCT epoch_key, seq FROM reject WHERE epoch_key IS NOT NULL AND reason NOT LIKE 'conflict%'"
    ):
        found[key].rejected.add(seq)
    return {epoch.name: epoch for epoch in found.values()}
