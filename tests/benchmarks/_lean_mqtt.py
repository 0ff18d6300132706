"""Speak a minimal MQTT 3.1.1 on bare sockets: the bridge is measured with it, and compared with it.

As a program: `python -m tests.benchmarks._lean_mqtt subscribe PORT COUNT` receives and acknowledges COUNT messages
and prints the seconds from the first to the last; `… publish PORT FILE WINDOW` sends the packets of a file.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from pathlib import Path

LENGTH_BITS = 7
PUBLISH, PUBACK = 0x30, 0x40


def packet(head: int, body: bytes) -> bytes:
    """Return a control packet."""
    length, size = b"", len(body)
    while True:
        size, low = size >> LENGTH_BITS, size & 127
        length += bytes([low | 128 if size else low])
        if not size:
            return bytes([head]) + length + body


def text(value: str) -> bytes:
    return struct.pack("!H", len(value)) + value.encode()


def publish(topic: str, payload: bytes, mid: int) -> bytes:
    """Return a PUBLISH with QoS 1."""
    return packet(PUBLISH | 2, text(topic) + struct.pack("!H", mid) + payload)


def connect(port: int, client_id: str, topic: str = "") -> socket.socket:
    """Connect with a clean session, and subscribe to `topic` if one is given."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x00" + text(client_id)))
    connection.recv(4)
    if topic:
        connection.sendall(packet(0x82, b"\x00\x01" + text(topic) + b"\x01"))
        connection.recv(5)
    return connection


def packets(buffer: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return (head, body) of the complete packets in a buffer, and the rest."""
    found, at, size = [], 0, len(buffer)
    while at + 2 <= size:
        length, shift, start = 0, 0, at + 1
        while start < size:
            byte = buffer[start]
            length |= (byte & 127) << shift
            start, shift = start + 1, shift + LENGTH_BITS
            if byte < 128:
                break
        else:
            break
        if start + length > size:
            break
        found.append((buffer[at], buffer[start : start + length]))
        at = start + length
    return found, buffer[at:]


def subscribe_bare(port: int, count: int) -> float:
    """Receive and acknowledge messages without doing anything with them; return the seconds from first to last."""
    connection = connect(port, "bare", "trivox/v1/+/+/events")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    left, taken, started = b"", 0, 0.0
    while taken < count:
        data = connection.recv(262_144)
        started = started or time.monotonic()
        found, left = packets(left + data)
        taken += len(found)
        answers = []
        for _, body in found:
            at = 2 + (body[0] << 8 | body[1])
            answers.append(b"\x40\x02" + body[at : at + 2])
        connection.sendall(b"".join(answers))
    return time.monotonic() - started


def publish_all(port: int, file: Path, window: int) -> None:
    """Send a file of packets, each after its length in four bytes, with at most `window` unacknowledged."""
    content, at, sent = file.read_bytes(), 0, []
    while at < len(content):
        (size,) = struct.unpack_from("!I", content, at)
        sent.append(content[at + 4 : at + 4 + size])
        at += 4 + size
    connection = connect(port, "publisher")
    done, going = 0, 0
    while done < len(sent):
        if going < len(sent) and going - done < window:
            upto = min(len(sent), done + window)
            connection.sendall(b"".join(sent[going:upto]))
            going = upto
        done += len(connection.recv(65_536)) // 4


if __name__ == "__main__":
    if sys.argv[1] == "subscribe":
        sys.stdout.write(f"{subscribe_bare(int(sys.argv[2]), int(sys.argv[3]))}\n")
    else:
        publish_all(int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
