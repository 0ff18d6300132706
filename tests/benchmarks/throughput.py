"""Measure how many events a second the bridge stores durably through mosquitto, and how soon it acknowledges one."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from tests.benchmarks import _lean_mqtt
from tests.benchmarks._running import running_bridge, running_broker
from tests.benchmarks.figure import Figure
from tests.support import facts
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLES = 50
ONE_BY_ONE = 60_000
IN_BATCHES = 240_000
BATCH = 32
WINDOW = 1_000
LIMIT_S = 120.0
STEADY_RATE = 1_000
STEADY_S = 6
START_MS = 1_763_780_000_000


def event(seq: int) -> dict[str, object]:
    """Return an opening for an odd number, and its close for the next."""
    up_ms = seq * 10_000
    base = {"boot": 17, "up_ms": up_ms, "at_ms": START_MS + up_ms}
    question = {"question_id": "staff", "question_revision": 3}
    if seq % 2:
        return {**base, "type": "survey_opened", **question}
    more = {"survey": seq - 1, "opened_up_ms": up_ms - 10_000, **question, "outcome": "yes", "cause": "answered"}
    return {**base, "type": "survey_closed", **more, "response_ms": 8785}


def message(console: int, base: int, count: int) -> tuple[str, bytes]:
    """Return (topic, payload) of a batch."""
    events = [event(seq) for seq in range(base, base + count)]
    batch = {"epoch": "9f2c1ab0", "first": 1, "base": base, "events": events}
    return f"trivox/v1/bench/till-{console}/events", json.dumps(batch, separators=(",", ":")).encode()


def messages(events: int, batch: int) -> list[tuple[str, bytes]]:
    """Return messages of all consoles in turn."""
    rounds = events // CONSOLES // batch
    return [message(console, 1 + turn * batch, batch) for turn in range(rounds) for console in range(CONSOLES)]


def write_packets(file: Path, sent: list[tuple[str, bytes]]) -> None:
    with file.open("wb") as out:
        for index, (topic, payload) in enumerate(sent):
            packet = _lean_mqtt.publish(topic, payload, index % 65_535 + 1)
            out.write(struct.pack("!I", len(packet)) + packet)


def figures() -> Iterator[Figure]:
    """Measure durable events a second, one and 32 in a message, and publish to `ack`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _one_a_message(folder)
        yield from _many_a_message(folder)
        yield from _publish_to_ack(folder)


def _one_a_message(folder: Path) -> Iterator[Figure]:
    write_packets(folder / "one", messages(ONE_BY_ONE, 1))
    with running_broker(folder / "bare") as broker:
        bare = _bare_rate(broker.port, folder / "one", ONE_BY_ONE)
    with running_bridge(folder / "one-bridge") as (broker, bridge):
        rate = _durable_rate(broker.port, folder / "one", bridge.database, ONE_BY_ONE)
    name = "durable events a second, one a message"
    yield Figure(name, rate, "events/s", 0.4 * bare, at_most=False, note=f"a bare socket subscriber takes {bare:,.0f}")


def _many_a_message(folder: Path) -> Iterator[Figure]:
    sent = messages(IN_BATCHES, BATCH)
    count = len(sent) * BATCH
    write_packets(folder / "many", sent)
    with running_bridge(folder / "many-bridge") as (broker, bridge):
        rate = _durable_rate(broker.port, folder / "many", bridge.database, count)
    bare = _bare_inserts(folder / "bare.db", bridge.database, count)
    name = f"durable events a second, {BATCH} a message"
    note = f"SQLite inserting the same rows bare: {bare:,.0f}, which makes {rate / bare:.2f}"
    yield Figure(name, rate, "events/s", 30_000, at_most=False, note=note)


def _bare_rate(port: int, file: Path, count: int) -> float:
    words = [sys.executable, "-m", "tests.benchmarks._lean_mqtt"]
    subscriber = subprocess.Popen([*words, "subscribe", str(port), str(count)], stdout=subprocess.PIPE, text=True)
    if subscriber.stdout is None:
        raise RuntimeError
    subscriber.stdout.readline()
    publisher = subprocess.Popen([*words, "publish", str(port), str(file), str(WINDOW)])
    seconds = float(subscriber.stdout.readline())
    publisher.wait()
    subscriber.wait()
    return count / seconds


def _durable_rate(port: int, file: Path, database: Path, count: int) -> float:
    words = [sys.executable, "-m", "tests.benchmarks._lean_mqtt"]
    reader = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)

    def rows() -> int:
        return facts.newest(reader)

    publisher = subprocess.Popen([*words, "publish", str(port), str(file), str(WINDOW)])
    wait_until("the first rows are stored", lambda: rows() > 0, LIMIT_S)
    started, before = time.monotonic(), rows()
    wait_until("all rows are stored", lambda: rows() >= count, LIMIT_S)
    seconds = time.monotonic() - started
    publisher.wait()
    reader.close()
    return (count - before) / seconds


def _bare_inserts(file: Path, filled: Path, count: int) -> float:
    """Insert the same rows into the same table with its UNIQUE constraint, 1,000 in a transaction, as durably."""
    connection = apsw.Connection(str(file))
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    connection.execute("ATTACH ? AS done", (str(filled),))
    table = connection.execute("SELECT sql FROM done.sqlite_schema WHERE name = 'event'").fetchall()[0][0]
    rows = connection.execute("SELECT * FROM done.event LIMIT ?", (count,)).fetchall()
    connection.execute("DETACH done")
    connection.execute(table.replace("REFERENCES epoch", ""))
    places = ", ".join("?" * len(rows[0]))
    started = time.monotonic()
    for start in range(0, len(rows), 1_000):
        with connection:
            connection.executemany(f"INSERT INTO event VALUES ({places})", rows[start : start + 1_000])
    return count / (time.monotonic() - started)


def _publish_to_ack(folder: Path) -> Iterator[Figure]:
    with running_bridge(folder / "ack-bridge") as (broker, _):
        delays = sorted(_delays_ms(broker.port))
    note = f"{STEADY_RATE} messages a second for {STEADY_S} s"
    for share, limit in ((0.5, 3.0), (0.99, 15.0)):
        value = delays[int(share * (len(delays) - 1))]
        yield Figure(f"publish to ack, p{share * 100:.0f}", value, "ms", limit, at_most=True, note=note)


def _delays_ms(port: int) -> list[float]:
    """Publish at a steady rate; return how long each message waits for an `ack` that covers it."""
    connection = _lean_mqtt.connect(port, "steady", "trivox/v1/+/+/ack")
    connection.settimeout(0)
    sent_at: dict[tuple[str, int], float] = {}
    waiting: dict[str, int] = {}
    delays: list[float] = []
    left, total, sent, started = b"", STEADY_RATE * STEADY_S, 0, time.monotonic()
    while len(delays) < total and time.monotonic() < started + LIMIT_S:
        due = min(total, int((time.monotonic() - started) * STEADY_RATE))
        while sent < due:
            topic, payload = message(sent % CONSOLES, 1 + sent // CONSOLES, 1)
            console = topic.removesuffix("/events")
            sent_at[console, 1 + sent // CONSOLES] = time.monotonic()
            connection.sendall(_lean_mqtt.publish(topic, payload, sent % 65_535 + 1))
            sent += 1
        try:
            found, left = _lean_mqtt.packets(left + connection.recv(65_536))
        except BlockingIOError:
            time.sleep(0.0002)
            continue
        now = time.monotonic()
        for head, body in found:
            if head & 0xF0 == _lean_mqtt.PUBLISH:
                delays += _covered(body, now, sent_at, waiting)
                at = 2 + (body[0] << 8 | body[1])
                connection.sendall(b"\x40\x02" + body[at : at + 2])
    return delays


def _covered(
    body: bytes, now: float, sent_at: dict[tuple[str, int], float], waiting: dict[str, int]
) -> Iterator[float]:
    """Yield the delays of the messages that this ack is the first to cover."""
    size = body[0] << 8 | body[1]
    console = body[2 : 2 + size].decode().removesuffix("/ack")
    through = json.loads(body[4 + size :])["through"]
    for seq in range(waiting.get(console, 1), through + 1):
        yield (now - sent_at[console, seq]) * 1000
    waiting[console] = max(waiting.get(console, 1), through + 1)
