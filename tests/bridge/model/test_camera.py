"""How archives name a span of time, and which addresses are refused."""

from __future__ import annotations

import pytest

from bridge.errors import UsageError
from bridge.model.camera import (
    Camera,
    ClipSpan,
    check_archive,
    check_time_format,
    covered_share,
    fill_template,
    origin_of,
    rfc3339,
)

AT_MS = 1_795_345_205_250  # 2026-11-22 10:20:05.25 UTC, 12:20:05.25 in Sofia
SPAN = ClipSpan(AT_MS, AT_MS + 30_000)


@pytest.mark.parametrize(
    ("time_format", "time_zone", "expected"),
    [
        ("seconds", "utc", "1795345205-1795345236-31"),
        ("milliseconds", "utc", "1795345205000-1795345236000-31000"),
        ("iso", "utc", "2026-11-22T11:00:05Z-2026-11-22T11:00:36Z-31"),
        ("iso", "local", "2026-11-22T13:00:05-2026-11-22T13:00:36-31"),
        ("compact", "utc", "20261122T110005Z-20261122T110036Z-31"),
        ("compact", "local", "20261122T130005-20261122T130036-31"),
        ("%Y%m%dT%H%M%SZ", "local", "20261122T130005Z-20261122T130036Z-31"),  # a Z that means local time
        ("%Y_%m_%d_%H_%M_%S", "utc", "2026_11_22_11_00_05-2026_11_22_11_00_36-31"),
    ],
)
def test_times_in_templates(time_format: str, time_zone: str, expected: str) -> None:
    camera = Camera(
        "s", "p", "template", "http://nvr/{camera}?{start}-{end}-{duration}", "till 3", time_format, time_zone
    )
    assert fill_template(camera, SPAN, "Europe/Sofia") == f"http://nvr/till%203?{expected}"


def test_a_login_is_put_in_only_where_it_is_given() -> None:
    camera = Camera("s", "p", "template", "http://nvr/?u={user}&p={password}&s={start}&d={duration}", "c")
    assert "u={user}&p={password}" in fill_template(camera, SPAN, "UTC")
    assert "u=a%26b&p=c%2Fd" in fill_template(camera, SPAN, "UTC", ("a&b", "c/d"))


@pytest.mark.parametrize(
    ("kind", "url", "why"),
    [
        ("frigate", "http://nvr:5000", "without a password"),
        ("frigate", "https://nvr:5000/", "without a password"),
        ("frigate", "http://nvr:5000/frigate", "without a password"),
        ("frigate", "https://anna:geheim@nvr:8971", "do not belong"),
        ("mediamtx", "http://anna@nvr:9996", "do not belong"),
        ("template", "rtsp://anna:geheim@cam/?s={start}&d={duration}", "do not belong"),
        ("frigate", "nvr:8971", "not an address"),
        ("frigate", "ftp://nvr", "not an address"),
        ("frigate", "https://nvr:8971/?a=b", "not the address"),
        ("frigate", "rtsp://nvr", "not the address"),
        ("frigate", "https://nvr:0", "not an address"),
        ("frigate", "https://nvr:99999", "not an address"),
        ("frigate", "https://n vr", "not an address"),
        ("frigate", "https://", "not an address"),
        ("template", "http://nvr/{begin}/{end}", "{begin} is no placeholder"),
        ("template", "http://nvr/{start}", "neither {end} nor {duration}"),
        ("template", "http://nvr/{end}", "no {start}"),
        ("template", "http://{camera}/{start}/{end}", "name of its host"),
        ("template", "http://nvr/{start/{end}", "no placeholder"),
        ("template", "http://nvr/?token=abc&s={start}&e={end}", "holds a secret"),
        ("template", "http://nvr/?Password=abc&s={start}&e={end}", "holds a secret"),
        ("template", "http://nvr/?sid=abc&s={start}&e={end}", "holds a secret"),
    ],
)
def test_addresses_that_are_refused(kind: str, url: str, why: str) -> None:
    with pytest.raises(UsageError, match=why.replace("{", r"\{").replace("}", r"\}")) as error:
        check_archive(kind, url)
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("frigate", "https://nvr:8971"),
        ("frigate", "https://shop.example/frigate"),
        ("mediamtx", "http://[::1]:9996"),
        ("template", "rtsp://cam/Streaming/tracks/101?starttime={start}&endtime={end}"),
        ("template", "http://nvr/?password={password}&s={start}&d={duration}"),
    ],
)
def test_addresses_that_are_taken(kind: str, url: str) -> None:
    check_archive(kind, url)


def test_forms_of_time() -> None:
    for form in ("seconds", "iso", "%d%m%y-%H%M%S", "%Y-%m-%dT%I:%M:%S%p"):
        check_time_format(form)
    unusable = ("%s", "%H%M%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%I:%M:%S", "%Q")  # also what does not tell times apart
    for form in ("hours", "", "über%H", "%Y-%m-%dT%H:%M:%S" * 9, *unusable):
        with pytest.raises(UsageError, match="not a form of time"):
            check_time_format(form)


def test_what_was_recorded_of_a_clip() -> None:
    span = ClipSpan(1000, 2000)
    assert covered_share(span, []) == 0
    assert covered_share(span, [ClipSpan(0, 5000)]) == 1
    assert covered_share(span, [ClipSpan(1900, 2500), ClipSpan(500, 1200), ClipSpan(1100, 1300)]) == 0.4
    assert covered_share(span, [ClipSpan(2000, 3000), ClipSpan(0, 1000)]) == 0


def test_names_of_hosts_and_instants() -> None:
    assert origin_of("https://NVR/frigate/") == "https://nvr:443"
    assert origin_of("rtsp://cam/x?{start}") == "rtsp://cam:554"
    assert rfc3339(AT_MS) == "2026-11-22T11:00:05.250Z"
