"""`trivox` without a process of its own, which costs half a second: for tests that are about what a command does."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from types import MappingProxyType
from unittest.mock import patch

from bridge.cli import main


def trivox(
    *words: str,
    folder: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
    says: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run it in that folder, with these variables and no others of TRIVOX_…; `says` is typed to it."""
    out, err = io.StringIO(), io.StringIO()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIVOX")}
    with ExitStack() as surroundings:
        for one in (
            chdir(folder or Path.cwd()),
            patch.dict(os.environ, {**inherited, **environment}, clear=True),
            patch.object(sys, "stdin", io.StringIO(says)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            surroundings.enter_context(one)
        status = main.run([*words])
    return subprocess.CompletedProcess(["trivox", *words], status, out.getvalue(), err.getvalue())


def say(*words: str) -> str:
    """What a command says that must succeed."""
    done = trivox(*words)
    assert done.returncode == 0, f"trivox {' '.join(words)}: {done.stderr}"
    return done.stdout
