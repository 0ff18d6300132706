"""A scenario's files into a database, and its reports held against expected.json."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TRIVOX = str(Path(sys.executable).with_name("trivox"))
KEYS = (
    *("site_id", "console_id", "seller_id", "checkout_point_id", "day", "hour", "week", "month"),
    *("question_id", "question_revision"),
)
Row = dict[str, Any]


def trivox(*words: str) -> str:
    done = subprocess.run([TRIVOX, *words], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def prepare(folder: Path, database: Path) -> None:
    """Run the scenario's own script."""
    environment = {**os.environ, "TRIVOX": TRIVOX}
    words = [folder / "prepare.sh", database]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def take_in(folder: Path, database: Path) -> str:
    """The script, then `trivox ingest`; what that said."""
    prepare(folder, database)
    return trivox("ingest", str(folder / "messages.ndjson"), "--database", str(database))


def compare(folder: Path, database: Path) -> int:
    """Every report equals what is expected; how many rows were compared."""
    whole = json.loads((folder / "expected.json").read_text("utf-8"))
    compared = 0
    for report in whole["reports"]:
        words = ["report", "--database", str(database), "--from", whole["from"], "--to", whole["to"]]
        words += ["--by", report["by"], "--format", "json"]
        if report["force_majeure"] != "default":
            words += ["--force-majeure", report["force_majeure"]]
        equal(json.loads(trivox(*words)), report["rows"], f"by {report['by']}, {report['force_majeure']}")
        compared += len(report["rows"])
    return compared


def equal(reported: list[Row], true: list[Row], where: str) -> None:
    """Each true row is reported, no other row has surveys, and every figure is the same."""
    columns = [name for name in true[0] if name in KEYS]
    by_key = {tuple(row[name] for name in columns): row for row in reported}
    assert len(by_key) == len(reported), where
    for row in true:
        other = by_key.pop(tuple(row[name] for name in columns), None)
        assert other is not None, f"{where}: no row for {row}"
        for name, value in row.items():
            _same(other[name], value, f"{where}: {name} of {[row[key] for key in columns]}")
    assert not [row for row in by_key.values() if row["surveys"] or row["force_majeures"]], where


def _same(reported: Any, true: Any, where: str) -> None:
    if isinstance(true, dict):
        assert reported is not None, where
        for name, value in true.items():
            assert reported[name] == pytest.approx(value, abs=1e-9), f"{where}.{name}"
    else:
        assert reported == true, where
