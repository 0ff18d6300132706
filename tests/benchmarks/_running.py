"""Run a broker and the bridge for a benchmark, as processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.programs import Bridge, Broker


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """Run a mosquitto in `folder`, which is made."""
    folder.mkdir(exist_ok=True)
    broker = Broker(folder, "mosquitto")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def running_bridge(folder: Path) -> Iterator[tuple[Broker, Bridge]]:
    """Run a mosquitto and the bridge at it, with its database in `folder`, which is made."""
    with running_broker(folder) as broker:
        bridge = Bridge(folder, broker)
        try:
            bridge.start()
            yield broker, bridge
        finally:
            bridge.stop()
