"""Run Python and pytest in a project of somebody else that has trivox installed."""

import os
import subprocess
import sys
from pathlib import Path

LIMIT_S = 240


def run_python(folder: Path, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder`, without the variables of our own test run; `path` is its PATH, by default ours."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TRIVOX"))}
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def run_tests(folder: Path, files: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on these files, with warnings as errors."""
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    words = ("-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'temporary'}", *options)
    return run_python(folder, "-m", "pytest", *words)
