"""React to the facts of ingest inside its transaction: continue updates, renew settings, note replies to commands.

A new subscriber is a class like these and an entry in `subscribers`. Code that only counts or logs gets the same
facts after the commit: see `vitals.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin import firmware_updates
from bridge.admin.firmware_updates import CheckedBundles
from bridge.admin.settings import refresh_console
from bridge.service.alarms import AlarmsSubscriber
from bridge.service.retained import clearing
from bridge.store import cameras
from bridge.surveys.facts import (
    ConsoleCameOnline,
    ConsoleDiscovered,
    GoneConsoleHeard,
    HealthReported,
    ReplyReceived,
    SettingsRenewed,
)
from bridge.text import printable

if TYPE_CHECKING:
    from bridge.service.outcome import Subscriber, TransactionOutcome
    from bridge.store import Store
    from bridge.surveys.facts import Fact


def subscribers(store: Store) -> tuple[Subscriber, ...]:
    """List the subscribers in the order in which they handle a fact."""
    return (
        UpdatesSubscriber(store),
        SettingsSubscriber(store),
        GoneConsolesSubscriber(),
        CommandsSubscriber(store),
        AlarmsSubscriber(store),
    )


class UpdatesSubscriber:
    """Advances updates over the air: makes offers, and sends the pieces that consoles request."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bundles = CheckedBundles(store.path)

    def handle(self, fact: Fact, outcome: TransactionOutcome) -> None:
        """Follow what consoles report about themselves."""
        if isinstance(fact, ConsoleCameOnline) and fact.is_live:
            firmware_updates.note_online(self._store, fact.console)
        elif isinstance(fact, HealthReported) and fact.sent_at_ms is not None:
            for message in firmware_updates.note_health(
                self._store, fact.console, fact.figures, is_proved=fact.is_proved
            ):
                outcome.publish(*message)
        elif isinstance(fact, ReplyReceived):
            for message in firmware_updates.take_reply(
                self._store, self._bundles, fact.console, fact.reply, is_proved=fact.is_proved
            ):
                outcome.publish(*message)


class SettingsSubscriber:
    """Makes settings for consoles that are new, or that use settings unknown to this database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def handle(self, fact: Fact, outcome: TransactionOutcome) -> None:
        """Renew the console's settings if it has others than it should."""
        if isinstance(fact, ConsoleDiscovered | HealthReported) and refresh_console(self._store, *fact.console):
            outcome.emit(SettingsRenewed(fact.console, was_ahead=isinstance(fact, HealthReported)))


class GoneConsolesSubscriber:
    """Clears what a console that is gone had the broker retain, as until its login ends it may still be connected."""

    def handle(self, fact: Fact, outcome: TransactionOutcome) -> None:
        """Have the broker forget the message."""
        if isinstance(fact, GoneConsoleHeard):
            topic, payload, retain = clearing(fact.console, fact.leaf)
            outcome.publish(topic, payload, retain=retain)


class CommandsSubscriber:
    """Notes what consoles reply to commands that people have sent."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def handle(self, fact: Fact, outcome: TransactionOutcome) -> None:
        """Note a reply, unless it belongs to an update."""
        del outcome
        if isinstance(fact, ReplyReceived) and fact.reply.fetch is None:
            reply = fact.reply
            cameras.note_reply(self._store, *fact.console, reply.id, ok=reply.ok, reason=printable(reply.reason))
