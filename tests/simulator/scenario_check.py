"""A scenario's files into a database, by the commands that users have."""

import json
import os
import subprocess
import sys
from pathlib import Path

from simulator.scenario_run import Run
from tests.support import forked

TRIVOX = str(Path(sys.executable).with_name("trivox"))


def trivox(*words: str) -> str:
    done = forked.run(*words, limit_s=280)
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
    """Every report equals what is expected, and that is something; as `trivox simulate --check` has it."""
    run = Run(folder)
    assert len(run.reports) == 13
    for by, force_majeure in run.reports:
        words = ["--from", run.from_on, "--to", run.to_on, "--by", by, "--format", "json", "--database", str(database)]
        words += [] if force_majeure == "default" else ["--force-majeure", force_majeure]
        assert run.differences(json.loads(trivox("report", *words)), by, force_majeure) == []
    assert sum(len(run.expected(*report)) for report in run.reports) >= rows_at_least
