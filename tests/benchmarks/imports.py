"""Measure how long acknowledgements wait while the running bridge takes in a large import."""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.benchmarks._running import running_bridge
from tests.benchmarks.figure import Figure
from tests.benchmarks.throughput import BATCH, CONSOLES, START_MS, message
from tests.support.programs import TRIVOX

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 190_000
EVENTS = 380_000  # of as many surveys as there are rows
PAUSE_S = 0.01  # between two messages of the console that is measured
SHARE = 0.1  # of the import's time: in one transaction it would be all of it
LIMIT_S = 600


def figures() -> Iterator[Figure]:
    """Measure the longest wait for an `ack` during each import, as a share of the time that the import takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_bridge(folder / "bridge") as (broker, bridge):
            for words, file in (
                (("ingest",), _recording(folder / "recorded.ndjson")),
                (("shift", "import"), _shifts(folder / "shifts.csv")),
                (("counts", "import"), _counts(folder / "counts.csv")),
            ):
                yield _longest_wait(broker.port, bridge.database, words, file)


def _longest_wait(port: int, database: Path, words: tuple[str, ...], file: Path) -> Figure:
    with _sending(port, words[0]) as waits:
        before_s = [waits.get() for _ in range(100)]
        began_s = time.monotonic()
        subprocess.run([TRIVOX, *words, file, "--database", database], check=True, timeout=LIMIT_S, capture_output=True)
        took_s = time.monotonic() - began_s
        during_s = [waits.get() for _ in range(waits.qsize())]
    name = f"longest wait for an `ack` during `trivox {' '.join(words)}` of {ROWS:,} rows, of the time that it takes"
    note = f"{max(during_s) * 1000:,.0f} ms of {took_s:.1f} s; without an import {max(before_s) * 1000:,.0f} ms"
    return Figure(name, max(during_s) / took_s, "", SHARE, at_most=True, note=note)


@contextmanager
def _sending(port: int, console: str) -> Iterator[queue.SimpleQueue[float]]:
    """Have a console send an event once the one before is acknowledged, again and again; yield how long each took."""
    waits: queue.SimpleQueue[float] = queue.SimpleQueue()
    acked, is_over = threading.Semaphore(0), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda *_: acked.release()
    client.connect("127.0.0.1", port)
    client.subscribe(f"trivox/v1/bench/{console}/ack", 1)
    client.loop_start()

    def send() -> None:
        seq = 0
        while not is_over.wait(PAUSE_S):
            seq += 1
            _, payload = message(0, seq, 1)
            sent_s = time.monotonic()
            client.publish(f"trivox/v1/bench/{console}/events", payload, qos=1)
            acked.acquire()
            waits.put(time.monotonic() - sent_s)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield waits
    finally:
        is_over.set()
        thread.join()
        client.loop_stop()


def _recording(file: Path) -> Path:
    """Record surveys of all consoles."""
    with file.open("w") as out:
        for console in range(CONSOLES):
            for base in range(1, EVENTS // CONSOLES, BATCH):
                topic, payload = message(console, base, BATCH)
                line = {"topic": topic, "payload": json.loads(payload), "received_at_ms": START_MS + base * 10_000}
                out.write(json.dumps(line, separators=(",", ":")) + "\n")
    return file


def _shifts(file: Path) -> Path:
    """Give each console shifts that cover its surveys, of 500 sellers in turn."""
    each = timedelta(milliseconds=10_000 * EVENTS // ROWS)
    lines = ["site_id,console_id,seller_id,seller_name,started_at,ended_at"]
    for console in range(CONSOLES):
        for number in range(ROWS // CONSOLES):
            started = datetime.fromtimestamp(START_MS / 1000, UTC) + number * each
            seller = f"s{(console + number) % 500}"
            times = f"{started.isoformat()},{(started + each).isoformat()}"
            lines.append(f"bench,till-{console},{seller},Seller {seller},{times}")
    file.write_text("\n".join(lines) + "\n")
    return file


def _counts(file: Path) -> Path:
    """Count visitors every 15 minutes at 10 doors."""
    lines = ["site_id,source_id,kind,from,to,count"]
    for door in range(10):
        for number in range(ROWS // 10):
            started = datetime.fromtimestamp(START_MS / 1000, UTC) + number * timedelta(minutes=15)
            ended = started + timedelta(minutes=15)
            lines.append(f"bench,door-{door},visitors,{started.isoformat()},{ended.isoformat()},3")
    file.write_text("\n".join(lines) + "\n")
    return file
