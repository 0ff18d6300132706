"""Serves the bench's page on loopback: static files, and one WebSocket a tab with lines in and the journal out."""

import asyncio
import contextlib
import json
import re
import socket
import sys
import threading
import time
import webbrowser
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.bench.journal import Entry
from simulator.bench.language import Bench
from simulator.bench.session import Session
from simulator.errors import SimulatorError
from simulator.programs.children import EndError, free_port

PAGE = Path(__file__).with_name("page")
HOSTS = ["127.0.0.1", "localhost"]
LOOK_S = 0.2
HISTORY = 4000  # entries that a new tab gets
WAITING = 4000  # entries that a slow tab may be behind; it then has to come again
LINE_LIMIT = 2000
LATE_LIMIT_S = 2.0  # by which a touch may come late and still be as long as the finger made it
_RELEASE_WITH_TIME = re.compile(r"release \w+ \d{1,9}")  # by a finger: how long it was there, in ms
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Tabs:
    """All open tabs: they see one bench, and fingers on any of them press its buttons."""

    def __init__(self, session: Session, port: int) -> None:
        self._session = session
        self._bench = Bench(session, afresh=True)
        self._origins = {f"http://{host}:{port}" for host in HOSTS}
        # A finger never waits for a switch, and no switch for a line that was typed and takes its time.
        self._fingers: Counter[str] = Counter()  # how many tabs hold each button: it is let go with the last
        self._touches: dict[str, asyncio.Task[None]] = {}  # the last hold or release of each button
        self._closed_s: dict[str, float] = {}  # when its last hold was done
        self._lanes = {name: ThreadPoolExecutor(1, f"bench-{name}") for name in ("finger", "switch", "typed")}

    async def serve(self, tab: WebSocket) -> None:
        """One tab, until it goes; what it still holds is let go then."""
        if tab.headers.get("origin") not in self._origins:
            await tab.close(1008)
            return
        await tab.accept()
        held: set[str] = set()
        entries: asyncio.Queue[Entry] = asyncio.Queue()
        with self._listening(entries) as kept:
            await tab.send_text(self._hello(kept))
            sending = asyncio.create_task(self._send(tab, entries))
            try:
                await self._receive(tab, held)
            finally:
                sending.cancel()
                for button in [*held]:
                    if self._lets_go(button, held):
                        await self._touch(tab, button, "release")

    @contextlib.contextmanager
    def _listening(self, entries: asyncio.Queue[Entry]) -> Iterator[list[Entry]]:
        loop = asyncio.get_running_loop()

        def heard(entry: Entry) -> None:
            loop.call_soon_threadsafe(entries.put_nowait, entry)

        kept = self._session.journal.listen(heard, HISTORY)
        try:
            yield kept
        finally:
            self._session.journal.leave(heard)

    def _hello(self, kept: list[Entry]) -> str:
        session = self._session
        about = {"kind": "hello", "board": session.board, "site_id": session.site_id, "console_id": session.console_id}
        entries = [session.journal.message(entry) for entry in kept]
        now_ms = session.journal.wall_ms(time.monotonic())
        return json.dumps({**about, "now_ms": now_ms, "lamps": session.console.lamps(), "entries": entries})

    async def _send(self, tab: WebSocket, entries: asyncio.Queue[Entry]) -> None:
        while True:
            entry = await entries.get()
            if entries.qsize() > WAITING:
                await tab.close(1013)
                return
            await tab.send_text(json.dumps(self._session.journal.message(entry)))

    async def _receive(self, tab: WebSocket, held: set[str]) -> None:
        tasks: set[asyncio.Task[None]] = set()
        async for line in _lines(tab):
            words = line.removeprefix("> ").split()
            held_s = int(words.pop()) / 1000 if _RELEASE_WITH_TIME.fullmatch(line) else 0.0
            match words:
                case ["hold", button]:
                    self._fingers[button] += button not in held
                    held.add(button)
                    task = self._touch(tab, button, "hold")
                case ["release", button]:
                    if not self._lets_go(button, held):
                        continue
                    task = self._touch(tab, button, "release", held_s)
                case _:
                    lane = "typed" if line.startswith("> ") else "switch"
                    task = asyncio.create_task(self._obey(tab, line.removeprefix("> "), lane))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    def _touch(self, tab: WebSocket, button: str, what: str, held_s: float = 0.0) -> asyncio.Task[None]:
        """Hold or release a button, after what was done to it before, and release it no sooner than the finger did."""
        before = self._touches.get(button)

        async def touch() -> None:
            if before:
                await asyncio.wait([before])
            if what == "release":
                early_s = self._closed_s.get(button, 0.0) + held_s - time.monotonic()
                await asyncio.sleep(min(max(0.0, early_s), LATE_LIMIT_S))
            await self._obey(tab, f"{what} {button}", "finger")
            if what == "hold":
                self._closed_s[button] = time.monotonic()

        self._touches[button] = asyncio.create_task(touch())
        return self._touches[button]

    def _lets_go(self, button: str, held: set[str]) -> bool:
        """A tab's finger is taken off; is it the last one on that button?"""
        if button in held:
            held.discard(button)
            self._fingers[button] -= 1
        if self._fingers[button] > 0:
            return False
        del self._fingers[button]
        return True

    async def _obey(self, tab: WebSocket, line: str, lane: str) -> None:
        said: dict[str, Any] = {"kind": "said", "line": line}
        try:
            said["text"] = await asyncio.get_running_loop().run_in_executor(self._lanes[lane], self._bench.do, line)
        except EndError:
            return
        except SimulatorError as error:
            said = {"kind": "failed", "line": line, "sentence": str(error)}
        if said.get("text") is not None or lane == "typed" or said["kind"] == "failed":
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the tab has gone
                await tab.send_text(json.dumps(said))

    def close(self) -> None:
        """Nobody comes any more."""
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)


async def _lines(tab: WebSocket) -> AsyncIterator[str]:
    try:
        while True:
            line = await tab.receive_text()
            if len(line) <= LINE_LIMIT:
                yield line
    except (WebSocketDisconnect, KeyError):  # KeyError: bytes came
        return


class _Headers:
    """Puts our headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_on)


def application(tabs: Tabs) -> Starlette:
    """The page for this machine's own browsers, and no other site's."""
    return Starlette(
        routes=[WebSocketRoute("/bench", tabs.serve), Mount("/", StaticFiles(directory=PAGE, html=True))],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False), Middleware(_Headers)],
    )


class _Server(uvicorn.Server):
    """Leaves signals to `Children`, and calls `ready` when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def serve(session: Session, port: int, *, opens: bool) -> None:
    """Serve until the user wants the end; ProcessError if a program ends before."""
    port = free_port(port)
    tabs = Tabs(session, port)
    config = uvicorn.Config(
        application(tabs),
        host=HOSTS[0],
        port=port,
        ws="websockets-sansio",
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    address = f"http://{HOSTS[0]}:{port}/"

    def ready() -> None:
        sys.stdout.write(f"The bench is at {address} ; Ctrl-C ends it.\n")
        sys.stdout.flush()
        if opens:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    try:
        asyncio.run(_serve(session, _Server(config, ready)))
    finally:
        tabs.close()


async def _serve(session: Session, server: _Server) -> None:
    serving = asyncio.create_task(server.serve())
    try:
        while not serving.done():
            session.check()
            await asyncio.wait([serving], timeout=LOOK_S)
    except EndError:
        pass
    finally:
        server.should_exit = True
        await serving
