"""Take a scenario's files into a database with the commands that users have."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from simulator.scenario.run_folder import Run
from tests.support import forked

TRIVOX = str(Path(sys.executable).with_name("trivox"))


def trivox(*words: str) -> str:
    done = forked.run(*words, limit_s=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


def prepare(folder: Path, database: Path) -> None:
    """Run the scenario's own script from elsewhere, without `trivox` on the path: it finds the one that wrote it."""
    assert shutil.which("trivox", path=os.defpath) is None
    words = [folder.absolute() / "prepare.sh", database.absolute()]
    environment = {"PATH": os.defpath}
    done = subprocess.run(words, cwd="/", env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr


def take_in(folder: Path, database: Path) -> str:
    """Run the script, then `trivox ingest`; return its output."""
    prepare(folder, database)
    return trivox("ingest", str(folder / "messages.ndjson"), "--database", str(database))


def is_as_expected(folder: Path, database: Path, rows_at_least: int = 100) -> None:
    """Check that every report is as expected, and that they have enough rows.

    What `trivox simulate --check` does (test_scenario_commands.py), without starting a program for each report.
    """
    run = Run(folder)
    assert len(run.reports) == 13
    for by, force_majeure in run.reports:
        assert run.differences(reported(run, database, by, force_majeure), by, force_majeure) == []
    assert sum(len(run.expected(*report)) for report in run.reports) >= rows_at_least


def reported(run: Run, database: Path, by: str, force_majeure: str) -> list[dict[str, Any]]:
    """Return the rows of `trivox report` for the run's period."""
    words = ["report", "--database", str(database), "--format", "json", "--by", by]
    words += ["--from", run.from_on, "--to", run.to_on]
    words += [] if force_majeure == "default" else ["--force-majeure", force_majeure]
    rows: list[dict[str, Any]] = json.loads(trivox(*words))
    return rows
