"""Keep the bridge's claim at the broker while its session lasts: state it, repeat it, and answer other bridges."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bridge.wire.bridge_claim import BridgeClaim, read_claim
from bridge.wire.contract import Unreadable

if TYPE_CHECKING:
    from paho.mqtt.client import Client

    from bridge.service.claim import Claim

REPEAT_S = 60.0  # a claim that was lost somewhere is stated again
ANSWER_EVERY_S = 0.2  # others are answered no more often


class ClaimKeeper:
    """The claim during one session; `is_confirmed` once the broker has it. `rival` is a bridge that was first."""

    def __init__(self, claim: Claim, client: Client) -> None:
        self.is_confirmed = False
        self.rival: BridgeClaim | None = None
        self._claim = claim
        self._client = client
        self._mids: set[int] = set()  # publications of the claim that the broker has not confirmed
        self._first_mid = 0  # … the first one of this connection
        self._stated = b""
        self._stated_s = 0.0
        self._is_due = self._is_over = False

    def begin(self) -> None:
        """State the claim, as there is a new connection."""
        self.is_confirmed = False
        if self._claim.since_ms is None:
            self._claim.since_ms = time.time_ns() // 1_000_000
        self._first_mid = self._state()

    def wait_s(self, limit_s: float) -> float:
        """Return how long nothing need be stated, at most `limit_s`."""
        if self._is_over:
            return limit_s
        every_s = ANSWER_EVERY_S if self._is_due else REPEAT_S
        return min(limit_s, max(0.0, self._stated_s + every_s - time.monotonic()))

    def state_if_due(self) -> None:
        """State the claim again where it is time to, or somebody wants to know."""
        if self.wait_s(REPEAT_S) == 0:
            self._state()

    def is_pending(self) -> bool:
        """Return whether the broker has still to confirm something."""
        return bool(self._mids)

    def note_published(self, mid: int) -> bool:
        """Note that the broker has confirmed a publication; return whether that was the claim."""
        self.is_confirmed |= mid == self._first_mid
        is_claim = mid in self._mids
        self._mids.discard(mid)
        return is_claim

    def hear(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """Hear another bridge, or an outsider who overwrote a claim."""
        try:
            other = read_claim(payload)
        except Unreadable:
            other = None
        # What others put on our own topic hides our claim, or asks whether we are alive (with a copy of our keys).
        self._is_due |= topic == self._claim.topic and payload != self._stated
        if other is None or (is_retained and self._claim.is_leftover(other)) or not self._claim.is_rival(other):
            return
        self._is_due = True
        if other.state == "serving" and not self._claim.precedes(other):
            self.rival = other

    def take_back(self) -> None:
        """Delete the claim: this bridge serves no longer."""
        self._is_over = True
        self._mids = {self._client.publish(self._claim.topic, b"", qos=1, retain=True).mid}

    def _state(self) -> int:
        self._is_due, self._stated_s = False, time.monotonic()
        self._stated = self._claim.serving()
        mid = self._client.publish(self._claim.topic, self._stated, qos=1, retain=True).mid
        self._mids.add(mid)
        return mid
