"""A stand-in for an archive that plays recordings over RTSP (RFC 2326): a track of H.264 on TCP, with a basic login.

It is strict: requests out of order, without CSeq, or for another address are errors.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from base64 import b64encode
from contextlib import suppress
from typing import NamedTuple, Self
from urllib.parse import urlsplit

PACKET_BYTES = 1200
CLOCK_HZ = 90_000
PAYLOAD_TYPE = 96
_NAL_START = re.compile(rb"\x00\x00\x00?\x01")
_SPS, _PPS, _SLICES = 7, 8, {1, 5}


class RtspRequest(NamedTuple):
    """A request as it came."""

    method: str
    url: str
    headers: dict[str, str]


class RtspArchive:
    """Plays a video, H.264 as a byte stream, to whoever gives the login; keeps what it was asked as `requests`."""

    def __init__(self, video: bytes, user: str, password: str, *, frames_per_s: int = 10) -> None:
        self._nals = [nal for nal in _NAL_START.split(video) if nal]
        self._login = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        self._frame_ticks = CLOCK_HZ // frames_per_s
        self.requests: list[RtspRequest] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._is_closed = False

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while not self._is_closed:
            with suppress(OSError):
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        state, base = "new", ""
        with connection, suppress(OSError), connection.makefile("rb") as lines:
            while request := self._read(lines):
                self.requests.append(request)
                sequence = request.headers.get("cseq")
                status, extra, body = "400 Bad Request", "", b""
                if sequence and request.method == "OPTIONS":
                    status, extra = "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
                elif sequence and request.headers.get("authorization") != self._login:
                    status, extra = "401 Unauthorized", 'WWW-Authenticate: Basic realm="archive"\r\n'
                elif sequence and request.method == "DESCRIBE" and state == "new":
                    base = request.url
                    state, status, body = "described", "200 OK", self._describe()
                    extra = f"Content-Base: {base}\r\nContent-Type: application/sdp\r\n"
                elif sequence and request.method == "SETUP" and state == "described":
                    if "RTP/AVP/TCP" in request.headers.get("transport", ""):
                        state, status = "set up", "200 OK"
                        extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
                    else:
                        status = "461 Unsupported Transport"
                elif sequence and request.method == "PLAY" and state == "set up":
                    state, status, extra = "playing", "200 OK", "Session: 1\r\nRTP-Info: url=track;seq=0;rtptime=0\r\n"
                elif sequence and request.method == "TEARDOWN":
                    status = "200 OK"
                head = f"RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                if state == "playing":
                    self._play(connection)
                    return

    @staticmethod
    def _read(lines: object) -> RtspRequest | None:
        first = lines.readline().decode().split()  # type: ignore[attr-defined]
        headers = {}
        while line := lines.readline().decode().strip():  # type: ignore[attr-defined]
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return RtspRequest(first[0], first[1], headers) if len(first) == 3 else None

    def _describe(self) -> bytes:
        sps, pps = (next(nal for nal in self._nals if nal[0] & 31 == kind) for kind in (_SPS, _PPS))
        sets = ",".join(b64encode(nal).decode() for nal in (sps, pps))
        return (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=recording\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
            f"a=rtpmap:96 H264/90000\r\na=control:track\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n"
        ).encode()

    def _play(self, connection: socket.socket) -> None:
        """Send every frame at once, and say good-bye."""
        sequence = frame = 0
        for nal in self._nals:
            is_slice = nal[0] & 31 in _SLICES
            for payload, is_last in _payloads(nal):
                marker = 0x80 if is_slice and is_last else 0
                head = struct.pack(
                    ">BBHII", 0x80, PAYLOAD_TYPE | marker, sequence & 0xFFFF, frame * self._frame_ticks, 1
                )
                self._send(connection, 0, head + payload)
                sequence += 1
            frame += is_slice
        self._send(connection, 1, struct.pack(">BBHI", 0x81, 203, 1, 1))  # RTCP: BYE

    @staticmethod
    def _send(connection: socket.socket, channel: int, packet: bytes) -> None:
        connection.sendall(b"$" + struct.pack(">BH", channel, len(packet)) + packet)


def _payloads(nal: bytes) -> list[tuple[bytes, bool]]:
    """Cut a NAL unit into RTP payloads (RFC 6184): as it is, or as fragments; each with whether it is the last."""
    if len(nal) <= PACKET_BYTES:
        return [(nal, True)]
    head, kind, content = nal[0] & 0xE0 | 28, nal[0] & 31, nal[1:]
    pieces = [content[at : at + PACKET_BYTES] for at in range(0, len(content), PACKET_BYTES)]
    last = len(pieces) - 1
    return [
        (bytes([head, kind | (0x80 if index == 0 else 0) | (0x40 if index == last else 0)]) + piece, index == last)
        for index, piece in enumerate(pieces)
    ]


def path_of(request: RtspRequest) -> str:
    """Return the path and query of a request's address."""
    parts = urlsplit(request.url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
