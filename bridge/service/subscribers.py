"""Who acts on what ingest finds out, inside its transaction: updates over the air, and consoles' settings.

A new subscriber is a class like these, and a line in `subscribers`. What only counts or tells hears the same facts
after the commit, see `vitals.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin import firmware_updates
from bridge.admin.firmware_updates import CheckedBundles
from bridge.admin.settings import refresh_console
from bridge.surveys.facts import ConsoleCameOnline, ConsoleDiscovered, HealthReported, ReplyReceived, SettingsRenewed

if TYPE_CHECKING:
    from bridge.service.outcome import Outcome, Subscriber
    from bridge.store import Store
    from bridge.surveys.facts import Fact


def subscribers(store: Store) -> tuple[Subscriber, ...]:
    """List them in the order in which they hear of a fact."""
    return UpdatesSubscriber(store), SettingsSubscriber(store)


class UpdatesSubscriber:
    """Moves updates on: offers them, and sends the pieces that consoles ask for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bundles = CheckedBundles(store.path)

    def hear(self, fact: Fact, outcome: Outcome) -> None:
        """Follow what consoles say of themselves."""
        if isinstance(fact, ConsoleCameOnline) and fact.is_live:
            firmware_updates.note_online(self._store, fact.console)
        elif isinstance(fact, HealthReported) and fact.sent_at_ms is not None:
            for message in firmware_updates.note_health(self._store, fact.console, fact.figures):
                outcome.publish(*message)
        elif isinstance(fact, ReplyReceived):
            for message in firmware_updates.take_reply(self._store, self._bundles, fact.console, fact.reply):
                outcome.publish(*message)


class SettingsSubscriber:
    """Makes settings for consoles that are new, or use some that this database does not know."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def hear(self, fact: Fact, outcome: Outcome) -> None:
        """Give the console its own settings, where it has others."""
        if isinstance(fact, ConsoleDiscovered | HealthReported) and refresh_console(self._store, *fact.console):
            outcome.tell(SettingsRenewed(fact.console, was_ahead=isinstance(fact, HealthReported)))
