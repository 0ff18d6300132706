"""Count what passes through each port of a gateway, over all boards that were ever there, for metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric


@dataclass
class PortCounters:
    """The counters of one port; `console` is the console now connected to the broker, as SITE/CONSOLE, or empty."""

    console: str = ""
    from_board: int = 0
    to_board: int = 0
    bad_lines: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    sessions: int = 0


class GatewayCollector:
    """Turns the counters into metrics, by port."""

    def __init__(self, ports: dict[str, PortCounters]) -> None:
        self._ports = ports

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        ports = sorted(self._ports.copy().items())
        connected = GaugeMetricFamily(
            "trivox_gateway_connected", "Whether a board is connected to the broker.", labels=["port", "console"]
        )
        messages = CounterMetricFamily("trivox_gateway_messages", "Messages passed on.", labels=["port", "way"])
        bad = CounterMetricFamily(
            "trivox_gateway_bad_lines", "Invalid lines from boards, by reason.", labels=["port", "reason"]
        )
        dropped = CounterMetricFamily(
            "trivox_gateway_dropped_messages", "Messages that could not be passed on.", labels=["port", "reason"]
        )
        opened = CounterMetricFamily("trivox_gateway_port_openings", "How often the port was opened.", labels=["port"])
        sessions = CounterMetricFamily("trivox_gateway_sessions", "Connections to the broker.", labels=["port"])
        for port, counters in ports:
            connected.add_metric([port, counters.console], bool(counters.console))
            messages.add_metric([port, "from_board"], counters.from_board)
            messages.add_metric([port, "to_board"], counters.to_board)
            for family, counts in ((bad, counters.bad_lines), (dropped, counters.dropped)):
                for reason, count in sorted(counts.copy().items()):
                    family.add_metric([port, reason], count)
            opened.add_metric([port], counters.opened)
            sessions.add_metric([port], counters.sessions)
        yield from (connected, messages, bad, dropped, opened, sessions)
