"""What `trivox simulate SCENARIO` does: `simulator.scenario.scenario`, with bars and sentences."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console as Screen
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from simulator.oracle.facts import ForceMajeure
from simulator.scenario.file import ScenarioError
from simulator.scenario.run_folder import Run
from simulator.scenario.scenario import Scenario, Speed, folder_named

SHOWN = 20  # differences


def run_scenario(
    name: str | Path,
    *,
    seed: int | None = None,
    to: Path | None = None,
    broker: str | None = None,
    database: Path | None = None,
    speed: Speed = "fast",
    first_day: date | None = None,
    days: int | None = None,
    jobs: int | None = None,
) -> str:
    """Run a scenario into the folder `to`, or live against `broker`; a sentence on what was done."""
    scenario = Scenario.load(name, seed=seed, first_day=first_day, days=days)
    folder = to or folder_named(scenario.name, Path())
    if broker is None:
        return _write(scenario, folder, database, jobs)
    return _play(scenario, folder, database, broker, speed)


def _write(scenario: Scenario, folder: Path, database: Path | None, jobs: int | None) -> str:
    order = scenario.order
    with progress_bar("filling", order.days * len(order.places)) as progress:
        run = scenario.write(folder, database=database, jobs=jobs or os.cpu_count() or 1, progress=progress)
    base = "DATABASE" if database is None else str(database)
    prepare = f"`{folder}/prepare.sh {base}` and " if database is None else ""
    return (
        f"{run.events} events are in {folder}. Take them in with {prepare}`trivox ingest {run.messages} --database "
        f"{base}`; then `trivox simulate {folder} --check {base}` holds the reports against what people did."
    )


def _play(scenario: Scenario, folder: Path, database: Path | None, broker: str, speed: Speed) -> str:
    began_s = time.monotonic()
    with progress_bar("live", len(scenario.consoles)) as progress:
        run = scenario.play(broker, folder, speed=speed, database=database, progress=progress)
    return (
        f"{run.events} events of {len(scenario.consoles)} consoles were acknowledged in "
        f"{time.monotonic() - began_s:.1f} s; `trivox simulate {folder} --check {database or 'DATABASE'}` "
        "holds the reports against what people did."
    )


def check(folder: Path, database: Path) -> str:
    """Hold the reports on a database against what a run's folder expects; raises ScenarioError with what differs."""
    run = Run(folder)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each waits for a program
        found = [
            sentence for some in pool.map(lambda one: _different(run, database, *one), run.reports) for sentence in some
        ]
    if found:
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        sentences = "\n".join([*found[:SHOWN], *more])
        raise ScenarioError(f"The reports on {database} are not what {folder} expects:\n{sentences}")
    rows = sum(len(run.expected(*report)) for report in run.reports)
    return f"All {rows} rows of {len(run.reports)} reports are as they must be."


def _different(run: Run, database: Path, by: str, force_majeure: ForceMajeure) -> list[str]:
    """What is not as expected in one report, as the command `trivox report` gives it."""
    command = [str(Path(sys.executable).with_name("trivox")), "report", "--database", str(database), "--format", "json"]
    command += ["--from", run.from_on, "--to", run.to_on, "--by", by]
    command += [] if force_majeure == "default" else ["--force-majeure", force_majeure]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ScenarioError(done.stderr.strip().removeprefix("trivox: "))
    different = run.differences(json.loads(done.stdout), by, force_majeure)
    return [f"by {by}, {sentence}" for sentence in different]


@contextmanager
def progress_bar(what: str, total: int) -> Iterator["_Told"]:
    """A bar on standard error, where that is a terminal: to be told of (events, done of the total)."""
    screen = Screen(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        yield _Told(bar, what, total)


class _Told:
    def __init__(self, bar: Progress, what: str, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task(what, total=total, events=0)

    def __call__(self, events: int, done: int) -> None:
        self._bar.update(self._task, completed=done, events=events)
