"""`make setup` says what it is doing while it does it, and shows all that a step printed if that fails."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / ".ci" / "setup"
PIP = """#!/bin/sh
echo "Collecting apsw==3.54 (from -r .ci/lock/host.txt (line 1))"
echo "  Downloading apsw.whl (7.2 MB)"
echo "Installing collected packages: apsw"
{end}
"""
PYTHON = """#!/bin/sh
case "$*" in *" venv "*) mkdir -p .venv/bin && cp pip .venv/bin/python && cp trivox .venv/bin/trivox ;; esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project whose packages are never fetched, as its Python only says what pip would say."""
    (tmp_path / ".ci" / "lock").mkdir(parents=True)
    shutil.copy(SETUP, tmp_path / ".ci")
    for name in (".ci/lock/host.txt", ".ci/lock/stubs-esp32.txt", ".ci/lock/stubs-rp2.txt", "pyproject.toml"):
        (tmp_path / name).write_text("apsw==3.54\n")
    for name, text in (("programs/python3", PYTHON), ("pip", PIP.format(end="")), ("trivox", "#!/bin/sh\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def set_up(project: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{project / 'programs'}:{os.environ['PATH']}"}
    words = [project / ".ci" / "setup"]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_each_package_is_named_while_it_is_fetched(project: Path) -> None:
    done = set_up(project)
    assert (done.returncode, done.stderr) == (0, "")
    first, *others = done.stdout.splitlines()
    assert first == "setup: making .venv (a minute or two the first time); packages to fetch: 1"
    assert {"setup:   fetching apsw==3.54", "setup:   installing what was fetched"} <= set(others)
    assert set_up(project).stdout == ""  # nothing is left to do


def test_a_step_that_fails_ends_the_setup_with_all_that_it_printed(project: Path) -> None:
    (project / "pip").write_text(PIP.format(end='echo "ERROR: no route to the index"; exit 3'))
    done = set_up(project)
    assert done.returncode == 1
    assert "Downloading apsw.whl (7.2 MB)" in done.stderr
    assert "ERROR: no route to the index" in done.stderr
    assert "installing trivox itself" not in done.stdout
    assert not (project / ".venv" / ".lock").exists()
