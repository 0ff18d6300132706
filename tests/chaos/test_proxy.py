"""The proxy plays a bad network, and lets through exactly what was sent."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import Proxy, duplicate_of, packets

PING = b"\xc0\x00"
PUBLISH = b"\x32\x09\x00\x01t\x00\x07hello"[:2] + b"\x00\x01t\x00\x07hell"
LONG = b"\x32\xc8\x01" + b"\x00\x01t\x00\x08" + bytes(195)


@pytest.fixture
def far() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.fixture
def proxy(far: socket.socket) -> Iterator[Proxy]:
    with Proxy(far.getsockname()[1]) as made:
        yield made


def connected(proxy: Proxy, far: socket.socket) -> tuple[socket.socket, socket.socket]:
    near = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
    other, _ = far.accept()
    other.settimeout(60)
    return near, other


def receive(end: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count and (piece := end.recv(count - len(received))):
        received += piece
    return received


def test_packets_are_split_wherever_the_stream_is_cut() -> None:
    stream = PING + PUBLISH + LONG + PING
    for cut in range(len(stream)):
        buffer = bytearray(stream[:cut])
        found = list(packets(buffer))
        buffer += stream[cut:]
        assert [*found, *packets(buffer)] == [PING, PUBLISH, LONG, PING]
        assert not buffer


def test_only_packets_with_qos_1_are_duplicated_and_marked() -> None:
    assert duplicate_of(PUBLISH) == b"\x3a" + PUBLISH[1:]
    assert duplicate_of(b"\x30\x03\x00\x01t") is None
    assert duplicate_of(PING) is None


def test_it_passes_on_both_directions(proxy: Proxy, far: socket.socket) -> None:
    near, other = connected(proxy, far)
    with near, other:
        near.sendall(PUBLISH + LONG)
        assert receive(other, len(PUBLISH + LONG)) == PUBLISH + LONG
        other.sendall(PING)
        assert receive(near, 2) == PING


def test_it_doubles(proxy: Proxy, far: socket.socket) -> None:
    near, other = connected(proxy, far)
    with near, other:
        proxy.double(on=True)
        near.sendall(PING + PUBLISH)
        wanted = PING + PUBLISH + b"\x3a" + PUBLISH[1:]
        assert receive(other, len(wanted)) == wanted


def test_it_hangs_and_goes_on(proxy: Proxy, far: socket.socket) -> None:
    near, other = connected(proxy, far)
    with near, other:
        proxy.hang(on=True)
        near.sendall(PUBLISH)
        other.settimeout(0.3)
        with pytest.raises(TimeoutError):
            other.recv(1)
        proxy.hang(on=False)
        other.settimeout(60)
        assert receive(other, len(PUBLISH)) == PUBLISH


def test_it_delays(proxy: Proxy, far: socket.socket) -> None:
    near, other = connected(proxy, far)
    with near, other:
        proxy.delay(0.4)
        began_s = time.monotonic()
        near.sendall(PUBLISH)
        assert receive(other, len(PUBLISH)) == PUBLISH
        assert time.monotonic() - began_s >= 0.4


def test_it_cuts_within_a_packet_once(proxy: Proxy, far: socket.socket) -> None:
    near, other = connected(proxy, far)
    with near, other:
        proxy.cut()
        near.sendall(LONG + PING)
        found = receive(other, len(LONG))
        assert LONG.startswith(found)
        assert 0 < len(found) < len(LONG)
    near, other = connected(proxy, far)
    with near, other:
        near.sendall(LONG)
        assert receive(other, len(LONG)) == LONG


def test_without_a_target_it_closes_connections(proxy: Proxy, far: socket.socket) -> None:
    far.close()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as near:
        assert near.recv(1) == b""
