"""Whatever comes is stored or rejected with a reason, nothing crashes, and the good ones are all stored."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Any

from bridge.ingest import take_messages
from bridge.rebuild import rebuild
from bridge.store import open_store
from tests.bridge.histories import NOW_MS, History, Message

if TYPE_CHECKING:
    from pathlib import Path

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


def test_ten_thousand_mutated_messages(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print("seed", seed)  # noqa: T201 - a failure can be run again with it
    chance = random.Random(seed)
    good = History(chance, "good", "000000aa")
    good.grow(500)
    good_messages = good.messages(lost=0)
    bad = History(chance, "bad", "000000bb")
    bad.grow(500)
    sources = bad.messages(lost=0)
    messages = [mutate(chance, chance.choice(sources)) for _ in range(COUNT)] + good_messages
    chance.shuffle(messages)
    store = open_store(tmp_path / "a.db", writing=True)
    told = 0
    for start in range(0, len(messages), 300):
        tally = take_messages(store, messages[start : start + 300], NOW_MS)
        told += tally.stored + tally.duplicates + tally.conflicts + tally.rejected + tally.unreadable
    row = store.one("SELECT count(*) FROM event JOIN epoch USING (epoch_key) WHERE epoch = '000000aa'")
    assert row == (len(good_messages),)
    assert told > COUNT
    assert store.one("SELECT count(*) FROM reject WHERE reason NOT LIKE '%_: _%'") == (0,)
    before = store.all("SELECT * FROM rollup_hour"), store.all("SELECT * FROM survey")
    with store.transaction(NOW_MS):
        rebuild(store)
    assert (store.all("SELECT * FROM rollup_hour"), store.all("SELECT * FROM survey")) == before
    assert store.all("PRAGMA integrity_check") == [("ok",)]
    store.close()
