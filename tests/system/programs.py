"""What system tests do with real programs: start them, run commands, ask the database."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.programs import TRIVOX


class Programs:
    """Programs that run beside the test, each with its output in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        output = self.folder / f"{len(self._running)}-{Path(words[0]).name}.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self._running.append((process, output))
        return process

    def stop(self) -> None:
        for process, _ in reversed(self._running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process, output in self._running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            sys.stdout.write(f"--- {output.name}\n{output.read_text(encoding='utf-8', errors='replace')[-4000:]}\n")


def trivox(*words: str) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run([TRIVOX, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"trivox {' '.join(words)}: {done.stderr}"
    return done.stdout


def ask(database: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of a query, read beside the writing bridge."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()
