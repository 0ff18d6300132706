"""Measure `trivox console list` of 10,000 consoles, compared with a plain reading of their rows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figure import Figure
from tests.support.programs import TRIVOX

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLES = 10_000
TIMES = 3


def _record(file: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    with file.open("w", encoding="utf-8") as lines:
        for number in range(CONSOLES):
            board = {"firmware": "1.0.0", "board": "esp32", "hardware_id": f"{number:012x}"}
            event = {"boot": 1, "up_ms": 1_000, "at_ms": now_ms, "type": "booted", "reset": "power_on", **board}
            health = {
                "epoch": f"{number:08x}",
                "at_ms": now_ms,
                "outbox": {"first": 2, "next": 2},
                "rssi": -61,
                **board,
            }
            batch = {"epoch": f"{number:08x}", "first": 1, "base": 1, "events": [event]}
            for leaf, payload in (("events", batch), ("health", health)):
                topic = f"trivox/v1/site-{number // 50}/till-{number % 50}/{leaf}"
                lines.write(json.dumps({"topic": topic, "payload": payload, "received_at_ms": now_ms}) + "\n")


def _took_s(*command: str) -> float:
    best_s = float("inf")
    for _ in range(TIMES):
        start_s = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
        best_s = min(best_s, time.perf_counter() - start_s)
    return best_s


def figures() -> Iterator[Figure]:
    """Measure how long the list takes, as a multiple of a plain reading."""
    with tempfile.TemporaryDirectory() as folder:
        database, recorded = Path(folder, "a.db"), Path(folder, "recorded.ndjson")
        _record(recorded)
        subprocess.run([TRIVOX, "ingest", recorded, "--database", database], check=True, capture_output=True)
        plain_s = _took_s(str(Path(sys.executable).with_name("sqlite-utils")), "rows", str(database), "console")
        list_s = _took_s(TRIVOX, "console", "list", "--database", str(database))
        note = f"{list_s:.2f} s; `sqlite-utils rows` {plain_s:.2f} s"
        yield Figure(
            "10,000 consoles listed, to reading their rows",
            list_s / plain_s,
            "",
            5,
            at_most=True,
            note=note,
        )
