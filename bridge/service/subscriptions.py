"""Subscribe the bridge's session to what its sites' consoles send, in packets that the broker accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.wire.bridge_claim import ALL_CLAIMS
from bridge.wire.contract import LEAVES_TO_BRIDGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paho.mqtt.client import Client
    from paho.mqtt.reasoncodes import ReasonCode

TOPICS_A_PACKET = 256  # … of at most 80 bytes each: 20 KiB


class Subscriptions:
    """The topics that the session listens to.

    `is_complete` once the broker has granted all of them; `is_refused` if it did not.
    """

    def __init__(self, client: Client, sites: Sequence[str]) -> None:
        self.is_complete = self.is_refused = False
        self._client = client
        self._sites = sites
        self._unanswered: set[int | None] = set()

    def begin(self) -> None:
        """Subscribe, as there is a new connection."""
        self.is_complete = self.is_refused = False
        if self._sites:  # the session may remember that it once served all
            self._client.unsubscribe(_topics(()))
        # Claims come with QoS 0, so that none waits in the session and seems to be alive later. Where the broker keeps
        # them from the bridge, it serves all the same.
        self._client.subscribe(ALL_CLAIMS, 0)
        self._unanswered = {
            self._client.subscribe([(topic, 1) for topic in topics])[1] for topics in _packets(self._sites)
        }

    def note_answer(self, mid: int, reasons: Sequence[ReasonCode]) -> None:
        """Note the broker's answer to one packet."""
        if mid not in self._unanswered:
            return
        self._unanswered.discard(mid)
        self.is_refused |= any(reason.is_failure for reason in reasons)
        self.is_complete = not (self._unanswered or self.is_refused)

    def end(self) -> None:
        """Unsubscribe, so that messages for another bridge do not wait in this session."""
        for topics in _packets(self._sites):
            self._client.unsubscribe(topics)


def _topics(sites: Sequence[str]) -> list[str]:
    """Return the topics of what these sites send; of all sites if none is given."""
    return [f"trivox/v1/{site}/+/{leaf}" for site in sites or "+" for leaf in LEAVES_TO_BRIDGE]


def _packets(sites: Sequence[str]) -> Iterator[list[str]]:
    topics = _topics(sites)
    for first in range(0, len(topics), TOPICS_A_PACKET):
        yield topics[first : first + TOPICS_A_PACKET]
