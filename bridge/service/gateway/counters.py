"""What a gateway counts of each port, over all boards that were ever there; read by any thread, for metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric


@dataclass
class Counters:
    """Of one port. `console` is who is connected to the broker now, as SITE/CONSOLE, or empty."""

    console: str = ""
    from_board: int = 0
    to_board: int = 0
    bad_lines: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    sessions: int = 0


class GatewayCollector:
    """Turns the counters into metrics, by port."""

    def __init__(self, ports: dict[str, Counters]) -> None:
        self._ports = ports

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        ports = sorted(self._ports.copy().items())
        connected = GaugeMetricFamily(
            "trivox_gateway_connected", "Whether a board is at the broker.", labels=["port", "console"]
        )
        messages = CounterMetricFamily("trivox_gateway_messages", "Messages passed on.", labels=["port", "way"])
        bad = CounterMetricFamily(
            "trivox_gateway_bad_lines", "Lines of boards that do not check, by reason.", labels=["port", "reason"]
        )
        dropped = CounterMetricFamily(
            "trivox_gateway_dropped_messages", "Messages that could not be passed on.", labels=["port", "reason"]
        )
        opened = CounterMetricFamily("trivox_gateway_port_openings", "How often it was plugged in.", labels=["port"])
        sessions = CounterMetricFamily("trivox_gateway_sessions", "Connections to the broker.", labels=["port"])
        for port, counted in ports:
            connected.add_metric([port, counted.console], bool(counted.console))
            messages.add_metric([port, "from_board"], counted.from_board)
            messages.add_metric([port, "to_board"], counted.to_board)
            for family, counts in ((bad, counted.bad_lines), (dropped, counted.dropped)):
                for reason, count in sorted(counts.copy().items()):
                    family.add_metric([port, reason], count)
            opened.add_metric([port], counted.opened)
            sessions.add_metric([port], counted.sessions)
        yield from (connected, messages, bad, dropped, opened, sessions)
