"""Run `trivox simulate` for tests: as a page's server, or with a script from standard input."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.installed import Installed
from tests.support.programs import TRIVOX, free_port

LIMIT_S = 240


def headless(script: str, *options: str, place: Installed | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script on a fresh console, by a trivox from a wheel if a `place` is given."""
    words = [str(place.trivox) if place else TRIVOX, "simulate", "--headless", *options]
    return subprocess.run(
        words,
        input=script,
        env=place.environment if place else None,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@contextmanager
def page(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Give the address of a bench's page and the program behind it."""
    words = [TRIVOX, "simulate", "--no-open", "--port", str(free_port()), "--folder", str(folder), *options]
    with (folder / "errors.txt").open("w") as errors:
        program = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert program.stdout is not None
        said = program.stdout.readline()  # its first line, or the end of its output
        assert said.startswith("The bench is at http"), (folder / "errors.txt").read_text()
        yield said.split()[4], program
    finally:
        if program.poll() is None:
            program.send_signal(signal.SIGTERM)
        try:
            program.wait(120)
        finally:
            if program.poll() is None:
                os.kill(program.pid, signal.SIGKILL)
                program.wait()
            program.stdout.close()
