"""Every message is stored or rejected with a reason, nothing crashes, and all good events are stored."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from bridge.store import Store
from tests.bridge.histories import NOW_MS, History, Message
from tests.support import facts
from tests.support.intake import rebuild, take_messages
from tests.support.seeds import seeded

COUNT = 10_000
STRANGE: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1.5,
    1e308,
    2**53,
    2**63,
    2**70,
    "",
    "x" * 300,
    "\x00",
    "é",
    [],
    {},
    [[]],
]
STRANGE_TOPICS = [
    "",
    "/",
    "trivox/v1/s1/c1/status",
    "trivox/v1/s1/c1/health",
    "trivox/v1/s1/c1/counts",
    "\x00",
    "é" * 9,
]


def mutate(chance: random.Random, message: Message) -> Message:
    topic, payload, arrived = message
    way = chance.randrange(5)
    if way == 0:
        at = chance.randrange(len(payload))
        noise = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 5)))
        return topic, payload[:at] + noise + payload[at + chance.randrange(4) :], arrived
    if way == 1:
        return topic, payload[: chance.randrange(len(payload))], arrived
    if way == 2:
        at = chance.randrange(len(topic))
        other = chance.choice([*STRANGE_TOPICS, topic[:at] + chance.choice("A/+#é\x00 ") + topic[at:]])
        return other, payload, arrived
    batch = json.loads(payload)
    target = batch if way == 3 else chance.choice(batch["events"])
    name = chance.choice([*target, "unheard-of"])
    if chance.random() < 0.2:
        target.pop(name, None)
    else:
        target[name] = chance.choice(STRANGE)
    return topic, json.dumps(batch).encode(), arrived


def test_ten_thousand_mutated_messages(store: Store) -> None:
    chance = seeded("mutated")
    good = History(chance, "good", "000000aa")
    good.grow(500)
    good_messages = good.messages(lost=0)
    bad = History(chance, "bad", "000000bb")
    bad.grow(500)
    sources = bad.messages(lost=0)
    messages = [mutate(chance, chance.choice(sources)) for _ in range(COUNT)] + good_messages
    chance.shuffle(messages)
    counted = 0
    for start in range(0, len(messages), 300):
        result = take_messages(store, messages[start : start + 300], NOW_MS)
        counted += result.stored + result.duplicates + result.conflicts + result.rejected + result.unreadable
    assert facts.events(store, "seq", epoch="000000aa") == list(range(1, len(good_messages) + 1))
    assert counted > COUNT
    assert [reason for reason in facts.rejects(store, "reason") if not re.search(".: .", reason)] == []
    before = facts.derived(store)
    with store.transaction(NOW_MS):
        rebuild(store)
    assert facts.derived(store) == before
    assert facts.damage(store) == []
