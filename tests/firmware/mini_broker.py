"""A minimal MQTT broker for one console, with a model of the bridge; each answer is sent in one piece."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

from bridge_model import ModelBridge

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ = 1, 3, 4, 8, 12
PREFIX = "trivox/v1/demo/till-1/"


class MiniBroker:
    """A broker on `port`. `bridge` holds all events; `health` is the newest."""

    def __init__(self) -> None:
        self.bridge = ModelBridge()
        self.health: dict[str, Any] = {}
        self.sessions = 0
        self.errors: list[BaseException] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    self._session(peer)
                except (OSError, EOFError):
                    continue
                except BaseException as error:
                    self.errors.append(error)

    def _session(self, peer: socket.socket) -> None:
        with peer.makefile("rb") as stream:
            while True:
                kind, body = packet(stream)
                answer = self._answer(kind, body)
                if answer:
                    peer.sendall(answer)

    def _answer(self, kind: int, body: bytes) -> bytes:
        if kind >> 4 == CONNECT:
            self.sessions += 1
            return b"\x20\x02\x00\x00"
        if kind >> 4 == SUBSCRIBE:
            return b"\x90\x05" + body[:2] + b"\x01\x01\x01"
        if kind >> 4 == PINGREQ:
            return b"\xd0\x00"
        return self._published(kind, body) if kind >> 4 == PUBLISH else b""

    def _published(self, kind: int, body: bytes) -> bytes:
        size = int.from_bytes(body[:2], "big")
        leaf, rest = body[2 : 2 + size].decode().removeprefix(PREFIX), body[2 + size :]
        answer = b""
        if kind & 6:
            answer, rest = b"\x40\x02" + rest[:2], rest[2:]
        if leaf == "health":
            self.health = json.loads(rest)
        elif leaf == "events":
            epoch, through = self.bridge.receive(rest.decode())
            answer += published("ack", {"epoch": epoch, "through": through, "at_ms": None})
        return answer


def published(leaf: str, payload: Any) -> bytes:
    topic = (PREFIX + leaf).encode()
    body = len(topic).to_bytes(2, "big") + topic + json.dumps(payload).encode()
    size = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 127 | 128, len(body) >> 7])
    return b"\x30" + size + body


def packet(stream: Any) -> tuple[int, bytes]:
    head = stream.read(2)
    if len(head) < 2:
        raise EOFError
    size, shift, more = head[1] & 127, 7, head[1]
    while more & 128:
        more = stream.read(1)[0]
        size |= (more & 127) << shift
        shift += 7
    return head[0], stream.read(size)
