"""Finds MicroPython for the simulated consoles, or fetches it: `python -m simulator.console.micropython amd64 i386`.

A `micropython` on PATH of 1.25 or newer is used if it has the word size asked for and what the stand-ins need. Else
Debian trixie's package is unpacked into `.cache/micropython/`, without touching the system's own packages: apt fetches
it from a mirror that this machine's apt knows, and checks its signature.
"""

import argparse
import fcntl
import functools
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

from simulator.errors import MicroPythonError

Architecture = Literal["amd64", "i386"]

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "micropython"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
RELEASE = "trixie"
OLDEST = (1, 25)
FETCH_LIMIT_S = 300

_BITS: dict[Architecture, int] = {"amd64": 64, "i386": 32}
_LIBRARIES: dict[Architecture, str] = {"amd64": "x86_64-linux-gnu", "i386": "i386-linux-gnu"}
_LOADERS: dict[Architecture, str] = {"amd64": "ld-linux-x86-64.so.2", "i386": "ld-linux.so.2"}
_PROBE = (
    "import sys, ffi, _thread, vfs, asyncio, select; vfs.VfsLfs2; v = sys.implementation.version;"
    "print(v[0], v[1], 64 if sys.maxsize > 1 << 32 else 32)"
)


@functools.cache
def command(architecture: Architecture = "amd64") -> list[str]:
    """The words that start MicroPython of that architecture; fetched first if need be.

    Raises MicroPythonError with a sentence that says what to do.
    """
    on_path = shutil.which("micropython")
    if on_path and _serves([on_path], architecture):
        return [on_path]
    folder = CACHE / architecture
    words = _unpacked(folder, architecture)
    if not _serves(words, architecture):
        with _lock(architecture):
            if not _serves(words, architecture):  # another process may have fetched it meanwhile
                _fetch(folder, architecture)
    return words


def _serves(words: list[str], architecture: Architecture) -> bool:
    try:
        found = subprocess.run([*words, "-c", _PROBE], capture_output=True, text=True, timeout=20, check=False)
        major, minor, bits = map(int, found.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return (major, minor) >= OLDEST and bits == _BITS[architecture]


def _unpacked(folder: Path, architecture: Architecture) -> list[str]:
    libraries = folder / "usr/lib" / _LIBRARIES[architecture]
    loader = libraries / _LOADERS[architecture]
    return [str(loader), "--library-path", str(libraries), str(folder / "usr/bin/micropython")]


@contextmanager
def _lock(architecture: Architecture) -> Iterator[None]:
    """Keep other processes from fetching at the same time."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        file = (CACHE / f"{architecture}.lock").open("w")
    except OSError as error:
        raise MicroPythonError(f"MicroPython can't be kept in {CACHE}: {error.strerror}; make it writable.") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path, architecture: Architecture) -> None:
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise MicroPythonError(
                f"MicroPython is fetched by Debian's {program}, which is not here; put micropython 1.25 on PATH."
            )
    if not KEYRING.exists():
        raise MicroPythonError(f"Debian's keys ({KEYRING}) are not here; apt-get install debian-archive-keyring.")
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f".{architecture}-") as name:
        work = Path(name)
        packages = download(work, architecture)
        for package in packages:
            _run(["dpkg-deb", "-x", str(package), str(work / "root")], f"{package.name} can't be unpacked")
        shutil.rmtree(work / "root/usr/share", ignore_errors=True)
        if not _serves(_unpacked(work / "root", architecture), architecture):
            raise MicroPythonError(
                f"MicroPython for {architecture} was fetched, but does not run here; "
                f"put a {_BITS[architecture]}-bit micropython 1.25 on PATH."
            )
        shutil.rmtree(folder, ignore_errors=True)
        (work / "root").rename(folder)


def download(work: Path, architecture: Architecture) -> list[Path]:
    """Packages of MicroPython and all that it depends on, from the first mirror that has them."""
    found = mirrors()
    if not found:
        raise MicroPythonError("This machine's apt has no Debian mirror; add one, or put micropython 1.25 on PATH.")
    reasons = []
    for number, mirror in enumerate(found):
        state = work / str(number)
        for part in ("lists/partial", "archives/partial"):
            (state / part).mkdir(parents=True)
        (state / "status").touch()
        (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {RELEASE} main\n")
        apt = _apt(state, architecture)
        try:
            _run([*apt, "update"], f"{mirror} can't be used")
            _run([*apt, "--yes", "--no-install-recommends", "--download-only", "install", "micropython"], mirror)
        except MicroPythonError as error:
            reasons.append(str(error))
            continue
        return sorted((state / "archives").glob("*.deb"))
    raise MicroPythonError(f"MicroPython can't be fetched from Debian {RELEASE}: {'; '.join(reasons)}")


def _apt(state: Path, architecture: Architecture) -> list[str]:
    """Words for an apt with a state of its own, which keeps this machine's proxies and certificates."""
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": pwd.getpwuid(os.getuid()).pw_name,
        "Debug::NoLocking": "1",
        "Dir::Cache": str(state),
        "Dir::Cache::archives": "archives/",
        "Dir::State": str(state),
        "Dir::State::lists": "lists/",
        "Dir::State::status": str(state / "status"),
        "Dir::Etc::sourcelist": str(state / "sources.list"),
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Default-Release": RELEASE,
        "APT::Update::Error-Mode": "any",
    }
    return ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]


def mirrors() -> list[str]:
    """Where this machine's apt would look for Debian itself, in any kind of sources file, best first."""
    uris = _run(["apt-get", "update", "--print-uris"], "This machine's apt can't say what its mirrors are")
    suites: dict[str, int] = {}
    for mirror, suite in re.findall(r"^'(\S+)/dists/([^/']+)/InRelease'", uris, re.MULTILINE):
        if not suite.endswith("-security"):
            suites[mirror] = suites.get(mirror, 0) + 1
    # Debian itself comes in several suites (bookworm, bookworm-updates), others in one; the signature decides anyway.
    return sorted(suites, key=lambda mirror: (not mirror.endswith("/debian"), -suites[mirror]))


def _run(words: list[str], failing: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=FETCH_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise MicroPythonError(f"{failing}: no answer in {FETCH_LIMIT_S} s; look at the network.") from error
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise MicroPythonError(f"{failing}: {reason}")
    return done.stdout


def main() -> int:
    """Find or fetch MicroPython for the architectures named on the command line; answers the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator.console.micropython", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("architecture", nargs="+", choices=get_args(Architecture))
    for architecture in parser.parse_args().architecture:
        try:
            words = command(architecture)
        except MicroPythonError as error:
            sys.stderr.write(f"micropython: {error}\n")
            return 1
        sys.stdout.write(f"{architecture}: {words[-1]}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
