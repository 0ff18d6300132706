"""Find MicroPython for the simulated consoles, or fetch it: `trivox micropython` does so beforehand.

A `micropython` on PATH is used if it is 1.25 or newer, has the word size asked for and what the stand-ins need.
Otherwise Debian trixie's package is unpacked into the folder `CACHE`, without touching the system's own packages: apt
fetches it from a mirror that this machine's apt knows, and checks its signature.
"""

import functools
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from simulator.console.files import cache_folder
from simulator.errors import MicroPythonError

Architecture = Literal["amd64", "i386"]

Say = Callable[[str], None]
"""Called with a sentence about what is done."""

CACHE = cache_folder() / "micropython"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
RELEASE = "trixie"
OLDEST = (1, 25)
FETCH_LIMIT_S = 300
LOOK_S = 0.2

_BITS: dict[Architecture, int] = {"amd64": 64, "i386": 32}
_LIBRARIES: dict[Architecture, str] = {"amd64": "x86_64-linux-gnu", "i386": "i386-linux-gnu"}
_LOADERS: dict[Architecture, str] = {"amd64": "ld-linux-x86-64.so.2", "i386": "ld-linux.so.2"}
_PROBE = (
    "import sys, ffi, _thread, vfs, asyncio, select; vfs.VfsLfs2; v = sys.implementation.version;"
    "print(v[0], v[1], 64 if sys.maxsize > 1 << 32 else 32)"
)


@functools.cache
def command(architecture: Architecture = "amd64") -> list[str]:
    """Return the command that starts MicroPython of that architecture, as words; fetch it first if needed.

    Raises MicroPythonError with a sentence that says what to do.
    """
    return prepare(architecture, lambda _: None)


def prepare(architecture: Architecture, say: Say) -> list[str]:
    """Return what `command` returns, and say where MicroPython is or what is fetched, from where and to where."""
    if os.name != "posix":
        raise MicroPythonError("Simulated consoles need Linux: use another machine, or on Windows its WSL.")
    name = f"MicroPython of {_BITS[architecture]} bits"
    on_path = shutil.which("micropython")
    if on_path and _is_suitable([on_path], architecture):
        say(f"{name}: {on_path}, which is on PATH.")
        return [on_path]
    folder = CACHE / architecture
    words = _unpacked_command(folder, architecture)
    if not _is_suitable(words, architecture):
        with _lock(architecture):
            if not _is_suitable(words, architecture):  # another process may have fetched it meanwhile
                _fetch(folder, architecture, say)
    say(f"{name}: {words[-1]}.")
    return words


def _is_suitable(words: list[str], architecture: Architecture) -> bool:
    """Return whether this MicroPython runs here, is new enough, and has the word size and the modules needed."""
    try:
        probe = subprocess.run(
            [*words, "-c", _PROBE], capture_output=True, encoding="utf-8", errors="replace", timeout=20, check=False
        )
        major, minor, bits = map(int, probe.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return (major, minor) >= OLDEST and bits == _BITS[architecture]


def _unpacked_command(folder: Path, architecture: Architecture) -> list[str]:
    """Return the command that starts the MicroPython unpacked in that folder, with its own loader and libraries."""
    libraries = folder / "usr/lib" / _LIBRARIES[architecture]
    loader = libraries / _LOADERS[architecture]
    return [str(loader), "--library-path", str(libraries), str(folder / "usr/bin/micropython")]


@contextmanager
def _lock(architecture: Architecture) -> Iterator[None]:
    """Keep other processes from fetching at the same time."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        file = (CACHE / f"{architecture}.lock").open("w", encoding="utf-8")
    except OSError as error:
        raise MicroPythonError(f"Can't store MicroPython in {CACHE}: {error.strerror}; make it writable.") from error
    with file:
        end_s = time.monotonic() + FETCH_LIMIT_S
        while not _is_taken(file):
            if time.monotonic() > end_s:
                raise MicroPythonError(
                    f"Another process has been fetching MicroPython for {FETCH_LIMIT_S} s: end it, then try again."
                )
            time.sleep(LOOK_S)
        yield


def _is_taken(file: IO[str]) -> bool:
    import fcntl  # noqa: PLC0415 - Windows lacks it, and shows the commands' help all the same

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _fetch(folder: Path, architecture: Architecture, say: Say) -> None:
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise MicroPythonError(
                f"Fetching MicroPython needs Debian's {program}, which is not installed; "
                "put micropython 1.25 or newer on PATH."
            )
    if not KEYRING.exists():
        raise MicroPythonError(f"Debian's keys are missing ({KEYRING}); run: apt-get install debian-archive-keyring.")
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f".{architecture}-") as name:
        work = Path(name)
        packages = download(work, architecture, say)
        say(f"Unpacking {', '.join(package.name for package in packages)} into {folder}.")
        for package in packages:
            _run(["dpkg-deb", "-x", str(package), str(work / "root")], f"Can't unpack {package.name}")
        shutil.rmtree(work / "root/usr/share", ignore_errors=True)
        if not _is_suitable(_unpacked_command(work / "root", architecture), architecture):
            raise MicroPythonError(
                f"MicroPython for {architecture} was fetched, but does not run here; "
                f"put a {_BITS[architecture]}-bit micropython 1.25 or newer on PATH."
            )
        shutil.rmtree(folder, ignore_errors=True)
        (work / "root").rename(folder)


def download(work: Path, architecture: Architecture, say: Say) -> list[Path]:
    """Download MicroPython and all that it depends on from the first mirror that has them; return the packages."""
    candidates = mirrors()
    if not candidates:
        raise MicroPythonError(
            "This machine's apt has no Debian mirror; add one, or put micropython 1.25 or newer on PATH."
        )
    reasons = []
    for number, mirror in enumerate(candidates):
        state = work / str(number)
        for part in ("lists/partial", "archives/partial"):
            (state / part).mkdir(parents=True)
        (state / "status").touch()
        (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {RELEASE} main\n", "utf-8")
        apt = _apt(state, architecture)
        say(
            f"Fetching Debian {RELEASE}'s package micropython for {architecture}, and what it needs, from {mirror}; "
            "apt checks Debian's signature."
        )
        try:
            _run([*apt, "update"], f"Can't use {mirror}")
            _run([*apt, "--yes", "--no-install-recommends", "--download-only", "install", "micropython"], mirror)
        except MicroPythonError as error:
            reasons.append(str(error))
            continue
        return sorted((state / "archives").glob("*.deb"))
    raise MicroPythonError(f"MicroPython can't be fetched from Debian {RELEASE}: {'; '.join(reasons)}")


def _apt(state: Path, architecture: Architecture) -> list[str]:
    """Return the command of an apt with a state of its own, which uses this machine's proxies and certificates."""
    import pwd  # noqa: PLC0415 - see `_is_taken`

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
    """Return the Debian mirrors that this machine's apt uses, from any kind of sources file, the best first."""
    uris = _run(["apt-get", "update", "--print-uris"], "Can't ask this machine's apt for its mirrors")
    suites: dict[str, int] = {}
    for mirror, suite in re.findall(r"^'(\S+)/dists/([^/']+)/InRelease'", uris, re.MULTILINE):
        if not suite.endswith("-security"):
            suites[mirror] = suites.get(mirror, 0) + 1
    # Debian itself has several suites (bookworm, bookworm-updates), others have one; the signature decides anyway.
    return sorted(suites, key=lambda mirror: (not mirror.endswith("/debian"), -suites[mirror]))


def _run(words: list[str], problem: str) -> str:
    """Run a command and return its output; raises MicroPythonError, which begins with `problem`, if it fails."""
    try:
        done = subprocess.run(
            words, capture_output=True, encoding="utf-8", errors="replace", timeout=FETCH_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MicroPythonError(f"{problem}: no answer in {FETCH_LIMIT_S} s; check the network.") from error
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise MicroPythonError(f"{problem}: {reason}")
    return done.stdout
