"""Run `trivox` commands in this process, as starting another takes half a second."""

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
    """Run a command in `folder`, with these variables and no other TRIVOX_… ones; `says` is its standard input."""
    out, err = io.StringIO(), io.StringIO()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIVOX")}
    with ExitStack() as stack:
        for context in (
            chdir(folder or Path.cwd()),
            patch.dict(os.environ, {**inherited, **environment}, clear=True),
            patch.object(sys, "stdin", io.StringIO(says)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            stack.enter_context(context)
        status = main.run([*words])
    return subprocess.CompletedProcess(["trivox", *words], status, out.getvalue(), err.getvalue())


def output_of(*words: str) -> str:
    """Run a command that must succeed; return its output."""
    done = trivox(*words)
    assert done.returncode == 0, f"trivox {' '.join(words)}: {done.stderr}"
    return done.stdout
