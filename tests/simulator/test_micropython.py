"""MicroPython is taken from PATH, found in the cache, or fetched; what goes wrong is told in a sentence."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator import MicroPythonError
from simulator.console import micropython


@pytest.fixture(autouse=True)
def anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache of its own, and nothing remembered."""
    monkeypatch.setattr(micropython, "CACHE", tmp_path / "cache")
    micropython.command.cache_clear()
    yield
    micropython.command.cache_clear()


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Puts a program named micropython on PATH that answers with these words."""

    def put(words: str) -> str:
        program = tmp_path / "bin" / "micropython"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {words}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return str(program)

    return put


@pytest.mark.parametrize("words", ["1 25 64", "1 30 64", "2 0 64"])
def test_a_new_enough_one_on_path_goes_first(on_path: Callable[[str], str], words: str) -> None:
    program = on_path(words)
    assert micropython.command("amd64") == [program]


def test_one_of_32_bits_serves_for_i386(on_path: Callable[[str], str]) -> None:
    program = on_path("1 25 32")
    assert micropython.command("i386") == [program]


ONE_LINE = """\
'http://ftp.bg.debian.org/debian/dists/bookworm/InRelease' x 0
'http://ftp.bg.debian.org/debian/dists/bookworm-updates/InRelease' x 0
'http://security.debian.org/debian-security/dists/bookworm-security/InRelease' x 0
"""
CACHED = "'https://cache.example/repository/deb/dists/trixie/InRelease' x 0\n"
OTHERS = """\
'https://download.example/linux/debian/dists/bookworm/InRelease' x 0
'https://deb.example/node_20.x/dists/nodistro/InRelease' x 0
"""


APT = """#!/bin/sh
# Names its sources; of the mirrors only two.example has what is asked for.
for word; do
  case $word in
    --print-uris) exec cat "$(dirname "$0")/sources" ;;
    -oDir::State=*) state=${word#*=} ;;
  esac
done
if ! grep -q two.example "$state/sources.list"; then echo "not signed" >&2; exit 100; fi
touch "$state/archives/micropython.deb"
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an `apt-get` reads its sources that goes before this machine's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "apt-get"
    program.write_text(APT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "sources"


@pytest.mark.parametrize("words", ["1 19 64", "1 25 32", "ImportError", ""])
def test_another_is_passed_over(on_path: Callable[[str], str], apt: Path, words: str) -> None:
    on_path(words)
    apt.write_text("")
    with pytest.raises(MicroPythonError, match="apt has no Debian mirror"):  # so one was to be fetched
        micropython.command("amd64")


@pytest.mark.parametrize(
    ("sources", "first"),
    [
        (ONE_LINE, "http://ftp.bg.debian.org/debian"),
        (OTHERS + ONE_LINE, "http://ftp.bg.debian.org/debian"),
        (CACHED, "https://cache.example/repository/deb"),
    ],
)
def test_the_machines_own_mirror_is_asked_first(apt: Path, sources: str, first: str) -> None:
    apt.write_text(sources)
    mirrors = micropython.mirrors()
    assert mirrors[0] == first
    assert not any("security" in mirror for mirror in mirrors)


def test_a_mirror_that_fails_is_followed_by_the_next(apt: Path, tmp_path: Path) -> None:
    sources = [f"'http://{name}.example/debian/dists/trixie/InRelease' x 0 \n" for name in ("one", "two")]
    apt.write_text("".join(sources))
    assert [path.name for path in micropython.download(tmp_path, "amd64")] == ["micropython.deb"]
    apt.write_text(sources[0])
    with pytest.raises(MicroPythonError, match=r"one\.example/debian can't be used: not signed"):
        micropython.download(tmp_path / "again", "amd64")


def test_a_machine_without_mirror_is_told_what_to_do(apt: Path, tmp_path: Path) -> None:
    apt.write_text("")
    with pytest.raises(MicroPythonError, match="no Debian mirror; add one"):
        micropython.download(tmp_path, "amd64")


def test_a_machine_without_apt_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MicroPythonError, match=r"put micropython 1\.25 on PATH"):
        micropython.command("amd64")


def test_a_cache_that_can_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(micropython, "CACHE", tmp_path / "file")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MicroPythonError, match="make it writable"):
        micropython.command("amd64")


def test_an_unknown_architecture_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulator.console.micropython", "arm"], capture_output=True, check=False
    )
    assert done.returncode == 2
