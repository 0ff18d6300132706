"""The stand-ins of video archives are strict: what the real ones do not know is an error here, too."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from tests.support.frigate import COOKIE, TOKEN, FrigateStandIn
from tests.support.mediamtx import MediamtxStandIn
from tests.support.rtsp_archive import RtspArchive

if TYPE_CHECKING:
    from tests.support.http_stand_in import HttpStandIn

IN = {"Cookie": f"{COOKIE}={TOKEN}"}
VIDEO = b"\x00\x00\x00\x01\x67sps\x00\x00\x00\x01\x68pps\x00\x00\x00\x01\x65slice"


def ask(
    stand_in: HttpStandIn, path: str, headers: dict[str, str] | None = None, content: Any = None
) -> tuple[int, bytes]:
    data = None if content is None else json.dumps(content).encode()
    given = {"Content-Type": "application/json"} if data is not None else {}
    request = urllib.request.Request(stand_in.url + path, data, {**given, **(headers or {})})  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


FRIGATE = [
    ("/api/config", None, 200),
    ("/api/profile", None, 200),
    ("/api/till/recordings?after=1&before=9", None, 200),
    ("/api/till/start/1/end/9.5/clip.mp4", None, 200),
    ("/vod/till/start/1/end/9/master.m3u8", None, 200),
    ("/api/export/till/start/1/end/9", {"playback": "realtime", "source": "recordings", "name": "a"}, 200),
    ("/api/config?x=1", None, 422),
    ("/api/till/recordings", None, 422),
    ("/api/till/recordings?after=1&before=9&scale=1", None, 422),
    ("/api/till/recordings?after=1&before=9&after=2", None, 400),
    ("/api/other/recordings?after=1&before=9", None, 404),
    ("/api/till/start/100/end/900/clip.mp4", None, 400),
    ("/api/other/start/1/end/9/clip.mp4", None, 404),
    ("/api/till/start/1/end/9/clip.avi", None, 404),
    ("/api/till/start/a/end/9/clip.mp4", None, 404),
    ("/api/export/till/start/1/end/9", {"label": "a"}, 422),
    ("/api/export/till/start/100/end/900", {}, 400),
    ("/api/export/other/start/1/end/9", {}, 404),
    ("/api/till/start/1/end/9/clip.mp4", {}, 404),
    ("/api/v2/config", None, 404),
]


def test_frigate() -> None:
    with FrigateStandIn("audit", "right") as stand_in:
        stand_in.add("till", (0, 10))
        for path, content, expected in FRIGATE:
            assert ask(stand_in, path, IN, content)[0] == expected, path
            assert ask(stand_in, path, {"Cookie": f"{COOKIE}=other"}, content)[0] in {401, 422, 400}
            assert ask(stand_in, path, {}, content)[0] in {401, 422, 400}


def test_frigates_login() -> None:
    with FrigateStandIn("audit", "right") as stand_in:
        assert ask(stand_in, "/api/login", {}, {"user": "audit", "password": "right"})[0] == 200
        assert ask(stand_in, "/api/login", {}, {"user": "audit", "password": "wrong"})[0] == 401
        assert ask(stand_in, "/api/login", {}, {"username": "audit", "password": "right"})[0] == 401
        assert ask(stand_in, "/api/login", {"Content-Type": "text/plain"}, {"user": "audit"})[0] == 422


MEDIAMTX = [
    ("/list?path=till", 200),
    ("/list?path=till&start=1970-01-01T00:00:05Z&end=1970-01-01T00:00:06.5Z", 200),
    ("/list?path=till&start=1970-01-01T01:00:00Z", 404),
    ("/list?path=till&start=5", 400),
    ("/list?path=other", 400),
    ("/list?path=till&limit=1", 400),
    ("/get?path=till&start=1970-01-01T00:00:05Z&duration=2.5", 200),
    ("/get?path=till&start=1970-01-01T00:00:05%2B00:00&duration=2&format=mp4", 200),
    ("/get?path=till&start=1970-01-01T00:00:05+00:00&duration=2", 400),  # the plus is a space
    ("/get?path=till&start=1970-01-01T00:00:05Z&duration=2&format=avi", 400),
    ("/get?path=till&start=1970-01-01T00:00:05Z", 400),
    ("/get?path=till&start=1970-01-01T00:00:05&duration=2", 400),
    ("/get?path=till&start=1970-01-01T01:00:00Z&duration=2", 404),
    ("/get?path=till&start=1970-01-01T00:00:05Z&duration=2&end=1", 400),
    ("/v3/paths", 404),
]


def test_mediamtx() -> None:
    with MediamtxStandIn("audit", "right") as stand_in:
        stand_in.paths["till"] = [(0, 10)]
        login = {"Authorization": f"Basic {b64encode(b'audit:right').decode()}"}
        for path, expected in MEDIAMTX:
            assert ask(stand_in, path, login)[0] == expected, path
            assert ask(stand_in, path)[0] in {401, 404}


def test_rtsp() -> None:
    login = f"Authorization: Basic {b64encode(b'audit:right').decode()}\r\n"
    with RtspArchive(VIDEO, "audit", "right") as archive:
        host, port = archive.address.split(":")
        url = f"rtsp://{archive.address}/a"

        def say(connection: socket.socket, method: str, *lines: str, sequence: str = "CSeq: 1\r\n") -> str:
            connection.sendall(f"{method} {url} RTSP/1.0\r\n{sequence}{''.join(lines)}\r\n".encode())
            return connection.recv(4096).decode("latin-1").split("\r\n")[0]

        with socket.create_connection((host, int(port)), 20) as connection:
            assert say(connection, "OPTIONS") == "RTSP/1.0 200 OK"
            assert say(connection, "DESCRIBE") == "RTSP/1.0 401 Unauthorized"
            assert say(connection, "SETUP", login) == "RTSP/1.0 400 Bad Request"  # before DESCRIBE
            assert say(connection, "DESCRIBE", login, sequence="") == "RTSP/1.0 400 Bad Request"
            assert say(connection, "RECORD", login) == "RTSP/1.0 400 Bad Request"
            assert say(connection, "DESCRIBE", login) == "RTSP/1.0 200 OK"
            assert say(connection, "SETUP", login, "Transport: RTP/AVP;unicast\r\n").startswith("RTSP/1.0 461")
            assert say(connection, "PLAY", login) == "RTSP/1.0 400 Bad Request"
            assert say(connection, "SETUP", login, "Transport: RTP/AVP/TCP;unicast\r\n") == "RTSP/1.0 200 OK"
            assert say(connection, "PLAY", login) == "RTSP/1.0 200 OK"
