"""The builder of MicroPython's image says what is wrong in one sentence, and writes what `console flash` reads."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.ops.flash.micropython_image import read_micropython_image
from tests.support.seeds import seeded

BUILDER = Path(__file__).parents[2] / "firmware" / "image"


@pytest.fixture
def chance() -> random.Random:
    return seeded("images of MicroPython")


def build(*words: str | Path, path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BUILDER / "build.py", *words]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("size", [1, 256, 100_001])
def test_console_flash_reads_its_uf2_files(
    size: int, chance: random.Random, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BUILDER))
    from uf2 import uf2  # the builder is a program, not a package

    image = chance.randbytes(size)
    file = tmp_path / "made.uf2"
    file.write_bytes(uf2(image))
    read = read_micropython_image(file, hashlib.sha256(file.read_bytes()).hexdigest())
    assert read.family == "rp2"
    assert read.image.rstrip(b"\0") == image.rstrip(b"\0")


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path) -> None:
    sources = tmp_path / "cache" / "sources"
    sources.mkdir(parents=True)
    (sources / "packages.txt").write_text("micropython_1.25.0+ds.orig.tar.xz\n")
    done = build(tmp_path / "out", "--cache", tmp_path / "cache", path="/nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "image: MicroPython can't be compiled: arm-none-eabi-gcc is not installed; run: .ci/setup --image"
    ]


def test_without_apt_it_says_so(tmp_path: Path) -> None:
    done = build(tmp_path / "out", "--cache", tmp_path / "cache", path="/nowhere")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt-get is not installed" in done.stderr
    assert not (tmp_path / "cache" / "sources").exists()
