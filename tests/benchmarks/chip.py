"""Measure a console on an emulated RP2040, in the chip's time: its lamps and its loop while events wait and drain."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figure import Figure
from tests.chip import measure
from tests.chip.chip_shop import ChipShop, build_image, flash_console, put_in_service
from tests.support.seeds import seeded

WAITING_SURVEYS = 30
OUTAGE_EVENTS = 5000
LAMP_MS_MAX = 50
TURN_MS_MAX = 90  # writing a press to flash is one step, and may erase a sector
DRAIN_S_MAX = 30


def figures() -> Iterator[Figure]:
    """Measure a console that `trivox console flash` flashed, at a real gateway, broker and bridge."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = build_image(folder / "image", "stock_manifest.py")
        flashed = folder / "flashed"
        flash_console(flashed, image)
        put_in_service(flashed)
        yield from _resending(folder / "resending", flashed)
        yield from _draining(folder / "draining", flashed)


def _resending(folder: Path, flashed: Path) -> Iterator[Figure]:
    with ChipShop(folder, flashed, WAITING_SURVEYS) as shop:
        backlog = measure.resend(shop, seeded("benchmark of presses while surveys are sent again"))
    yield from _in_time(backlog, f"{WAITING_SURVEYS} surveys are sent again")


def _draining(folder: Path, flashed: Path) -> Iterator[Figure]:
    with ChipShop(folder, flashed, OUTAGE_EVENTS // 2) as shop:
        backlog = measure.drain(shop, OUTAGE_EVENTS, seeded("benchmark of presses while events drain"))
    title = f"chip: draining {OUTAGE_EVENTS:,} events after an outage"
    yield Figure(title, backlog.took_s, "s", DRAIN_S_MAX, at_most=True, note="from power-on")
    yield from _in_time(backlog, f"{OUTAGE_EVENTS:,} events drain")


def _in_time(backlog: measure.Backlog, when: str) -> Iterator[Figure]:
    lamps = f"median {backlog.delays.median:.0f} ms, {len(backlog.delays.all)} presses"
    worst = backlog.delays.worst
    yield Figure(f"chip: press to lamp while {when}, worst", worst, "ms", LAMP_MS_MAX, at_most=True, note=lamps)
    turn_ms = backlog.longest_turn_ms
    yield Figure(f"chip: longest turn of the loop while {when}", turn_ms, "ms", TURN_MS_MAX, at_most=True)
