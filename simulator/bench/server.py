"""Serve the bench's page on loopback: static files, and per tab one WebSocket with lines in and the journal out."""

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

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.bench.journal import JournalEntry
from simulator.bench.language import Bench
from simulator.bench.session import BenchSession
from simulator.bench.words import LINE_LIMIT, WORD_LIMIT
from simulator.errors import SimulatorError
from simulator.programs.children import EndError

PAGE = Path(__file__).with_name("page")
HOSTS = ["127.0.0.1", "localhost"]
LOOK_S = 0.2
HISTORY = 4000  # entries that a new tab receives
WAITING = 4000  # entries that a slow tab may be behind; beyond that it has to reconnect
ALIVE_S = 1.0  # a tab hears from the bench at least so often, or takes it for gone
LATE_LIMIT_S = 2.0  # how late a touch may arrive and still last as long as the finger's
_RELEASE_WITH_TIME = re.compile(r"release \w+ \d{1,9}")  # from a finger: how long it pressed, in ms
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Tabs:
    """All open tabs: they show one bench, and fingers on any of them press its buttons."""

    def __init__(self, session: BenchSession, port: int) -> None:
        self._session = session
        self._bench = Bench(session, by_hand=True)
        self._origins = {f"http://{host}:{port}" for host in HOSTS}
        self._fingers: Counter[str] = Counter()  # how many tabs hold each button: it is released with the last
        self._touches: dict[str, asyncio.Task[None]] = {}  # the last hold or release of each button
        self._closed_s: dict[str, float] = {}  # when its last hold was done
        # Three threads, so that a finger never waits for a switch, and no switch for a typed line that takes long.
        self._lanes = {name: ThreadPoolExecutor(1, f"bench-{name}") for name in ("finger", "switch", "typed")}

    async def serve(self, tab: WebSocket) -> None:
        """Serve one tab until it closes; the buttons that it still holds are released then."""
        if tab.headers.get("origin") not in self._origins:
            await tab.close(1008)
            return
        await tab.accept()
        held: set[str] = set()
        entries: asyncio.Queue[JournalEntry] = asyncio.Queue()
        with self._listening(entries) as history:
            await tab.send_text(self._hello(history))
            sending = asyncio.create_task(self._send(tab, entries))
            try:
                await self._receive(tab, held)
            finally:
                sending.cancel()
                for button in [*held]:
                    if self._is_last_finger(button, held):
                        await self._touch(tab, button, "release")

    @contextlib.contextmanager
    def _listening(self, entries: asyncio.Queue[JournalEntry]) -> Iterator[list[JournalEntry]]:
        """Put new journal entries into the queue during the block, which is given the history."""
        loop = asyncio.get_running_loop()

        def on_entry(entry: JournalEntry) -> None:
            loop.call_soon_threadsafe(entries.put_nowait, entry)

        history = self._session.journal.listen(on_entry, HISTORY)
        try:
            yield history
        finally:
            self._session.journal.leave(on_entry)

    def _hello(self, history: list[JournalEntry]) -> str:
        session = self._session
        about = {"kind": "hello", "board": session.board, "site_id": session.site_id, "console_id": session.console_id}
        entries = [session.journal.message(entry) for entry in history]
        now_ms = session.journal.wall_ms(time.monotonic())
        return json.dumps({**about, "now_ms": now_ms, "lamps": session.console.lamps(), "entries": entries})

    async def _send(self, tab: WebSocket, entries: asyncio.Queue[JournalEntry]) -> None:
        journal = self._session.journal
        while True:
            try:
                message = journal.message(await asyncio.wait_for(entries.get(), ALIVE_S))
            except TimeoutError:
                message = {"kind": "alive", "now_ms": journal.wall_ms(time.monotonic())}
            if entries.qsize() > WAITING:
                await tab.close(1013)
                return
            await tab.send_text(json.dumps(message))

    async def _receive(self, tab: WebSocket, held: set[str]) -> None:
        tasks: set[asyncio.Task[None]] = set()
        async for line in _lines(tab):
            words = line.split()
            held_s = int(words.pop()) / 1000 if _RELEASE_WITH_TIME.fullmatch(line) else 0.0
            match words:
                case ["hold", button]:
                    self._fingers[button] += button not in held
                    held.add(button)
                    task = self._touch(tab, button, "hold")
                case ["release", button]:
                    if not self._is_last_finger(button, held):
                        continue
                    task = self._touch(tab, button, "release", held_s)
                case [">", *_]:
                    task = asyncio.create_task(self._obey_typed(line.removeprefix(">").strip()))
                case _:
                    task = asyncio.create_task(self._obey(tab, line, "switch"))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    def _touch(self, tab: WebSocket, button: str, action: str, held_s: float = 0.0) -> asyncio.Task[None]:
        """Hold or release a button once its last touch is done; a press lasts no less than the finger's `held_s`."""
        before = self._touches.get(button)

        async def touch() -> None:
            if before:
                await asyncio.wait([before])
            if action == "release":
                early_s = self._closed_s.get(button, 0.0) + held_s - time.monotonic()
                await asyncio.sleep(min(max(0.0, early_s), LATE_LIMIT_S))
            await self._obey(tab, f"{action} {button}", "finger")
            if action == "hold":
                self._closed_s[button] = time.monotonic()

        self._touches[button] = asyncio.create_task(touch())
        return self._touches[button]

    def _is_last_finger(self, button: str, held: set[str]) -> bool:
        """Take a tab's finger off a button; return whether no other tab holds it."""
        if button in held:
            held.discard(button)
            self._fingers[button] -= 1
        if self._fingers[button] > 0:
            return False
        del self._fingers[button]
        return True

    async def _obey(self, tab: WebSocket, line: str, lane: str) -> None:
        """Obey a finger or a switch; its own tab alone is told if that fails."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._lanes[lane], self._bench.do, line, lane)
        except EndError:
            return
        except SimulatorError as error:
            answer = {"kind": "refused", "line": line, "sentence": str(error)}
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the tab has closed
                await tab.send_text(json.dumps(answer))

    async def _obey_typed(self, line: str) -> None:
        with contextlib.suppress(EndError):
            await asyncio.get_running_loop().run_in_executor(self._lanes["typed"], self._answer, line)

    def _answer(self, line: str) -> None:
        """Obey a typed line: all tabs show it, right or wrong, and what came of it."""
        journal = self._session.journal
        journal.write("typed", line=line if len(line) <= LINE_LIMIT else f"{line[:WORD_LIMIT]}…")
        try:
            text = self._bench.do(line, "typed")
        except EndError:
            raise
        except SimulatorError as error:
            journal.write("failed", sentence=str(error))
        else:
            journal.write("answered", text=text or "done")

    def close(self) -> None:
        """Stop obeying lines."""
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)


async def _lines(tab: WebSocket) -> AsyncIterator[str]:
    try:
        while True:
            yield await tab.receive_text()
    except (WebSocketDisconnect, KeyError):  # KeyError: bytes came
        return


class _Headers:
    """Middleware that adds the bench's headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_on)


def application(tabs: Tabs) -> Starlette:
    """Return the page's application, which serves this machine's browsers and refuses pages of other sites."""
    return Starlette(
        routes=[WebSocketRoute("/bench", tabs.serve), Mount("/", StaticFiles(directory=PAGE, html=True))],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False), Middleware(_Headers)],
    )


class _Server(uvicorn.Server):
    """A server that leaves signals to `Children`, and calls `ready` when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then call `ready`."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield


def serve(session: BenchSession, port: int, *, opens: bool) -> None:
    """Serve the page until the user ends it, opening a browser if `opens`; raises ProcessError if a program ends."""
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
        sys.stdout.write(f"The bench is at {address} - press Ctrl-C to end it.\n")
        sys.stdout.flush()
        if opens:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    try:
        asyncio.run(_serve(session, _Server(config, ready)))
    finally:
        tabs.close()


async def _serve(session: BenchSession, server: _Server) -> None:
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
