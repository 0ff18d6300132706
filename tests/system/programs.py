"""What system tests do with real programs: start them, and run commands."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support import command
from tests.support.programs import LIMIT_S


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
                process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            sys.stdout.write(f"--- {output.name}\n{output.read_text(encoding='utf-8', errors='replace')[-4000:]}\n")


def trivox(*words: str) -> str:
    """What the command prints; it must succeed."""
    done = command.trivox(*words)
    assert done.returncode == 0, f"trivox {' '.join(words)}: {done.stderr}"
    return done.stdout
