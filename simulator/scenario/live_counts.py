"""Publish the counts of a live run's tills and people counters, and wait until each is acknowledged."""

import asyncio
import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from simulator.oracle.facts import ReportSetup, TrueCount
from simulator.scenario.fleet_session import FleetSession, Login
from simulator.scenario.site_day import count_message

AT_ONCE = 500  # counts published before waiting for their acknowledgements
LIMIT_S = 120.0  # for these acknowledgements


class CountsPublisher:
    """Publishes the counts of one site after another, each source over its own connection."""

    def __init__(self, host: str, port: int, account: tuple[str | None, str | None], setup: ReportSetup) -> None:
        self._host, self._port, self._account = host, port, account
        self._setup = setup

    async def publish(self, counts: Iterable[TrueCount]) -> None:
        """Publish counts.

        Raises OSError or TimeoutError; it may then be called again with the same counts.
        """
        by_source: dict[str, list[dict[str, Any]]] = {}
        for count in counts:
            topic, payload = count_message(count, self._setup)
            by_source.setdefault(topic.removesuffix("counts"), []).append(payload)
        for prefix, payloads in by_source.items():
            await self._publish(prefix, payloads)

    async def _publish(self, prefix: str, payloads: list[dict[str, Any]]) -> None:
        unacknowledged: set[str] = set()
        acknowledged = asyncio.Event()
        up = asyncio.Event()

        def on_message(_leaf: str, payload: bytes) -> None:
            unacknowledged.discard(json.loads(payload).get("id", ""))
            acknowledged.set()

        login = Login(prefix.strip("/").replace("/", "-"), prefix, b"", *self._account)
        session = FleetSession(login, up.set, on_message, lambda _why: None)
        await asyncio.get_running_loop().create_connection(lambda: session, self._host, self._port)
        try:
            rest = iter(payloads)
            async with asyncio.timeout(LIMIT_S):
                await up.wait()
            while chunk := list(islice(rest, AT_ONCE)):
                async with asyncio.timeout(LIMIT_S):
                    for payload in chunk:
                        unacknowledged.add(payload["id"])
                        session.publish("counts", json.dumps(payload).encode())
                    while unacknowledged:
                        acknowledged.clear()
                        await acknowledged.wait()
        finally:
            session.close()
