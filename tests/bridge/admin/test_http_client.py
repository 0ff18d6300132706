"""Archives that misbehave: other certificates, redirects, answers that are too large, too slow, or no JSON."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

import pytest

from bridge.admin.cameras import http_client
from bridge.admin.cameras.frigate import FrigateArchive
from bridge.admin.cameras.http_client import ArchiveError, HttpClient
from bridge.admin.cameras.logins import ArchiveLogin
from bridge.model.camera import Camera, ClipSpan
from tests.support.certificates import make_certificates
from tests.support.http_stand_in import HttpStandIn, StandInAnswer, StandInRequest

if TYPE_CHECKING:
    from pathlib import Path

SPAN = ClipSpan(0, 30_000)


class OddArchive(HttpStandIn):
    """Gives one answer to everything."""

    def __init__(self, status: int, body: bytes = b"", *headers: tuple[str, str], folder: Path | None = None) -> None:
        super().__init__(folder)
        self.given = StandInAnswer(status, body, headers)

    def answer(self, _request: StandInRequest) -> StandInAnswer:
        return self.given


def said(url: str, path: str = "/") -> str:
    with pytest.raises(ArchiveError) as error:
        HttpClient(url).get(path)
    return str(error.value)


def test_only_a_certificate_that_is_trusted_is_taken(tmp_path: Path) -> None:
    authority = make_certificates(tmp_path).read_text("ascii")
    with OddArchive(200, b"ok", folder=tmp_path) as archive:
        assert "is not trusted" in said(archive.url)
        assert "--ca-file FILE" in said(archive.url)
        assert HttpClient(archive.url, ArchiveLogin("a", "b", authority)).get("/").body == b"ok"


def test_no_redirect_is_followed() -> None:
    with OddArchive(200, b"another") as other, OddArchive(302, b"", ("Location", other.url)) as archive:
        assert "redirects are not followed" in said(archive.url)
        assert other.requests == []


def test_answers_are_bounded_in_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MAX_JSON_BYTES", 1 << 20)
    monkeypatch.setattr(http_client, "MAX_CLIP_BYTES", 1 << 20)
    with OddArchive(200, b"x" * (1 << 21)) as archive:
        assert "is larger than 1 MiB: it is given up" in said(archive.url)
        with pytest.raises(ArchiveError, match="larger than 1 MiB"):
            HttpClient(archive.url).save("/clip.mp4", io.BytesIO())


def test_an_archive_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer within 0.1 s" in said(f"http://127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"cameras":[]}', b"[" * 100_000])
def test_what_is_not_frigate_is_told(body: bytes) -> None:
    with OddArchive(200, body) as archive:
        camera = Camera("s", "p", "frigate", archive.url, "till")
        with pytest.raises(ArchiveError):
            FrigateArchive(camera, None).recorded(SPAN)
        with pytest.raises(ArchiveError):
            FrigateArchive(camera, ArchiveLogin("a", "b")).problems()


def test_what_an_archive_says_is_cut_and_steers_nothing() -> None:
    with OddArchive(500, b"\x1b[2J" + b"x" * 5000) as archive:
        with pytest.raises(ArchiveError) as error:
            FrigateArchive(Camera("s", "p", "frigate", archive.url, "till"), None).save(SPAN, io.BytesIO())
        assert "\x1b" not in str(error.value)
        assert len(str(error.value)) < 400
