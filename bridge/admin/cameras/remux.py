"""Fetch a clip from RTSP by one run of ffmpeg, which copies the video as it is: bounded in time and size.

The address, which holds the login, goes to ffmpeg through its standard input, as a list of one file: its command line
can be read by every user of the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bridge.admin.cameras.http_client import (
    CLIP_S,
    MAX_CLIP_BYTES,
    MAX_TOLD,
    ArchiveError,
    NoAnswerError,
    NoFootageError,
)
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.model.camera import ClipSpan

PROTOCOLS = "pipe,fd,rtp,rtsp,rtsps,tcp,tls,udp"
NETWORK_LIMIT_US = 10_000_000
_NO_FOOTAGE = ("404 Not Found", "457 Invalid Range")


def remux(url: str, span: ClipSpan, out: IO[bytes], *, secrets: Iterable[str]) -> None:
    """Write what an RTSP address plays to a file, as MP4. Raises ArchiveError; `secrets` are told to nobody."""
    program = shutil.which(os.environ.get("TRIVOX_FFMPEG", "ffmpeg"))
    if program is None:
        raise ArchiveError("Clips over RTSP need ffmpeg, which is not here: install it (`apt-get install ffmpeg`).")
    duration_s = (span.to_ms - span.from_ms) / 1000
    with tempfile.TemporaryDirectory(prefix="trivox-") as folder:
        clip = Path(folder) / "clip.mp4"
        _run(_arguments(program, duration_s, clip), url, duration_s + CLIP_S, secrets)
        if not clip.exists() or not clip.stat().st_size:
            raise NoFootageError("The archive has no footage of that time: ffmpeg got nothing from it.")
        with clip.open("rb") as made:
            shutil.copyfileobj(made, out)


def _arguments(program: str, duration_s: float, clip: Path) -> list[str]:
    return [
        *(program, "-hide_banner", "-loglevel", "error", "-protocol_whitelist", PROTOCOLS),
        *("-f", "concat", "-safe", "0", "-i", "pipe:0", "-t", f"{duration_s:g}", "-map", "0:v:0", "-c", "copy"),
        *("-fs", str(MAX_CLIP_BYTES), "-movflags", "+faststart", "-f", "mp4", "-y", str(clip)),
    ]


def _run(arguments: list[str], url: str, limit_s: float, secrets: Iterable[str]) -> None:
    quoted = url.replace("'", "'\\''")
    given = f"ffconcat version 1.0\nfile '{quoted}'\noption rtsp_transport tcp\noption timeout {NETWORK_LIMIT_US}\n"
    began_s = time.monotonic()
    try:
        done = subprocess.run(arguments, input=given.encode(), capture_output=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise ArchiveError(f"ffmpeg had not done within {limit_s:g} s: it was ended.") from error
    except OSError as error:
        raise ArchiveError(f"ffmpeg cannot be run ({error.strerror}): install it again.") from error
    if done.returncode == 0:
        return
    said = done.stderr.decode("utf-8", "replace").replace(url, "the archive")
    for secret in secrets:
        said = said.replace(secret, "…")
    if any(sign in said for sign in _NO_FOOTAGE):
        raise NoFootageError("The archive has no footage of that time.")
    if time.monotonic() - began_s >= NETWORK_LIMIT_US / 1_000_000 and "Impossible to open" in said:
        limit_s = NETWORK_LIMIT_US / 1_000_000  # ffmpeg calls this invalid data
        raise NoAnswerError(f"The archive does not answer within {limit_s:g} s: see whether it runs.")
    lines = said.strip().splitlines()
    raise ArchiveError(
        f"ffmpeg could not fetch the clip: {printable(lines[-1] if lines else 'it says nothing', MAX_TOLD)}."
    )
