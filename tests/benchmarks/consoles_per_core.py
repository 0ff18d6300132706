"""Measure how many simulated consoles one core can run, each with one press a minute, and then run that many on one.

A console uses its own process (MicroPython, firmware, stand-ins) and some of this process. A core counts as full at
70 %: above that, the queue grows faster than the work done. With that many consoles on one core, a press must still
light its lamp as fast as on a board.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.ops.flash.compile import compile_firmware
from simulator import Console
from simulator.programs import Bridge, Broker
from tests.benchmarks.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = 12
MINUTE_S = 60.0
FULL = 0.7
PER_CORE_MIN = 25
"""`trivox run --consoles 50`, its maximum, on a machine with two cores."""
LAMP_MS_MAX = 50
SETTLED_S = 15.0
"""By then consoles have started, connected and applied their first settings."""


def figures() -> Iterator[Figure]:
    """Measure how many consoles fit on a core, and press to lamp with that many on one core."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = Broker(folder)
        bridge = Bridge(folder, broker)
        for program in (broker, bridge):
            program.start()
            stack.callback(program.stop)
        firmware = compile_firmware(folder / "firmware")
        with ExitStack() as running:
            sample = _start(running, folder / "sample", firmware, bridge, broker, SAMPLE)
            share, memory_mb = _usage(sample)
        per_core = int(FULL / share)
        note = f"{100 * share:.2f} % of a core and {memory_mb:.1f} MB each; a core is full at {FULL:.0%}"
        yield Figure(
            "simulated consoles a core, one press a minute each",
            per_core,
            "",
            PER_CORE_MIN,
            at_most=False,
            note=note,
        )
        with ExitStack() as running:
            consoles = _start(running, folder / "full", firmware, bridge, broker, per_core)
            core = _pin(consoles)
            delays = sorted(_press_for_a_minute(consoles))
    note = f"p50 {delays[len(delays) // 2]:.1f} ms, worst {delays[-1]:.1f} ms; core {core}, {len(delays)} presses"
    p95 = delays[len(delays) * 95 // 100]
    yield Figure("… press to lamp with that many on one core, p95", p95, "ms", LAMP_MS_MAX, at_most=True, note=note)


def _start(stack: ExitStack, folder: Path, firmware: Path, bridge: Bridge, broker: Broker, count: int) -> list[Console]:
    """Start consoles, which run until `stack` closes; return them once they are connected and idle."""
    names = [f"till-{number}" for number in range(count)]
    site_id = folder.name
    consoles = [
        stack.enter_context(
            Console(folder / name, site_id=site_id, console_id=name, broker=broker.url, firmware=firmware)
        )
        for name in names
    ]
    for name in names:
        bridge.wait_for_console(f"{site_id}/{name}")
    time.sleep(SETTLED_S)
    return consoles


def _usage(consoles: list[Console]) -> tuple[float, float]:
    """Return the share of a core that one console uses in a minute with one press, and its memory (MB)."""
    before_s, started_s = sum(map(_cpu_s, consoles)) + time.process_time(), time.monotonic()
    _press_for_a_minute(consoles)
    used_s = sum(map(_cpu_s, consoles)) + time.process_time() - before_s
    memory_kb = sum(_field(console, "status", "VmRSS:") for console in consoles)
    return used_s / (time.monotonic() - started_s) / len(consoles), memory_kb / 1024 / len(consoles)


def _press_for_a_minute(consoles: list[Console]) -> list[float]:
    """Press once at each console, spread over a minute; return how long the lamp took each time, in ms."""
    begun = [len(console.changes()) for console in consoles]
    started_s = time.monotonic()
    for number, console in enumerate(consoles, 1):
        console.press("seller")
        time.sleep(max(0.0, started_s + number * MINUTE_S / len(consoles) - time.monotonic()))
    return [_delay_ms(console, since) for console, since in zip(consoles, begun, strict=True)]


def _delay_ms(console: Console, since: int) -> float:
    changes = [change for change in console.changes()[since:] if change.name == "seller" and change.on]
    pressed_s = next(change.at_s for change in changes if change.kind == "button")
    return 1000 * next(
        change.at_s - pressed_s for change in changes if change.kind == "lamp" and change.at_s >= pressed_s
    )


def _pin(consoles: list[Console]) -> int:
    """Put all consoles on the last core that this process may use; return its number."""
    core = max(os.sched_getaffinity(0))
    for console in consoles:
        os.sched_setaffinity(console.pid, {core})
    return core


def _cpu_s(console: Console) -> float:
    """Return the seconds of processor time that its process has used, in user and kernel mode."""
    fields = Path(f"/proc/{console.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _field(console: Console, file: str, name: str) -> int:
    text = Path(f"/proc/{console.pid}/{file}").read_text(encoding="ascii")
    return int(text.partition(name)[2].split()[0])
