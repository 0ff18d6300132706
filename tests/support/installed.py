"""Install trivox from a wheel, as users do: in an environment of its own, with no clone in sight."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from simulator.console.files import ROOT
from tests.support.once import one_worker

BUILD = """
import os, shutil, sys
from setuptools import build_meta

target = sys.argv[1]
name = build_meta.build_sdist(".")
shutil.unpack_archive(name, "unpacked")
os.chdir(os.path.join("unpacked", name.removesuffix(".tar.gz")))
build_meta.build_wheel(target)
"""
NO_BUILDING = ("--no-deps", "--no-index", "--disable-pip-version-check", "-q")


class Installed:
    """The environment in a folder; what it depends on is that of this one, which has all but trivox itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        self.trivox = folder / "venv" / "bin" / "trivox"
        self.wheel = folder / "wheels" / "trivox.whl"

    @property
    def environment(self) -> dict[str, str]:
        """The variables for its commands, with a cache that holds the MicroPython of this clone."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("TRIVOX", "PYTHON"))}
        return {**ours, "XDG_CACHE_HOME": str(self.folder / "cache")}

    def run(self, *words: str, says: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of it to its end; without `cwd` in its folder."""
        return subprocess.run(
            words, cwd=cwd or self.folder, env=self.environment, input=says, capture_output=True, text=True, check=False
        )


def installed(factory: pytest.TempPathFactory) -> Installed:
    """Return the environment, made once for all workers."""
    with one_worker(factory, "installed") as shared:
        folder, done = shared / "installed", shared / "installed.done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(Installed(folder))
            done.touch()
    return Installed(folder)


def _make(place: Installed) -> None:
    venv.create(place.folder / "venv", symlinks=True)
    ours = Path(sysconfig.get_path("purelib"))
    packages = place.folder / "venv" / ours.relative_to(sys.prefix)
    wheel = _build(place, ours, packages)
    pip = (sys.executable, "-m", "pip", "--python", str(place.python))
    _run(*pip, "install", *NO_BUILDING, "--no-compile", str(wheel))
    wheel.rename(place.wheel)
    # A line with a folder: its own `.pth` files, such as that of this clone, do not count.
    (packages / "dependencies.pth").write_text(f"{ours}\n")
    place.trivox.with_name("sqlite-utils").symlink_to(Path(sys.executable).with_name("sqlite-utils"))
    (place.folder / "cache" / "trivox").mkdir(parents=True)
    (place.folder / "cache" / "trivox" / "micropython").symlink_to(ROOT / ".cache" / "micropython")


def _build(place: Installed, ours: Path, packages: Path) -> Path:
    """Build the wheel, from a source distribution, with what the project says that it needs and nothing else."""
    source = place.folder / "source"
    _copy_clone(source)
    needed = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    modules = [re.split("[>=]", name)[0].replace("-", "_") for name in needed]
    found = [path for name in (*modules, "_distutils_hack") for path in ours.glob(f"{name}*")]  # with its .dist-info
    links = [packages / path.name for path in found]
    for link, path in zip(links, found, strict=True):
        link.symlink_to(path)
    place.wheel.parent.mkdir()
    _run(str(place.python), "-c", BUILD, str(place.wheel.parent), cwd=source)
    for link in links:
        link.unlink()
    shutil.rmtree(source)
    (wheel,) = place.wheel.parent.iterdir()
    return wheel


def _copy_clone(target: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def _run(*words: str, cwd: Path | None = None) -> None:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
