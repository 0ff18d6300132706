"""Measure how soon all events are stored when every console of a large chain reconnects at the same moment."""

from __future__ import annotations

import selectors
import socket
import struct
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import _lean_mqtt
from tests.benchmarks._running import running_bridge
from tests.benchmarks.figure import Figure
from tests.benchmarks.throughput import message
from tests.support import facts

if TYPE_CHECKING:
    from collections.abc import Iterator

CONSOLES = 10_000
EVENTS = 100
BATCH = 32
LIMIT_S = 90.0
MEMORY_MB = 512
CONNECTIONS = 200
"""How many connections play the consoles: the bridge is measured, not the machine's file descriptors."""


def figures() -> Iterator[Figure]:
    """Measure the rate of the storm, compared with that of consoles known before, and the bridge's peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_bridge(folder) as (broker, bridge):
            storm = _storm(broker.port, bridge.database, 1)
            steady = _storm(broker.port, bridge.database, EVENTS + 1)
            memory = _peak_mb(bridge.pid)
    note = f"{CONSOLES:,} consoles, {EVENTS} events each; the next {EVENTS} of each: {steady:,.0f} events/s"
    yield Figure(
        "consoles that reconnect at once, events/s",
        storm,
        "events/s",
        0.4 * steady,
        at_most=False,
        note=note,
    )
    yield Figure("… the bridge's peak memory", memory, "MB", MEMORY_MB, at_most=True, note=note)


def _packets(base: int) -> Iterator[tuple[int, bytes]]:
    """Yield each console with the packets of its batches."""
    for console in range(CONSOLES):
        sent = b""
        for number, start in enumerate(range(base, base + EVENTS, BATCH), 1):
            topic, payload = message(console, start, min(BATCH, base + EVENTS - start))
            sent += _lean_mqtt.publish(topic, payload, console // CONNECTIONS * 8 % 60_000 + number)
        yield console, sent


def _storm(port: int, database: Path, base: int) -> float:
    """Send everything as fast as the broker takes it; return the events a second until the last is acknowledged."""
    waiting = [bytearray() for _ in range(CONNECTIONS)]
    for console, sent in _packets(base):
        waiting[console % CONNECTIONS] += sent
    listener = _lean_mqtt.connect(port, "listener", "trivox/v1/+/+/ack")
    connections = [_lean_mqtt.connect(port, f"consoles-{number}") for number in range(CONNECTIONS)]
    started = time.monotonic()
    reached = _run(connections, waiting, listener, base + EVENTS - 1)
    seconds = time.monotonic() - started
    for connection in (*connections, listener):
        connection.close()
    stored = facts.stored(database)
    if reached < CONSOLES or stored != CONSOLES * (base + EVENTS - 1):
        raise RuntimeError(f"{reached} consoles answered, {stored} events stored")
    return CONSOLES * EVENTS / seconds


def _run(connections: list[socket.socket], waiting: list[bytearray], listener: socket.socket, through: int) -> int:
    """Send what waits and read every answer until all consoles are acknowledged; return how many are."""
    chosen = selectors.DefaultSelector()
    for connection, left in zip(connections, waiting, strict=True):
        connection.setblocking(False)  # noqa: FBT003 - as socket.socket has it
        chosen.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE, left)
    chosen.register(listener, selectors.EVENT_READ)
    done: set[bytes] = set()
    rest, end_s = b"", time.monotonic() + LIMIT_S
    while len(done) < CONSOLES and time.monotonic() < end_s:
        for key, mask in chosen.select(1):
            connection = key.fileobj
            if connection is listener:
                found, rest = _lean_mqtt.packets(rest + listener.recv(262_144))
                listener.sendall(_answers(found, done, through))
            elif isinstance(connection, socket.socket):
                _turn(chosen, connection, key.data, mask)
    return len(done)


def _turn(chosen: selectors.BaseSelector, connection: socket.socket, left: bytearray, mask: int) -> None:
    if mask & selectors.EVENT_READ:
        connection.recv(65_536)
    if mask & selectors.EVENT_WRITE:
        del left[: connection.send(left[:65_536])]
        if not left:
            chosen.modify(connection, selectors.EVENT_READ, left)


def _answers(found: list[tuple[int, bytes]], done: set[bytes], through: int) -> bytes:
    """Note which consoles are acknowledged through the last event; return the PUBACKs."""
    answers = b""
    wanted = b'"through":%d,' % through
    for head, body in found:
        if head & 0xF0 != _lean_mqtt.PUBLISH:
            continue
        (size,) = struct.unpack_from("!H", body)
        answers += b"\x40\x02" + body[2 + size : 4 + size]
        if wanted in body:
            done.add(body[2 : 2 + size])
    return answers


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
