"""Play a bad network between MQTT peers: a proxy that delays, hangs, cuts within a packet, and sends packets twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Self

PIECE = 65_536
PUBLISH, QOS_MASK, DUP = 0x30, 0x06, 0x08
CLOSE_S = 120.0


def packets(stream: bytearray) -> Iterator[bytes]:
    """Take the complete MQTT packets from the front of `stream`, one after another."""
    while len(stream) > 1:
        length, shift, at = 0, 0, 1
        while at < len(stream):
            length |= (stream[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if stream[at - 1] < 0x80:
                break
        else:
            return  # the length is not complete yet
        if len(stream) < at + length:
            return
        yield bytes(stream[: at + length])
        del stream[: at + length]


def duplicate_of(packet: bytes) -> bytes | None:
    """Return the packet as a sender that missed its PUBACK repeats it; None for a packet without acknowledgement."""
    if packet[0] & 0xF0 == PUBLISH and packet[0] & QOS_MASK:
        return bytes((packet[0] | DUP,)) + packet[1:]
    return None


class Proxy:
    """A proxy from `port` of loopback to the port `target` there; any thread may call its methods."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._delay_s = 0.0
        self._doubles = False
        self._cuts = 0
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._calm = asyncio.Event()
        self._calm.set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def delay(self, seconds: float) -> None:
        """Hold back every piece for some seconds, or no longer (0)."""
        self._soon(self._set_delay, seconds)

    def double(self, *, on: bool) -> None:
        """Send every PUBLISH with QoS 1 twice."""
        self._soon(self._set_doubles, on)

    def hang(self, *, on: bool) -> None:
        """Let nothing through, without closing anything; what waits goes through afterwards."""
        self._soon(self._calm.clear if on else self._calm.set)

    def cut(self) -> None:
        """Cut the next stream that carries a packet, in the middle of it."""
        self._soon(self._set_cut)

    def close(self) -> None:
        """End the proxy and all its connections."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        self._loop.close()

    def _soon(self, act: Callable[..., None], *arguments: Any) -> None:
        self._loop.call_soon_threadsafe(act, *arguments)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CLOSE_S)

    def _set_delay(self, seconds: float) -> None:
        self._delay_s = seconds

    def _set_doubles(self, on: bool) -> None:  # noqa: FBT001 - called by the loop
        self._doubles = on

    def _set_cut(self) -> None:
        self._cuts = 1

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, far_writer)
        self._links.add(link)
        try:
            await asyncio.gather(self._pump(reader, far_writer, link), self._pump(far_reader, writer, link))
        except asyncio.CancelledError:
            pass  # the proxy ends
        finally:
            link.abort()
            self._links.discard(link)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link) -> None:
        stream = bytearray()
        try:
            while piece := await reader.read(PIECE):
                await self._calm.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                stream += piece
                for packet in packets(stream):
                    if not link.is_cut:
                        self._pass_on(packet, writer, link)
                await writer.drain()
        except OSError:
            pass  # cut by the proxy or by one end
        link.abort()

    def _pass_on(self, packet: bytes, writer: asyncio.StreamWriter, link: _Link) -> None:
        if self._cuts:
            self._cuts = 0
            writer.write(packet[: max(1, len(packet) // 2)])
            link.cut()
            return
        writer.write(packet)
        copy = duplicate_of(packet) if self._doubles else None
        if copy:
            writer.write(copy)


class _Link:
    """The two ends of a stream."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self._writers = writers
        self.is_cut = False

    def cut(self) -> None:
        """Close both ends, once everything written so far is sent."""
        self.is_cut = True
        for writer in self._writers:
            writer.close()

    def abort(self) -> None:
        for writer in self._writers:
            if not writer.transport.is_closing():
                writer.transport.abort()
