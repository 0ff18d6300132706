"""Run `trivox simulate SCENARIO`, with a progress bar and a sentence about the result."""

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
from simulator.programs.program import shown
from simulator.scenario.file import ScenarioError
from simulator.scenario.run_folder import Run
from simulator.scenario.scenario import Scenario, Speed, folder_named
from simulator.text import plural

SHOWN_MAX = 20  # differences


def run_scenario(
    name: str | Path,
    *,
    seed: int | None = None,
    folder: Path | None = None,
    broker: str | None = None,
    database: Path | None = None,
    speed: Speed = "fast",
    first_day: date | None = None,
    days: int | None = None,
    jobs: int | None = None,
) -> str:
    """Write a scenario's files into `folder`, or play it live to `broker`; return a sentence on the result."""
    scenario = Scenario.load(name, seed=seed, first_day=first_day, days=days)
    folder = folder or folder_named(scenario.name, Path())
    if broker is None:
        return _write(scenario, folder, database, jobs)
    return _play(scenario, folder, database, broker, speed)


def _write(scenario: Scenario, folder: Path, database: Path | None, jobs: int | None) -> str:
    plan = scenario.plan
    with progress_bar("writing", plan.days * len(plan.sites)) as progress:
        run = scenario.write(folder, database=database, jobs=jobs or os.cpu_count() or 1, progress=progress)
    trivox, named = shown("trivox"), "DATABASE" if database is None else str(database)
    prepare = f"`{folder}/prepare.sh {named}` and " if database is None else ""
    return (
        f"{plural(run.events, 'event')} {'is' if run.events == 1 else 'are'} in {folder}. Take them in with {prepare}"
        f"`{trivox} ingest {run.messages} --database {named}`; then `{trivox} simulate {folder} --check {named}` "
        "compares the reports with what people did."
    )


def _play(scenario: Scenario, folder: Path, database: Path | None, broker: str, speed: Speed) -> str:
    began_s = time.monotonic()
    with progress_bar("live", len(scenario.consoles)) as progress:
        run = scenario.play(broker, folder, speed=speed, database=database, progress=progress)
    return (
        f"{plural(run.events, 'event')} of {plural(len(scenario.consoles), 'console')} were acknowledged in "
        f"{time.monotonic() - began_s:.1f} s; `{shown('trivox')} simulate {folder} --check {database or 'DATABASE'}` "
        "compares the reports with what people did."
    )


def check(folder: Path, database: Path) -> str:
    """Compare the reports on a database with what a run's folder expects; raises ScenarioError with the differences."""
    run = Run(folder)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each thread waits for a process
        per_report = pool.map(lambda report: _differences(run, database, *report), run.reports)
        found = [sentence for sentences in per_report for sentence in sentences]
    if found:
        more = [f"and {len(found) - SHOWN_MAX} more"] if len(found) > SHOWN_MAX else []
        error = ScenarioError(f"The reports on {database} are not what {folder} expects:")
        error.lines = [*found[:SHOWN_MAX], *more]
        raise error
    rows = sum(len(run.expected(*report)) for report in run.reports)
    return f"All {plural(rows, 'row')} of {plural(len(run.reports), 'report')} are as expected."


def _differences(run: Run, database: Path, by: str, force_majeure: ForceMajeure) -> list[str]:
    """Return a sentence for each difference in one report of the command `trivox report`."""
    command = [str(Path(sys.executable).with_name("trivox")), "report", "--database", str(database), "--format", "json"]
    command += ["--from", run.from_on, "--to", run.to_on, "--by", by]
    command += [] if force_majeure == "default" else ["--force-majeure", force_majeure]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        raise ScenarioError(done.stderr.strip().removeprefix("trivox: "))
    sentences = run.differences(json.loads(done.stdout), by, force_majeure)
    return [f"by {by}, {sentence}" for sentence in sentences]


@contextmanager
def progress_bar(title: str, total: int) -> Iterator["_Bar"]:
    """Yield a progress bar on standard error, if that is a terminal; call it with (events, done of the total)."""
    screen = Screen(file=getattr(sys.stderr, "below", sys.stderr))  # the command's own escapes what steers a terminal
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        yield _Bar(bar, title, total)


class _Bar:
    def __init__(self, bar: Progress, title: str, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task(title, total=total, events=0)

    def __call__(self, events: int, done: int) -> None:
        self._bar.update(self._task, completed=done, events=events)
