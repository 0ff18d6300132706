"""Measure ten thousand consoles of one process at a broker and the bridge, as fast as these take their events."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.scenario.live import allow_files
from simulator.scenario.live_console import LiveConsole, LiveContext
from simulator.scenario.run_folder import Run
from simulator.scenario.scenario import Scenario
from tests.benchmarks._running import running_bridge
from tests.benchmarks.figure import Figure
from tests.support import facts

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLES = 10_000
SITES = 2500
CONSOLE_KB = 80
SHARE = 0.2  # of the rate of people and firmware without a network
TABLES: dict[str, Any] = {
    "title": "Ten thousand consoles, an hour",
    "first_day": "2026-03-02",
    "days": 1,
    "site": [
        {
            "id": "shop",
            "count": SITES,
            "visitors": [0] * 9 + [120] + [0] * 14,
            "checkout_points": [
                {
                    "id": "till",
                    "count": CONSOLES // SITES,
                    "sellers": [{"id": "ann", "shifts": [{"start": "09:00", "end": "10:00"}]}],
                }
            ],
        }
    ],
}


class Played(NamedTuple):
    """The time until all events were acknowledged, and the growth of memory at its peak."""

    clock_s: float
    cpu_s: float
    memory_kb: int


def figures() -> Iterator[Figure]:
    """Measure how many are online at once, how fast their events are acknowledged, and the memory of each."""
    allow_files(CONSOLES)  # the broker's limit is this process's
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_bridge(folder) as (broker, bridge):
            words = [sys.executable, "-m", "tests.benchmarks.fleet_live", broker.url, str(folder / "run")]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
        played = Played(*json.loads(done.stdout))
        events = Run(folder / "run").events
        stored = facts.stored(bridge.database)
        online = sum(at_ms > 0 for at_ms in facts.consoles(bridge.database, "last_seen_at_ms"))
    if stored != events:
        raise RuntimeError(f"{events} events acknowledged, {stored} stored")
    yield Figure(
        "live consoles of one process, each connected until the end",
        online,
        "consoles",
        CONSOLES,
        at_most=False,
        note=f"{events:,} events acknowledged in {played.clock_s:.0f} s, broker and bridge on the same cores: "
        f"{events / played.clock_s:,.0f} a second",
    )
    rate_without_network = _rate_without_network()
    yield Figure(
        "… events a second of one core's time",
        events / played.cpu_s,
        "events/s",
        SHARE * rate_without_network,
        at_most=False,
        note=f"people and firmware without sending: {rate_without_network:,.0f}",
    )
    yield Figure(
        "… memory of a console with its connection",
        played.memory_kb / CONSOLES,
        "kB",
        CONSOLE_KB,
        at_most=True,
        note="at its peak, with waiting events and the sums for the expected reports",
    )


def _rate_without_network() -> float:
    """Return the events a second of the same people and consoles when nothing is sent."""
    plan = Scenario.of(TABLES).plan
    events, began = 0, time.process_time()
    with tempfile.TemporaryFile() as diary:
        context = LiveContext(plan, None, diary)
        for site in plan.sites[: SITES // 10]:
            for post in site.posts:
                console = LiveConsole(context, site, post)
                outbox = console.sender.console.outbox
                console.go_on()
                while outbox.waiting() and not console.ended:
                    events += outbox.waiting()
                    outbox.acknowledge(outbox.epoch, outbox.next - 1)
                    console.go_on()
    return events / (time.process_time() - began)


def _play(broker: str, folder: str) -> None:
    """Play the scenario in a process of its own, and print what it took."""
    scenario = Scenario.of(TABLES)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    took: list[float] = []

    def progress(_events: int, done: int) -> None:
        if done == CONSOLES and not took:
            took.extend((time.monotonic() - began_s, time.process_time() - began_cpu_s))

    scenario.play(broker, folder, progress=progress)
    json.dump([*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb], sys.stdout)


if __name__ == "__main__":
    _play(*sys.argv[1:])
