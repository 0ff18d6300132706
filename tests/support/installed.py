"""Install trivox from a wheel, as users do: in an environment of its own, with no clone in sight."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from simulator.console.files import ROOT
from tests.support.once import one_worker

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
    source = place.folder / "source"
    _copy_clone(source)
    pip = (sys.executable, "-m", "pip")
    _run(*pip, "wheel", *NO_BUILDING, "--no-build-isolation", "-w", str(place.wheel.parent), str(source))
    shutil.rmtree(source)
    (wheel,) = place.wheel.parent.iterdir()
    venv.create(place.folder / "venv", symlinks=True)
    _run(*pip, "--python", str(place.python), "install", *NO_BUILDING, "--no-compile", str(wheel))
    wheel.rename(place.wheel)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = place.folder / "venv" / "lib" / version / "site-packages"
    # A line with a folder: its own `.pth` files, such as that of this clone, do not count.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (place.folder / "cache" / "trivox").mkdir(parents=True)
    (place.folder / "cache" / "trivox" / "micropython").symlink_to(ROOT / ".cache" / "micropython")


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


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
