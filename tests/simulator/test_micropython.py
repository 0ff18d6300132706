"""MicroPython is taken from PATH, found in the cache, or fetched; what goes wrong is reported in a sentence."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator import MicroPythonError
from simulator.console import micropython
from tests.support.command import trivox


@pytest.fixture(autouse=True)
def anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the test a cache of its own, with nothing remembered."""
    monkeypatch.setattr(micropython, "CACHE", tmp_path / "cache")
    micropython.command.cache_clear()
    yield
    micropython.command.cache_clear()


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that puts a `micropython` on PATH which prints the given words."""

    def put(words: str) -> str:
        program = tmp_path / "bin" / "micropython"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {words}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return str(program)

    return put


@pytest.mark.parametrize("words", ["1 25 64", "1 30 64", "2 0 64"])
def test_a_recent_micropython_on_path_is_preferred(on_path: Callable[[str], str], words: str) -> None:
    program = on_path(words)
    assert micropython.command("amd64") == [program]


def test_a_32_bit_micropython_serves_for_i386(on_path: Callable[[str], str]) -> None:
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
# Prints its sources; of the mirrors, only two.example has the package.
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
    """Put an `apt-get` on PATH before this machine's; return the file that it reads its sources from."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "apt-get"
    program.write_text(APT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "sources"


@pytest.mark.parametrize("words", ["1 19 64", "1 25 32", "ImportError", ""])
def test_an_unsuitable_micropython_on_path_is_skipped(on_path: Callable[[str], str], apt: Path, words: str) -> None:
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
def test_the_mirror_of_this_machine_comes_first(apt: Path, sources: str, first: str) -> None:
    apt.write_text(sources)
    mirrors = micropython.mirrors()
    assert mirrors[0] == first
    assert not any("security" in mirror for mirror in mirrors)


def test_a_mirror_that_fails_is_followed_by_the_next(apt: Path, tmp_path: Path) -> None:
    sources = [f"'http://{name}.example/debian/dists/trixie/InRelease' x 0 \n" for name in ("one", "two")]
    apt.write_text("".join(sources))
    assert [path.name for path in micropython.download(tmp_path, "amd64", print)] == ["micropython.deb"]
    apt.write_text(sources[0])
    with pytest.raises(MicroPythonError, match=r"Can't use \S+one\.example/debian: not signed"):
        micropython.download(tmp_path / "again", "amd64", print)


def test_a_machine_without_mirror_is_told_what_to_do(apt: Path, tmp_path: Path) -> None:
    apt.write_text("")
    with pytest.raises(MicroPythonError, match="no Debian mirror; add one"):
        micropython.download(tmp_path, "amd64", print)


def test_a_machine_without_apt_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MicroPythonError, match=r"put micropython 1\.25 or newer on PATH"):
        micropython.command("amd64")


def test_a_cache_that_can_not_be_written_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(micropython, "CACHE", tmp_path / "file")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MicroPythonError, match="make it writable"):
        micropython.command("amd64")


def test_the_command_says_what_it_fetches_and_from_where(apt: Path, tmp_path: Path) -> None:
    apt.write_text("'http://two.example/debian/dists/trixie/InRelease' x 0 \n")
    done = trivox("micropython", "i386")
    package = "Debian trixie's package micropython for i386"
    assert f"Fetching {package}, and what it needs, from http://two.example/debian; apt" in done.stdout
    assert f"Unpacking micropython.deb into {tmp_path / 'cache' / 'i386'}." in done.stdout
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)  # this package is empty
    assert "Can't unpack micropython.deb" in done.stderr


def test_the_command_says_where_micropython_is(on_path: Callable[[str], str]) -> None:
    program = on_path("1 25 64")
    done = trivox("micropython", "amd64")
    assert (done.returncode, done.stdout) == (0, f"MicroPython of 64 bits: {program}, which is on PATH.\n")


def test_an_unknown_architecture_is_wrong_usage() -> None:
    assert trivox("micropython", "arm").returncode == 2
