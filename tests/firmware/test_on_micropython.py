"""The portable tests, which pytest runs on CPython, also pass on MicroPython, with 64 and with 32 bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.console.micropython import Architecture, command

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
MODULES = sorted(path.stem for path in (HERE / "portable").glob("test_*.py"))


@pytest.mark.parametrize("architecture", ["amd64", "i386"])
@pytest.mark.parametrize("module", MODULES)
def test_portable(module: str, architecture: Architecture, tmp_path: Path) -> None:
    path = os.pathsep.join([".frozen", str(FIRMWARE), str(HERE / "portable")])
    run = subprocess.run(
        [*command(architecture), str(HERE / "run_portable.py"), module],
        cwd=tmp_path,
        env={"MICROPYPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    tests = {name for name in vars(sys.modules.get(module) or __import__(module)) if name.startswith("test_")}
    assert {line.removeprefix("ok ") for line in run.stdout.splitlines()} == tests
