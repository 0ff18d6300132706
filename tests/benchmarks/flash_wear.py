"""Measure the outbox on flash: erases per 1,000 events, reads of an append, the time to drain 5,000 events."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from simulator.console.micropython import command
from tests.benchmarks.figure import Figure

FIRMWARE = Path(__file__).parents[2] / "firmware"
WORK = Path(__file__).parents[1] / "firmware" / "flash_work.py"
ERASES_MAX = 250
DRAIN_MS_MAX = 5000
HEAP_BYTES_MAX = 8000


def figures() -> Iterator[Figure]:
    """Measure on MicroPython (i386), LittleFS of 848 kB, events of 20 to 30 bytes, programs of 32 and 256 B."""
    for prog_size in (32, 256):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(
                [*command("i386"), str(WORK), "wear", str(prog_size)],
                cwd=folder,
                env={"MICROPYPATH": f".frozen:{FIRMWARE}"},
                capture_output=True,
                check=True,
            )
        found = json.loads(run.stdout)
        for name in ("acknowledged", "32 behind", "offline"):
            title = f"flash erases per 1,000 events, {name}, program {prog_size} B"
            longest = f"the longest append took {found[f'reads, {name}']:,} reads"
            yield Figure(title, found[f"erases, {name}"], "", ERASES_MAX, at_most=True, note=longest)
        title = f"outbox: read and delete 5,000 events, program {prog_size} B"
        yield Figure(title, found["drain ms"], "ms", DRAIN_MS_MAX, at_most=True)
        title = f"outbox: open with 5,000 events, program {prog_size} B"
        yield Figure(title, found["open ms"], "ms", 500, at_most=True)
        title = f"outbox: heap with 5,000 events, program {prog_size} B"
        yield Figure(title, found["heap bytes"], "B", HEAP_BYTES_MAX, at_most=True)
