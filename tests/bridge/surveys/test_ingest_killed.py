"""`trivox ingest` killed in the middle leaves only complete events, and the next time takes in only the rest."""

from __future__ import annotations

import json
import os
import random
import re
from typing import TYPE_CHECKING

import apsw

from tests.bridge.histories import History
from tests.support import facts, forked
from tests.support.programs import wait_until
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 12_000  # six transactions


def record(path: Path, chance: random.Random) -> int:
    """Record messages of two consoles and counts of a till; return the number of events."""
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
    """Return how many events another program sees."""
    try:
        return facts.stored(database)
    except (apsw.CantOpenError, apsw.SQLError, apsw.BusyError):  # it is being created
        return 0


def take(recording: Path, database: Path) -> dict[str, int]:
    """Run `trivox ingest`; return the figures that it prints."""
    done = forked.run("ingest", str(recording), "--database", str(database), limit_s=280)
    assert done.returncode == 0, done.stderr
    out = done.stdout
    return {name: int(count) for count, name in re.findall(r"(\d+) (events stored|known before|in conflict)", out)}


def killed_in_the_middle(recording: Path, folder: Path, events: int) -> tuple[Path, int]:
    """Run `trivox ingest` and kill it once some events are stored; return the database and its number of events."""
    for attempt in range(10):
        database = folder / f"killed-{attempt}.db"
        killed = forked.start("ingest", str(recording), "--database", str(database), log=folder / "killed.txt")
        os.setpriority(os.PRIO_PROCESS, killed.pid, 5)  # so that it is not over before it is killed
        wait_until("some events are stored", lambda: events_in(database), 240)  # noqa: B023
        killed.kill()
        killed.wait()
        if (before := events_in(database)) < events:
            return database, before
    raise AssertionError("each time it ended before it could be killed")


def test_killed_and_run_again_it_counts_nothing_twice(tmp_path: Path) -> None:
    recording, whole = tmp_path / "recorded.ndjson", tmp_path / "whole.db"
    events = record(recording, seeded("recorded"))
    database, before = killed_in_the_middle(recording, tmp_path, events)
    assert take(recording, database) == {"events stored": events - before, "known before": before, "in conflict": 0}
    assert take(recording, whole) == {"events stored": events, "known before": 0, "in conflict": 0}
    assert facts.content(database) == facts.content(whole)
