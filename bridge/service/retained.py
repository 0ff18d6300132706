"""Find the retained messages that are due: consoles' settings, and empty ones that clear those of consoles gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.service.outcome import Publication
from bridge.store import consoles, gone_consoles
from bridge.wire.contract import RETAINED_LEAVES

if TYPE_CHECKING:
    from bridge.model.console import ConsoleName
    from bridge.store import Store


@dataclass(frozen=True)
class DueMessages:
    """The consoles whose settings are to be published, each with the newest ones, and those that are gone."""

    settings: list[tuple[str, str, int, str]]
    gone: list[ConsoleName]

    def publications(self) -> list[Publication]:
        """Return the messages to publish."""
        settings = [
            Publication(f"trivox/v1/{site_id}/{console_id}/settings", payload.encode(), retain=True)
            for site_id, console_id, _, payload in self.settings
        ]
        return settings + [clearing(name, leaf) for name in self.gone for leaf in RETAINED_LEAVES]

    def note_published(self, store: Store) -> None:
        """Note, inside the transaction, that they are published."""
        for site_id, console_id, revision, _ in self.settings:
            consoles.note_published(store, site_id, console_id, revision)
        if self.gone:
            gone_consoles.note_cleared(store)


def find_due(store: Store, *, every: bool) -> DueMessages:
    """Return what was not published yet, or with `every` all of it, as there is a new connection."""
    if every:
        return DueMessages(consoles.latest_settings(store), gone_consoles.gone(store))
    return DueMessages(consoles.unpublished_settings(store), gone_consoles.uncleared(store))


def clearing(name: ConsoleName, leaf: str) -> Publication:
    """Return the message that makes the broker forget what it retains of a console under a leaf."""
    site_id, console_id = name
    return Publication(f"trivox/v1/{site_id}/{console_id}/{leaf}", b"", retain=True)
