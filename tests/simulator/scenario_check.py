"""A scenario's files into a database, by the commands that users have."""

import os
import subprocess
import sys
from pathlib import Path

from simulator.scenario_run import Run

TRIVOX = str(Path(sys.executable).with_name("trivox"))


def trivox(*words: str) -> str:
    done = subprocess.run([TRIVOX, *words], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def prepare(folder: Path, database: Path) -> None:
    """Run the scenario's own script, with `trivox` on the path as users have it."""
    environment = {**os.environ, "PATH": f"{Path(TRIVOX).parent}:{os.environ['PATH']}"}
    environment.pop("TRIVOX", None)
    words = [folder / "prepare.sh", database]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def take_in(folder: Path, database: Path) -> str:
    """The script, then `trivox ingest`; what that said."""
    prepare(folder, database)
    return trivox("ingest", str(folder / "messages.ndjson"), "--database", str(database))


def is_as_expected(folder: Path, database: Path, rows_at_least: int = 100) -> None:
    """Every report equals what is expected, and that is something."""
    said = trivox("simulate", str(folder), "--check", str(database))
    run = Run(folder)
    rows = sum(len(run.expected(*report)) for report in run.reports)
    assert said == f"All {rows} rows of 13 reports are as they must be.\n"
    assert rows >= rows_at_least
