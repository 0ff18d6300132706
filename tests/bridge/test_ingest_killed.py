"""`trivox ingest` killed in the middle: what it had taken in is whole, and again it takes in the rest alone."""

from __future__ import annotations

import json
import random
import re
import subprocess
from typing import TYPE_CHECKING

import apsw

from tests.bridge.histories import History
from tests.support import facts
from tests.support.programs import TRIVOX, wait_until
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 16_000  # eight transactions


def record(path: Path, chance: random.Random) -> int:
    """Record what two consoles sent, and counts of a till; how many events."""
    histories = [History(chance, console, "0000000a") for console in ("c1", "c2")]
    for history in histories:
        history.grow(EVENTS // 2)
    messages = [message for history in histories for message in history.messages(lost=0)]
    events = len(messages)
    for number in range(EVENTS // 10):
        count = {"id": str(number), "kind": "transactions", "from_ms": number, "to_ms": number + 1, "count": 1}
        messages.append(("trivox/v1/s1/tills/counts", json.dumps(count).encode(), number))
    chance.shuffle(messages)
    with path.open("w", encoding="utf-8") as file:
        for topic, payload, arrived_at_ms in messages:
            line = {"topic": topic, "payload": json.loads(payload), "received_at_ms": arrived_at_ms}
            file.write(json.dumps(line) + "\n")
    return events


def events_in(database: Path) -> int:
    """How many events another program sees."""
    try:
        return facts.stored(database)
    except (apsw.CantOpenError, apsw.SQLError, apsw.BusyError):  # it is being made
        return 0


def take(recording: Path, database: Path) -> dict[str, int]:
    """Ingest; the figures that the command prints."""
    words = [TRIVOX, "ingest", str(recording), "--database", str(database)]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return {name: int(count) for count, name in re.findall(r"(\d+) (events stored|known before|in conflict)", out)}


def test_killed_and_run_again_it_counts_nothing_twice(tmp_path: Path) -> None:
    recording, database, whole = tmp_path / "recorded.ndjson", tmp_path / "killed.db", tmp_path / "whole.db"
    events = record(recording, seeded("recorded"))
    killed = subprocess.Popen([TRIVOX, "ingest", str(recording), "--database", str(database)])
    wait_until("some events are there", lambda: events_in(database), 120)
    killed.kill()
    killed.wait()
    before = events_in(database)
    assert 0 < before < events
    assert take(recording, database) == {"events stored": events - before, "known before": before, "in conflict": 0}
    assert take(recording, whole) == {"events stored": events, "known before": 0, "in conflict": 0}
    assert facts.content(database) == facts.content(whole)
