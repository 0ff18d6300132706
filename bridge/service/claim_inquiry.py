"""Ask at the broker, before the bridge's session begins, whether another bridge serves the same consoles.

The question goes over a short connection of its own, whose client id nobody else has: the session's own id could cut
off a bridge that runs with a copy of the same keys.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from paho.mqtt.enums import MQTTErrorCode

from bridge import log
from bridge.service.claim import describe
from bridge.service.mqtt_client import CONNECT_TIMEOUT_S
from bridge.wire.bridge_claim import ALL_CLAIMS, BridgeClaim, is_claim_topic, read_claim
from bridge.wire.contract import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.client import Client, MQTTMessage

    from bridge.service.claim import Claim

ANSWER_S = 3.0  # how long a bridge that is alive may take to answer
ASK_EVERY_S = 0.5
TICK_S = 0.1


class ClaimInquiry:
    """One inquiry over a client that is about to be connected; the attributes are its result.

    `is_complete` is false if the connection was lost meanwhile. `refused` is why the broker refuses the login, and else
    empty. `is_heard` is false if the bridge's own question did not come back: its login may not write or read claims.
    `rival` is alive, serves the same consoles, and was first. `shares_name` is true if a bridge that serves others is
    alive under our name: it runs with a copy of our keys.
    """

    def __init__(self, client: Client, claim: Claim, is_ending: Callable[[], bool]) -> None:
        self.is_complete = self.is_heard = self.shares_name = False
        self.refused = ""
        self.rival: BridgeClaim | None = None
        self._client = client
        self._claim = claim
        self._is_ending = is_ending
        self._is_over = self._is_subscribed = False
        self._unanswered: dict[str, BridgeClaim] = {}  # by topic: claims that the broker kept, perhaps of the dead
        self._alive: dict[str, BridgeClaim] = {}
        self._leftovers: set[str] = set()  # topics of claims that earlier runs on our own file left behind
        self._waiting: set[int] = set()  # publications that the broker has not confirmed
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_message, client.on_publish = self._on_message, self._on_publish

    def run(self) -> None:
        """Ask, and wait for answers; the client is disconnected when this returns."""
        self._wait_until(lambda: self._is_subscribed, CONNECT_TIMEOUT_S)
        if self._is_subscribed and not self._is_over:
            self._ask()
            self._wait_until(lambda: self.is_heard, ANSWER_S)
            self._wait_for_answers()
            self._settle()
            self.is_complete = not self._is_over
        self._client.disconnect()

    def _ask(self) -> None:
        self._client.publish(self._claim.topic, self._claim.asking(), qos=1)

    def _wait_for_answers(self) -> None:
        """Ask again until each claim is taken back or proved to be alive; a claim that stays silent is a dead one's."""
        for other in self._unanswered.values():
            log.info("another bridge may serve the same consoles: asking it", bridge=describe(other))
        end_s = time.monotonic() + ANSWER_S
        while self._unanswered and not self._alive and not self._is_over and time.monotonic() < end_s:
            self._wait_until(lambda: not self._unanswered or bool(self._alive), ASK_EVERY_S)
            self._ask()

    def _settle(self) -> None:
        """Yield to a bridge that was first; have the others end; delete the claims of the dead."""
        first = [other for other in self._alive.values() if not self._claim.precedes(other)]
        if first:
            self.rival = first[0]
            return
        if self._alive:
            self._publish(self._claim.topic, self._claim.serving())
            self._wait_until(lambda: not self._alive, ANSWER_S)
        for topic in {*self._leftovers, *self._unanswered} - {self._claim.topic}:
            self._publish(topic, b"")
        self._wait_until(lambda: not self._waiting, ANSWER_S)

    def _publish(self, topic: str, payload: bytes) -> None:
        self._waiting.add(self._client.publish(topic, payload, qos=1, retain=True).mid)

    def _wait_until(self, condition: Callable[[], bool], limit_s: float) -> None:
        end_s = time.monotonic() + limit_s
        while not (condition() or self._is_over or self._is_ending()) and time.monotonic() < end_s:
            if self._client.loop(TICK_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._is_over = True

    # -- what paho calls -----------------------------------------------------------------------------------------

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        if reason.is_failure:
            self.refused, self._is_over = str(reason), True
        else:
            client.subscribe(ALL_CLAIMS, 1)

    def _on_subscribe(self, *_: Any) -> None:
        self._is_subscribed = True

    def _on_publish(self, _client: Client, _data: Any, mid: int, *_: Any) -> None:
        self._waiting.discard(mid)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        topic = message.topic
        try:
            other = read_claim(bytes(message.payload)) if is_claim_topic(topic) else None
        except Unreadable:
            return  # not a bridge's
        if other is None:
            self._unanswered.pop(topic, None)
            self._alive.pop(topic, None)
        elif other.instance == self._claim.instance:
            self.is_heard |= other.state == "asking"
        elif message.retain:
            self._note_kept(topic, other)
        elif other.state == "serving":
            self._note_alive(topic, other)
        elif self._claim.is_rival(other) and not self._claim.precedes(other):
            self._unanswered[topic] = other  # both have just started: it will serve in a moment

    def _note_kept(self, topic: str, other: BridgeClaim) -> None:
        """Note a claim that the broker kept, which does not say whether its bridge still lives."""
        if self._claim.is_leftover(other):
            self._leftovers.add(topic)
        elif self._claim.is_rival(other) or topic == self._claim.topic:
            self._unanswered[topic] = other

    def _note_alive(self, topic: str, other: BridgeClaim) -> None:
        if self._claim.is_rival(other):
            self._alive[topic] = other
        elif topic == self._claim.topic:
            self.shares_name = True
        self._unanswered.pop(topic, None)
