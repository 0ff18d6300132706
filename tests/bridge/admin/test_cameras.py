"""Cameras and their archives through the commands, against strict stand-ins of Frigate, MediaMTX and RTSP."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import imageio_ffmpeg
import pytest

from bridge.admin.cameras import http_client, remux
from tests.bridge.office import Office, OfficeTill, at
from tests.support.certificates import NAMES, make_certificates
from tests.support.dripping_server import DrippingServer
from tests.support.frigate import CONTINUOUS, OLD_CONTINUOUS, FrigateStandIn
from tests.support.http_stand_in import HttpStandIn, StandInAnswer, StandInRequest, json_answer
from tests.support.mediamtx import MediamtxStandIn
from tests.support.rtsp_archive import RtspArchive, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY, NEXT_DAY = "2025-11-12", "2025-11-13"
OPENED = at(f"{DAY}T10:00:00+02:00")
OPENED_S = OPENED // 1000
ALL_DAY = (OPENED_S - 7200, OPENED_S + 7200)
PASSWORD = "geheim-17"  # noqa: S105 - of stand-ins


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """One survey, opened at ten at counter-1 in Sofia."""
    office = Office(tmp_path_factory.mktemp("made"))
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    till = OfficeTill(base_ms=at("2025-11-01T00:00:00+00:00"))
    till.survey(OPENED, "no")
    office.take(till)
    office.do("checkout-point", "set", "demo", "counter-1", "--console", "till-1")
    return office


@pytest.fixture
def audited(made: Office, tmp_path: Path) -> Office:
    """The same, for one test alone."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    return Office(tmp_path)


@pytest.fixture
def frigate() -> Iterator[FrigateStandIn]:
    with FrigateStandIn("audit", PASSWORD) as stand_in:
        stand_in.add("till_3", ALL_DAY)
        yield stand_in


def draw(office: Office) -> None:
    office.do("audit", "draw", "--from", DAY, "--to", NEXT_DAY)


def log_in(office: Office, url: str, password: str = PASSWORD, user: str = "audit") -> str:
    with patch("sys.stdin", io.StringIO(f"{password}\n")):
        return office.do("camera", "login", url, "--user", user)


def use(office: Office, stand_in: HttpStandIn, kind: str, camera: str = "till_3", *options: object) -> None:
    office.do("camera", "set", "demo/counter-1", "--kind", kind, "--url", stand_in.url, "--camera", camera, *options)


def listed(office: Office) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(office.do("audit", "list", "--format", "json"))
    return rows


def verdicts(office: Office, by: str = "root") -> list[tuple[str, str]]:
    rows = json.loads(office.do("audit", "list", "--judged", "--format", "json", "--by", by))
    return [(row["verdict"], row["expert"]) for row in rows]


def everything_kept(folder: Path) -> bytes:
    """Return what all files hold that are not private logins."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".login")


# Frigate ----------------------------------------------------------------------------------------------------------


def test_a_clip_of_frigate_is_linked_saved_and_kept(audited: Office, frigate: FrigateStandIn) -> None:
    use(audited, frigate, "frigate")
    said = log_in(audited, frigate.url)
    draw(audited)
    (row,) = listed(audited)
    times = f"start/{OPENED_S - 10}/end/{OPENED_S + 20}"
    assert row["clip"] == f"{frigate.url}/api/till_3/{times}/clip.mp4"
    assert row["hls"] == f"{frigate.url}/vod/till_3/{times}/master.m3u8"
    out = audited.folder / "clip.mp4"
    audited.do("audit", "clip", row["audit_id"], "--out", out)
    assert out.read_text("utf-8") == f"clip of till_3 {OPENED_S - 10} {OPENED_S + 20}"
    again = audited.run("audit", "clip", row["audit_id"], "--out", out)
    assert (again.status, "exists already" in again.err) == (1, True)
    kept = audited.do("audit", "keep", row["audit_id"])
    assert frigate.exports == [
        {"id": "till_3_000000", "name": "trivox audit 1", "start": OPENED_S - 10, "end": OPENED_S + 20}
    ]
    assert "as till_3_000000" in kept
    assert "keeps the clip as till_3_000000" in audited.do("audit", "show", 1)
    assert all(PASSWORD not in request.target for request in frigate.requests)
    assert PASSWORD.encode() not in everything_kept(audited.folder)
    assert PASSWORD not in said + audited.do("camera", "list") + audited.do("history") + json.dumps(row)


def test_the_login_is_in_a_private_file_that_backups_take_along(audited: Office, frigate: FrigateStandIn) -> None:
    log_in(audited, frigate.url)
    (file,) = (audited.folder / "trivox.db-cameras").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    audited.do("backup", audited.folder / "copy.db")
    assert (audited.folder / "copy.db-cameras" / file.name).read_bytes() == file.read_bytes()
    file.chmod(0o644)
    use(audited, frigate, "frigate")
    result = audited.run("camera", "test", "demo/counter-1")
    assert (result.status, "run chmod 600" in result.err) == (1, True)
    file.chmod(0o600)
    file.write_text('{"user": "audit", "password": 17}', "utf-8")
    assert "is damaged: run `trivox camera login" in audited.run("camera", "test", "demo/counter-1").err
    draw(audited)
    assert "--out must name a file" in audited.run("audit", "clip", 1, "--out", "").err
    assert "forgotten" in audited.do("camera", "login", frigate.url, "--remove")
    assert audited.run("camera", "login", frigate.url, "--remove").status == 1


def test_each_host_has_a_login_of_its_own_and_one_without_encryption_is_told(audited: Office) -> None:
    hosts = ["http://[fe80::1:2]:80", "http://[fe80:1::2]:80", "https://nvr:8971", "http://127.0.0.1:80"]
    for host in hosts:
        with patch("sys.stdin", io.StringIO("geheim\n")):
            result = audited.run("camera", "login", host, "--user", "audit")
        assert (result.status, "without encryption" in result.err) == (0, "fe80" in host)
    assert len(list((audited.folder / "trivox.db-cameras").iterdir())) == len(hosts)


def test_the_environment_gives_a_login_too(audited: Office, frigate: FrigateStandIn) -> None:
    use(audited, frigate, "frigate")
    result = audited.run("camera", "test", "demo/counter-1")
    assert (result.status, "wants a login" in result.err) == (1, True)
    with patch.dict(os.environ, {"TRIVOX_CAMERA_USER": "audit", "TRIVOX_CAMERA_PASSWORD": "wrong"}):
        result = audited.run("camera", "test", "demo/counter-1")
        assert (result.status, "refuses audit" in result.err, "wrong" in result.err) == (1, True, False)
    with patch.dict(os.environ, {"TRIVOX_CAMERA_USER": "audit", "TRIVOX_CAMERA_PASSWORD": PASSWORD}):
        assert audited.do("camera", "test", "demo/counter-1") == "The camera of demo/counter-1: all is well.\n"


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ([], True),
        ([(OPENED_S - 900, OPENED_S - 60)], True),  # before
        ([(OPENED_S - 900, OPENED_S - 5)], True),  # the press itself is missing
        ([(OPENED_S - 900, OPENED_S + 2)], True),  # less than half
        ([(OPENED_S - 900, OPENED_S + 12)], False),  # more
        ([(OPENED_S - 10.2, OPENED_S - 0.1), (OPENED_S + 0.1, OPENED_S + 20)], False),  # between two segments
        ([ALL_DAY], False),
    ],
)
def test_gaps_become_no_footage_by_themselves(
    audited: Office, frigate: FrigateStandIn, recorded: list[tuple[float, float]], *, expected: bool
) -> None:
    frigate.add("till_3", *recorded)
    use(audited, frigate, "frigate")
    log_in(audited, frigate.url)
    draw(audited)
    assert verdicts(audited) == ([("no_footage", "-")] if expected else [])
    assert len(listed(audited)) == (0 if expected else 1)
    row = json.loads(audited.do("audit", "report", "--from", DAY, "--to", NEXT_DAY, "--format", "json"))[0]
    assert (row["no_footage"], row["error_rate"]) == (int(expected), None)


def test_an_expert_may_judge_what_was_found_to_have_no_footage(audited: Office, frigate: FrigateStandIn) -> None:
    frigate.add("till_3")
    use(audited, frigate, "frigate")
    log_in(audited, frigate.url)
    draw(audited)
    audited.do("audit", "judge", 1, "confirmed", "--by", "anna")
    assert verdicts(audited, "anna") == [("confirmed", "anna")]


def test_each_audit_is_asked_for_once_when_it_is_first_looked_at(audited: Office, frigate: FrigateStandIn) -> None:
    draw(audited)
    assert frigate.requests == []
    use(audited, frigate, "frigate")
    log_in(audited, frigate.url)
    listed(audited)
    count = len(frigate.requests)
    assert [request.path for request in frigate.requests] == ["/api/login", "/api/config", "/api/till_3/recordings"]
    listed(audited)
    assert len(frigate.requests) == count
    frigate.recordings["till_3"] = []  # its retention has passed
    assert audited.do("audit", "check") == "0 audits with footage, 1 without: no_footage.\n"
    assert verdicts(audited) == [("no_footage", "-")]


def test_a_mistyped_camera_or_an_archive_that_is_away_judges_nothing(audited: Office, frigate: FrigateStandIn) -> None:
    use(audited, frigate, "frigate", "till_4")
    log_in(audited, frigate.url)
    draw(audited)
    assert "has no camera till_4: give its name with --camera" in audited.run("audit", "check").err
    audited.do("camera", "set", "demo/counter-1", "--url", "http://127.0.0.1:9")
    result = audited.run("audit", "check")
    assert result.status == 0
    assert "cannot be asked" in result.err
    assert verdicts(audited) == []


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (CONTINUOUS, None),
        (OLD_CONTINUOUS, None),
        ({"enabled": False, "continuous": {"days": 7}}, "does not record camera till_3"),
        ({"enabled": True, "continuous": {"days": 0}, "motion": {"days": 7}}, "set record.continuous.days"),
        ({"enabled": True, "retain": {"days": 0, "mode": "all"}}, "set record.retain.days"),
        ({"enabled": True, "retain": {"days": 7, "mode": "motion"}}, "record.retain.mode is motion"),
    ],
)
def test_it_is_told_if_continuous_recording_is_off(
    audited: Office, frigate: FrigateStandIn, record: dict[str, Any], problem: str | None
) -> None:
    frigate.add("till_3", ALL_DAY, record=record)
    use(audited, frigate, "frigate")
    log_in(audited, frigate.url)
    result = audited.run("camera", "test", "demo/counter-1")
    assert result.status == (1 if problem else 0)
    assert (problem or "") in result.err


def test_a_frigate_that_lets_everybody_in_is_told(audited: Office) -> None:
    with FrigateStandIn(open_to_all=True) as stand_in:
        stand_in.add("till_3", ALL_DAY)
        use(audited, stand_in, "frigate")
        result = audited.run("camera", "test", "demo", "counter-1")
    assert (result.status, "lets everybody in as an administrator" in result.err) == (1, True)


def test_a_camera_whose_clock_is_off_is_asked_for_another_time(audited: Office, frigate: FrigateStandIn) -> None:
    use(audited, frigate, "frigate", "till_3", "--clock-offset-ms", "-2100", "--on", DAY)
    audited.do("camera", "set", "demo", "counter-1", "--clock-offset-ms", "60000", "--on", "2025-11-20")
    log_in(audited, frigate.url)
    draw(audited)
    assert f"/start/{OPENED_S - 13}/end/{OPENED_S + 18}/" in listed(audited)[0]["clip"]  # 2.1 s earlier, whole seconds
    assert "The camera's clock is 2.1 s behind: the clip is moved by that." in audited.do("audit", "show", 1)
    assert "60000 on 2025-11-20" in audited.do("camera", "list")
    assert audited.do("history", "--kind", "camera_clock").count("\n") == 2


def test_without_the_day_the_offset_of_the_last_one_holds(audited: Office, frigate: FrigateStandIn) -> None:
    for day, offset in (("2025-11-02", 5000), ("2025-11-10", 7000), ("2025-11-14", 9000)):
        use(audited, frigate, "frigate", "till_3", "--clock-offset-ms", offset, "--on", day)
    log_in(audited, frigate.url)
    draw(audited)
    assert f"/start/{OPENED_S - 3}/" in listed(audited)[0]["clip"]
    assert "7 s ahead (on 2025-11-10)" in audited.do("audit", "show", 1)


# MediaMTX ---------------------------------------------------------------------------------------------------------


def test_a_clip_of_mediamtx(audited: Office) -> None:
    with MediamtxStandIn("audit", PASSWORD) as stand_in:
        stand_in.paths["shop/till 3"] = [(OPENED_S - 600, 1200.5)]
        use(audited, stand_in, "mediamtx", "shop/till 3")
        log_in(audited, stand_in.url)
        draw(audited)
        (row,) = listed(audited)
        assert row["clip"] == (f"{stand_in.url}/get?path=shop%2Ftill+3&start=2025-11-12T07%3A59%3A50.000Z&duration=30")
        assert row["hls"] is None
        audited.do("audit", "clip", 1, "--out", audited.folder / "clip.mp4")
        assert (audited.folder / "clip.mp4").read_text("utf-8") == f"clip of shop/till 3 {OPENED_S - 10}.000 30"
        assert audited.do("camera", "test", "demo/counter-1").endswith("all is well.\n")
        assert "MediaMTX cannot keep a clip" in audited.run("audit", "keep", 1).err
        stand_in.paths["shop/till 3"] = [(OPENED_S + 600, 60)]
        missing = audited.run("audit", "clip", 1, "--out", audited.folder / "other.mp4")
        assert (missing.status, "no recordings" in missing.err) == (1, True)
        assert not list(audited.folder.glob("other*"))
        audited.do("audit", "check")
        assert verdicts(audited) == [("no_footage", "-")]


@pytest.mark.parametrize("path", ["shop/till 4", "till_3"])
def test_a_path_of_which_mediamtx_has_nothing_judges_nothing(audited: Office, path: str) -> None:
    with MediamtxStandIn() as stand_in:
        stand_in.paths["till_3"] = []
        use(audited, stand_in, "mediamtx", path)
        draw(audited)
        result = audited.run("audit", "check")
    assert (result.status, result.err.count("\n")) == (0, 1)
    assert "not all footage was checked" in result.err
    assert verdicts(audited) == []


# Servers that are none, or mean harm ------------------------------------------------------------------------------


class AnyServer(HttpStandIn):
    """Gives the same answer to all that it is asked."""

    def __init__(self, answer: StandInAnswer) -> None:
        super().__init__()
        self._answer = answer

    def answer(self, _request: StandInRequest) -> StandInAnswer:
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({}),
        json_answer(None),
        StandInAnswer(404, b"<html>no such page"),
        StandInAnswer(500, b"[" * 200_000),
        StandInAnswer(200, b"{}", (("Set-Cookie", "a@b=1"),)),
        StandInAnswer(302, b"", (("Location", "file:///etc/passwd"),)),
    ],
)
@pytest.mark.parametrize("kind", ["frigate", "mediamtx"])
def test_what_is_no_archive_judges_nothing(audited: Office, kind: str, answer: StandInAnswer) -> None:
    with AnyServer(answer) as server:
        use(audited, server, kind)
        log_in(audited, server.url)
        draw(audited)
        for command in (("camera", "test", "demo/counter-1"), ("audit", "keep", 1)):
            result = audited.run(*command)
            assert (result.status, "Traceback" in result.err) == (1, False)
        assert audited.run("audit", "check").err.startswith("trivox: not all footage was checked: ")
    assert verdicts(audited) == []


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (StandInAnswer(200, b"<html>log in", (("Content-Type", "text/html; charset=utf-8"),)), "but text/html"),
        (json_answer({"success": False}), "but application/json"),
        (StandInAnswer(200, b"", (("Content-Type", "video/mp4"),)), "an empty clip"),
    ],
)
def test_what_is_no_video_is_not_saved(audited: Office, answer: StandInAnswer, refusal: str) -> None:
    out = audited.folder / "clip.mp4"
    with AnyServer(answer) as server:
        audited.do("camera", "set", "demo/counter-1", "--template", f"{server.url}/?s={{start}}&e={{end}}")
        draw(audited)
        result = audited.run("audit", "clip", 1, "--out", out)
    assert (result.status, refusal in result.err, list(audited.folder.glob("clip*"))) == (1, True, [])


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"HTTP/1.1 200 OK\r\nX-", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"video"),
    ],
)
def test_a_server_that_never_comes_to_an_end_is_given_up(audited: Office, first: bytes, again: bytes) -> None:
    out = audited.folder / "clip.mp4"
    with patch.object(http_client, "CLIP_S", 0.2), DrippingServer(first, again) as server:
        audited.do("camera", "set", "demo/counter-1", "--template", f"{server.url}/?s={{start}}&e={{end}}")
        draw(audited)
        result = audited.run("audit", "clip", 1, "--out", out)
    assert (result.status, result.err) == (
        1,
        f"trivox: {server.url} takes longer than 0.2 s to answer: it is given up.\n",
    )
    assert not list(audited.folder.glob("clip*"))


# Templates and RTSP -----------------------------------------------------------------------------------------------


def test_a_template_in_local_time(audited: Office) -> None:
    template = "https://vms.example/clip?cam={camera}&from={start}&seconds={duration}"
    audited.do(
        "camera", "set", "demo/counter-1", "--template", template, "--time-format", "iso", "--time-zone", "local"
    )
    draw(audited)
    link = "https://vms.example/clip?cam=counter-1&from=2025-11-12T09:59:50&seconds=30"
    assert listed(audited)[0]["clip"] == link
    assert "cannot be told to keep" in audited.run("audit", "keep", 1).err


def test_the_hour_that_comes_twice_is_shown_right_and_its_links_say_so(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.do("site", "set", "demo", "--timezone", "Europe/Sofia")
    till = OfficeTill(base_ms=at("2025-10-20T00:00:00+00:00"))
    moments = ["2025-10-26T02:30:00+03:00", "2025-10-26T03:30:00+03:00", "2025-10-26T03:30:00+02:00"]
    for moment in moments:
        till.survey(at(moment), "no")
    office.take(till)
    office.do("checkout-point", "set", "demo", "counter-1", "--console", "till-1")
    office.do("camera", "set", "demo/counter-1", *TEMPLATE, "--time-format", "iso", "--time-zone", "local")
    office.do("audit", "draw", "--from", "2025-10-26", "--to", "2025-10-27")
    noted = {row["opened_at"]: "clocks went back" in (row["note"] or "") for row in listed(office)}
    assert noted == dict(zip(moments, (False, True, True), strict=True))
    assert office.do("audit", "list").count("(clocks went back") == 2
    office.do("camera", "set", "demo/counter-1", "--time-zone", "utc")
    assert {row["note"] for row in listed(office)} == {None}


def test_a_template_that_wants_a_login_makes_no_link_but_a_file(audited: Office) -> None:
    with MediamtxStandIn() as stand_in:
        stand_in.paths["till"] = [(OPENED_S - 600, 1200)]
        template = f"{stand_in.url}/get?path=till&start={{start}}&duration={{duration}}"
        audited.do(
            "camera", "set", "demo/counter-1", "--template", f"{template}&format={{password}}", "--time-format", "iso"
        )
        draw(audited)
        assert listed(audited)[0]["clip"] is None
        assert "would hold a login" in listed(audited)[0]["note"]
        assert "wants a login" in audited.run("audit", "clip", 1, "--out", audited.folder / "clip.mp4").err
        log_in(audited, stand_in.url, password="mp4")  # noqa: S106 - of a stand-in
        audited.do("audit", "clip", 1, "--out", audited.folder / "clip.mp4")
    assert (audited.folder / "clip.mp4").read_text("utf-8").startswith("clip of till")


def _video(path: Path) -> None:
    """Make four seconds of H.264."""
    source = "testsrc=size=160x120:rate=10:duration=4"
    done = subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264"),
            *("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", "-f", "h264", str(path)),
        ],
        check=True,
    )
    assert done.returncode == 0


def test_a_clip_over_rtsp_comes_by_one_run_of_ffmpeg_that_nobody_sees_the_password_of(
    audited: Office, tmp_path: Path
) -> None:
    video = tmp_path / "video.h264"
    _video(video)
    secret = "ge'heim/17 ü"  # noqa: S105 - of a stand-in
    with ExitStack() as stack:
        archive = stack.enter_context(RtspArchive(video.read_bytes(), "audit", secret))
        stack.enter_context(patch.dict(os.environ, {"TRIVOX_FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()}))
        template = f"rtsp://{archive.address}/tracks/101?starttime={{start}}&endtime={{end}}"
        audited.do("camera", "set", "demo/counter-1", "--template", template, "--time-format", "compact")
        log_in(audited, f"rtsp://{archive.address}", secret)
        draw(audited)
        seen = stack.enter_context(patch("subprocess.run", wraps=subprocess.run))
        audited.do("audit", "clip", 1, "--out", audited.folder / "clip.mp4")
        asked = {path_of(request) for request in archive.requests if request.method == "PLAY"}
        link = f"rtsp://{archive.address}/tracks/101?starttime=20251112T075950Z&endtime=20251112T080020Z"
    assert asked == {"/tracks/101?starttime=20251112T075950Z&endtime=20251112T080020Z"}
    assert len(seen.call_args_list) == 1
    assert "heim" not in " ".join(seen.call_args.args[0])
    assert _frames(audited.folder / "clip.mp4") == 40
    assert listed(audited)[0]["clip"] == link


def _frames(clip: Path) -> int:
    """Decode a clip; return how many frames it has."""
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(clip), "-f", "rawvideo", "-pix_fmt", "gray", "-"],
        capture_output=True,
        check=True,
    )
    return len(done.stdout) // (160 * 120)


def _end_when_asked(archive: socket.socket) -> None:
    """Send this process SIGTERM as soon as ffmpeg has connected."""
    with archive.accept()[0]:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Ctrl-C does not wait for ffmpeg's end
def test_an_rtsp_archive_that_is_silent_is_given_up_and_leaves_nothing(audited: Office, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as stack:
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}"
        audited.do("camera", "set", "demo/counter-1", "--template", f"{address}/a?s={{start}}&e={{end}}")
        log_in(audited, address)
        draw(audited)
        stack.enter_context(patch.dict(os.environ, {"TRIVOX_FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()}))
        stack.enter_context(patch.object(remux, "NETWORK_LIMIT_US", 200_000))
        result = audited.run("audit", "clip", 1, "--out", tmp_path / "clip.mp4")
        assert result.err == "trivox: The archive does not answer within 0.2 s: see whether it runs.\n"
        silent.accept()[0].close()
        threading.Thread(target=_end_when_asked, args=(silent,)).start()
        stack.enter_context(patch.object(remux, "NETWORK_LIMIT_US", 60_000_000))
        assert audited.run("audit", "clip", 1, "--out", tmp_path / "clip.mp4").status == 130  # as by Ctrl-C
    assert not list(tmp_path.glob("clip*"))
    (tmp_path / "clip.mp4.part").touch()
    assert "exists already: remove it" in audited.run("audit", "clip", 1, "--out", tmp_path / "clip.mp4").err


def test_errors_of_ffmpeg_are_told_without_the_password(audited: Office, tmp_path: Path) -> None:
    video = tmp_path / "video.h264"
    _video(video)
    with ExitStack() as stack:
        archive = stack.enter_context(RtspArchive(video.read_bytes(), "audit", "another"))
        template = f"rtsp://{archive.address}/a?s={{start}}&e={{end}}"
        audited.do("camera", "set", "demo/counter-1", "--template", template)
        log_in(audited, f"rtsp://{archive.address}")
        draw(audited)
        stack.enter_context(patch.dict(os.environ, {"TRIVOX_FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()}))
        result = audited.run("audit", "clip", 1, "--out", audited.folder / "clip.mp4")
        assert (result.status, PASSWORD in result.err) == (1, False)
        assert "ffmpeg could not fetch the clip" in result.err
        assert "401" in result.err
        stack.enter_context(patch.dict(os.environ, {"TRIVOX_FFMPEG": "no-such-ffmpeg"}))
        result = audited.run("audit", "clip", 1, "--out", audited.folder / "clip.mp4")
        assert (result.status, "need ffmpeg, which is not here: install it" in result.err) == (1, True)
    assert not list(audited.folder.glob("clip*"))


# Setting cameras --------------------------------------------------------------------------------------------------


NVR = ("--kind", "frigate", "--url", "http://nvr:8971")
TEMPLATE = ("--template", "http://nvr/{start}{end}")


NONSENSE = [
    (("demo/counter-2", *NVR), "did you mean demo/counter-1"),
    (("demo", *NVR), "'demo' is not a checkout point"),
    (("demo/counter-1",), "has no camera yet: give --kind and --url"),
    (("demo/counter-1", "--kind", "nvr", "--url", "http://nvr"), "'nvr' is not a kind of archive"),
    (("demo/counter-1", "--kind", "frigate", "--url", "http://nvr:5000"), "without a password"),
    (("demo/counter-1", "--kind", "frigate", "--url", "http://a:b@nvr:8971"), "do not belong"),
    (("demo/counter-1", *NVR, "--time-zone", "utc"), "are for templates"),
    (("demo/counter-1", *NVR, "--on", DAY), "goes with --clock-offset-ms"),
    (("demo/counter-1", *NVR, "--clock-offset-ms", "5"), "--on DATE"),
    (("demo/counter-1", *NVR, "--clock-offset-ms", "99999999", "--on", DAY), "more than a day off"),
    (("demo/counter-1", *TEMPLATE, "--url", "http://nvr"), "leave --url out"),
    (("demo/counter-1", *TEMPLATE, "--time-zone", "mine"), "neither utc nor local"),
    (("demo/counter-1", *TEMPLATE, "--time-format", "x"), "not a form of time"),
]


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("https://admin:geheim/x@nvr:8971", "do not belong into an address"),
        ("https://admin:17/geheim@nvr:8971", "do not belong into an address"),
        ("admin:geheim@nvr", "do not belong into an address"),
        ("https://nvr/?key=geheim", "not the address of an archive"),
        ("http://nvr%3A5000/geheim", "not an address"),
        ("http://nvr:05000", "lets everybody in"),
        ("http://[::1]:5000", "lets everybody in"),
        ("http://nvr:5000/vod/till/start/{start}/end/{end}/master.m3u8", "lets everybody in"),
        ("http://nvr/?pw=geheim&s={start}&e={end}", "holds a secret (pw)"),
        ("http://nvr/x;pwd=geheim?s={start}&e={end}", "holds a secret (pwd)"),
        ("http://nvr/?s={start}&e={end}#geheim", "has a #"),
        ("http://{camera}/?s={start}&e={end}", "placeholder in the name of its host"),
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(audited: Office, address: str, refusal: str) -> None:
    options = ("--template",) if "{" in address else ("--kind", "frigate", "--url")
    result = audited.run("camera", "set", "demo/counter-1", *options, address)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert refusal in result.err
    assert ("geheim" in result.err) == ("nvr%3A5000" in address)  # of that one nothing says that it is secret


def test_cameras_that_make_no_sense_are_refused(audited: Office) -> None:
    for words, why in NONSENSE:
        result = audited.run("camera", "set", *words)
        assert (result.status, result.err.count("\n")) == (2, 1), words
        assert why in result.err
    assert audited.do("camera", "list") == "No camera is set: see `trivox camera set --help`.\n"


def test_a_camera_is_changed_and_removed_and_the_history_knows(audited: Office) -> None:
    audited.do(
        "camera", "set", "demo/counter-1", "--kind", "frigate", "--url", "https://nvr:8971", "--camera", "till_3"
    )
    audited.do("camera", "set", "demo/counter-1", "--url", "https://nvr-2:8971")
    (row,) = json.loads(audited.do("camera", "list", "--format", "json"))
    assert (row["url"], row["camera"], row["has_login"]) == ("https://nvr-2:8971", "till_3", False)
    assert audited.run("camera", "set", "demo/counter-1", "--kind", "mediamtx").status == 2
    audited.do("camera", "remove", "demo/counter-1")
    assert audited.run("camera", "remove", "demo/counter-1").status == 2
    changes = audited.do("history", "--kind", "camera")
    assert changes.count("\n") == 3
    assert "https://nvr:8971 → https://nvr-2:8971" in changes


def test_a_removed_checkout_point_takes_its_camera_along(audited: Office) -> None:
    audited.do("camera", "set", "demo/counter-1", "--kind", "frigate", "--url", "https://nvr:8971")
    audited.do("checkout-point", "remove", "demo", "counter-1")
    assert json.loads(audited.do("camera", "list", "--format", "json")) == []


def test_a_certificate_that_is_not_trusted_is_told_and_can_be_given(audited: Office) -> None:
    result = audited.run("camera", "login", "https://nvr:8971", "--ca-file", audited.file("a.pem", "nothing\n"))
    assert (result.status, "holds no certificate" in result.err) == (2, True)
    with patch("sys.stdin", io.StringIO("\n")):
        assert audited.run("camera", "login", "https://nvr:8971", "--user", "a").status == 2
    assert audited.run("camera", "login", "https://a:b@nvr:8971").status == 2


@pytest.mark.parametrize(
    ("names", "days", "remedy"),
    [(NAMES, -1, "renew it there"), ("DNS:nvr", 30, "give an address whose host it names"), (NAMES, 30, "")],
)
def test_what_is_wrong_with_a_certificate_is_told(
    audited: Office, tmp_path: Path, names: str, days: int, remedy: str
) -> None:
    authority = make_certificates(tmp_path, names, days)
    with FrigateStandIn("audit", PASSWORD, certificates=tmp_path) as stand_in:
        stand_in.add("till_3", ALL_DAY)
        use(audited, stand_in, "frigate")
        log_in(audited, stand_in.url)
        assert "is not trusted" in audited.run("camera", "test", "demo/counter-1").err
        with patch("sys.stdin", io.StringIO(f"{PASSWORD}\n")):
            audited.do("camera", "login", stand_in.url, "--user", "audit", "--ca-file", authority)
        result = audited.run("camera", "test", "demo/counter-1")
    assert (result.status, remedy in result.err) == (1 if remedy else 0, True)
    assert not stand_in.requests or not remedy  # what is not trusted gets no password
