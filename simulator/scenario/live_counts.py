"""What tills and people counters of a live run tell, each figure until it is acknowledged."""

import asyncio
import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from simulator.oracle.facts import Count, World
from simulator.scenario.fleet_session import Login, Session
from simulator.scenario.site_day import count_message

AT_ONCE = 500
LIMIT_S = 120.0  # for the acknowledgement of those


class Teller:
    """Tells the figures of one site after the other, each source by a connection of its own."""

    def __init__(self, host: str, port: int, account: tuple[str | None, str | None], world: World) -> None:
        self._host, self._port, self._account = host, port, account
        self._world = world

    async def tell(self, counts: Iterable[tuple[int, Count]]) -> None:
        """Figures, each with the end of its interval; raises OSError or TimeoutError, and may then be called again."""
        by_source: dict[str, list[dict[str, Any]]] = {}
        for to_ms, count in counts:
            topic, payload = count_message(count, to_ms, self._world)
            by_source.setdefault(topic.removesuffix("counts"), []).append(payload)
        for prefix, payloads in by_source.items():
            await self._tell(prefix, payloads)

    async def _tell(self, prefix: str, payloads: list[dict[str, Any]]) -> None:
        waiting: set[str] = set()
        came = asyncio.Event()
        up = asyncio.Event()

        def heard(_leaf: str, payload: bytes) -> None:
            waiting.discard(json.loads(payload).get("id", ""))
            came.set()

        login = Login(prefix.strip("/").replace("/", "-"), prefix, b"", *self._account)
        session = Session(login, up.set, heard, lambda _why: None)
        await asyncio.get_running_loop().create_connection(lambda: session, self._host, self._port)
        try:
            rest = iter(payloads)
            async with asyncio.timeout(LIMIT_S):
                await up.wait()
            while some := list(islice(rest, AT_ONCE)):
                async with asyncio.timeout(LIMIT_S):
                    for payload in some:
                        waiting.add(payload["id"])
                        session.publish("counts", json.dumps(payload).encode())
                    while waiting:
                        came.clear()
                        await came.wait()
        finally:
            session.close()
