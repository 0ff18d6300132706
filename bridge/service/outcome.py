"""Collect what one transaction leads to: its facts, and the messages to publish once it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import apsw

from bridge import log
from bridge.store.faults import write_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.surveys.facts import Fact


class Publication(NamedTuple):
    """An MQTT message to publish."""

    topic: str
    payload: bytes
    retain: bool = False


class Subscriber(Protocol):
    """Reacts to facts inside their transaction: what it writes is committed or rolled back together with them."""

    def handle(self, fact: Fact, outcome: TransactionOutcome) -> None:
        """React to a fact; pass further facts and messages to `outcome`."""


class TransactionOutcome:
    """The facts and publications of one transaction; passes each fact on to the subscribers, in their order."""

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._subscribers = subscribers
        self.facts: list[Fact] = []
        self.publications: list[Publication] = []

    def emit(self, fact: Fact) -> None:
        """Record a fact that has just happened, and pass it on; a subscriber that fails must not cost the events."""
        self.facts.append(fact)
        for subscriber in self._subscribers:
            try:
                subscriber.handle(fact, self)
            except Exception as error:
                if isinstance(error, apsw.Error) or write_error(error) is not None:
                    raise  # the transaction itself has failed
                log.error("a subscriber failed: report this", trace=True, subscriber=type(subscriber).__name__)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish a message once the transaction is committed; not for recorded messages, whose senders are gone."""
        self.publications.append(Publication(topic, payload, retain))
