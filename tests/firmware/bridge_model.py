"""A model of the bridge as an outbox sees it: it stores events and acknowledges them (schema/ack.json)."""

from __future__ import annotations

import json
from typing import Any

from at_once import discard_all, next_message
from console.delivery import Delivery

ROUND_MS = 100
ROUNDS_MAX = 2000


class ModelBridge:
    """`events`: (epoch, number) to event; `conflicts`: numbers that came again with other content."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, int], Any] = {}
        self.firsts: dict[str, int] = {}
        self.conflicts: list[tuple[str, int]] = []

    def receive(self, text: str) -> tuple[str, int]:
        """Store a batch; return its acknowledgement."""
        batch = json.loads(text)
        epoch, first, base = batch["epoch"], batch["first"], batch["base"]
        assert 1 <= first <= base
        self.firsts[epoch] = max(first, self.firsts.get(epoch, 1))
        for number, event in enumerate(batch["events"], base):
            if self.events.setdefault((epoch, number), event) != event:
                self.conflicts.append((epoch, number))
        return epoch, self.through(epoch)

    def through(self, epoch: str) -> int:
        through = self.firsts.get(epoch, 1) - 1
        while (epoch, through + 1) in self.events:
            through += 1
        return through

    def holes(self) -> int:
        """Return how many acknowledged numbers never came."""
        return sum(
            (epoch, number) not in self.events for epoch in self.firsts for number in range(1, self.through(epoch) + 1)
        )

    def session(self, outbox: Any, batches: int = ROUNDS_MAX, acks_lost: int = 0) -> None:
        """Deliver over one connection, at most `batches` batches; the acks of the last `acks_lost` of them are lost."""
        delivery = Delivery(outbox)
        now_ms = 0
        idle = 0
        while batches and idle < 2:
            now_ms += ROUND_MS
            assert now_ms < ROUNDS_MAX * ROUND_MS, "the delivery never ends"
            text = next_message(delivery, now_ms)
            if text is None:
                idle += 1
                continue
            idle = 0
            batches -= 1
            answer = self.receive(text)
            if batches >= acks_lost or batches >= ROUNDS_MAX // 2:
                delivery.acknowledged(*answer, now_ms)
                discard_all(outbox)
