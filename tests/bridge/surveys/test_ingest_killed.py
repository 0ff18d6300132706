"""`trivox ingest` killed in the middle takes in all of a recording or nothing; the next time takes in the rest."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import apsw
import pytest

from tests.bridge.histories import History
from tests.support import facts, forked
from tests.support.command import output_of
from tests.support.programs import TRIVOX, wait_until
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.shop import RealShop

EVENTS = 3_000


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


def take(recording: Path, database: Path) -> dict[str, int]:
    """Run `trivox ingest`; return the figures that it prints."""
    out = output_of("ingest", str(recording), "--database", str(database))
    return {name: int(count) for count, name in re.findall(r"(\d+) (events stored|known before|in conflict)", out)}


def events_in(database: Path) -> int:
    """Return how many events another program sees."""
    try:
        return facts.stored(database)
    except (apsw.CantOpenError, apsw.SQLError, apsw.BusyError, apsw.ReadOnlyError):  # it is being created
        return 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_command_ended_in_the_middle_has_taken_in_all_or_nothing(tmp_path: Path, number: signal.Signals) -> None:
    recording, database, whole = tmp_path / "recorded.ndjson", tmp_path / "trivox.db", tmp_path / "whole.db"
    events = record(recording, seeded("recorded"))
    ended = forked.start("ingest", str(recording), "--database", str(database), log=tmp_path / "ended.txt")
    wait_until("it writes", database.exists)
    ended.send_signal(number)
    is_done = ended.wait(60) == 0
    assert events_in(database) == (events if is_done else 0)
    taken = take(recording, database)
    assert taken["events stored"] == (0 if is_done else events)
    assert taken["in conflict"] == 0
    assert take(recording, whole) == {"events stored": events, "known before": 0, "in conflict": 0}
    assert facts.content(database) == facts.content(whole)


def test_a_bridge_killed_in_the_middle_takes_in_all_or_nothing(shop: RealShop) -> None:
    recording, whole = shop.folder / "recorded.ndjson", shop.folder / "whole.db"
    events = record(recording, seeded("recorded"))
    shop.start_bridge()
    command = forked.start("ingest", str(recording), "--database", str(shop.database), log=shop.folder / "command.txt")
    wait_until("it is under way", lambda: facts.import_leftovers(shop.database) or shop.stored())
    shop.stop_bridge(signal.SIGKILL)
    assert (command.wait(60) == 0) == ("events stored" in (shop.folder / "command.txt").read_text())
    shop.start_bridge()
    wait_until("nothing is left to do", lambda: not facts.import_leftovers(shop.database))
    assert shop.stored() in {0, events}
    assert shop.trivox("ingest", str(recording)).returncode == 0
    take(recording, whole)
    assert facts.content(shop.database) == facts.content(whole)


def test_a_running_bridge_takes_in_a_pipe(shop: RealShop) -> None:
    """It cannot read the command's pipe, nor find its relative paths."""
    recording = shop.folder / "recorded.ndjson"
    events = record(recording, seeded("recorded"))
    shop.start_bridge()
    for source, known in (("<(cat recorded.ndjson)", 0), ("recorded.ndjson", events), ("- < recorded.ndjson", events)):
        command = f"cd {shop.folder} && {TRIVOX} ingest {source} --database {shop.database}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert f"{events - known} events stored, {known} known before" in done.stdout, done
    done = subprocess.run(
        [TRIVOX, "ingest", "-", "--database", str(shop.database)], input=b"{}\n", capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"standard input holds no recorded message: line 1 " in done.stderr
