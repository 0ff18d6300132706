"""The outbox on LittleFS on a NOR flash, under MicroPython: room for 5,000 events, wear, power cuts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from simulator.console.micropython import Architecture, command
from tests.support.seeds import seeded

HERE = Path(__file__).parent
ENVIRONMENT = {"MICROPYPATH": f".frozen:{HERE.parents[1] / 'firmware'}"}

POWER_CUTS = 60

both_geometries = pytest.mark.parametrize("prog_size", [32, 256])


def words(job: str, prog_size: int, *more: object, architecture: Architecture = "amd64") -> list[str]:
    return [*command(architecture), str(HERE / "flash_work.py"), job, str(prog_size), *map(str, more)]


def work(folder: Path, *job: Any, architecture: Architecture = "amd64") -> dict[str, Any]:
    run = subprocess.run(
        words(*job, architecture=architecture),
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, f"{job}: {run.stdout}{run.stderr}"  # the seed is among the words of `job`
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return result


@both_geometries
def test_5000_events_in_848_kb_at_little_wear(prog_size: int, tmp_path: Path) -> None:
    figures = work(tmp_path, "wear", prog_size, architecture="i386")
    assert figures["erases, acknowledged"] <= 200
    assert figures["erases, 32 behind"] <= 200
    assert figures["erases, offline"] <= 250
    assert figures["heap bytes"] <= 8000
    assert figures["free blocks"] >= 90
    for name in ("reads, acknowledged", "reads, 32 behind", "reads, offline"):
        assert figures[name] <= {32: 40000, 256: 10000}[prog_size]


@both_geometries
def test_a_full_flash_keeps_the_newest(prog_size: int, tmp_path: Path) -> None:
    assert work(tmp_path, "no_space", prog_size)["held"] >= 500


@both_geometries
def test_events_lost_to_a_full_flash_after_a_start_are_counted(prog_size: int, tmp_path: Path) -> None:
    lost = work(tmp_path, "no_space_in_doubt", prog_size)
    assert 40 < lost["lost"] <= lost["lost by the console's count"]


@both_geometries
def test_power_cuts_lose_nothing_that_was_stored(prog_size: int, tmp_path: Path) -> None:
    seed = seeded(f"cuts {prog_size}").randrange(1 << 24)
    life: dict[str, Any] = {}
    for cut in range(POWER_CUTS):
        life = work(tmp_path, "power_cut", prog_size, seed + cut, json.dumps(life))
    assert life["boots"] >= POWER_CUTS
    assert life["stored"] > POWER_CUTS


@both_geometries
def test_a_killed_process_leaves_all_that_it_reported(prog_size: int, tmp_path: Path) -> None:
    reported = 0
    for count in (1, 40, 200):
        with subprocess.Popen(
            words("endless", prog_size), cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            for _ in range(count):
                reported = int(process.stdout.readline())
            process.kill()
            reported = int((process.stdout.read().rpartition("\n")[0] or str(reported)).splitlines()[-1])
    held = work(tmp_path, "held", prog_size)
    assert held["boot"] == 4
    assert held["events"][:reported] == list(range(1, reported + 1))
    assert len(held["events"]) <= reported + 1
