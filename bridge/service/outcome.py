"""What one transaction leads to: facts that happened in it, and messages to publish once it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.surveys.facts import Fact


class Publication(NamedTuple):
    """A message to publish."""

    topic: str
    payload: bytes
    retain: bool = False


class Subscriber(Protocol):
    """Acts on facts inside the transaction in which they happened: what it writes is committed with them, or not."""

    def hear(self, fact: Fact, outcome: Outcome) -> None:
        """Act on a fact; tell `outcome` what follows, further facts included."""


class Outcome:
    """Passes each fact on to the subscribers, in their order, and collects what follows."""

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._subscribers = subscribers
        self.facts: list[Fact] = []
        self.publications: list[Publication] = []

    def tell(self, fact: Fact) -> None:
        """Take in a fact that has just happened."""
        self.facts.append(fact)
        for subscriber in self._subscribers:
            subscriber.hear(fact, self)

    def publish(self, topic: str, payload: bytes) -> None:
        """Have a message published after the commit."""
        self.publications.append(Publication(topic, payload))
