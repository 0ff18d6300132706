"""A technician's desk: bare boards plugged in, his fingers on their buttons, and the command that he runs."""

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from simulator.bare import BareBoard
from tests.support.programs import TRIVOX

LIMIT_S = 200
WIFI = ("--wifi-ssid", "shop")
WIFI_PASSWORD = "simulated"  # noqa: S105 - of the simulated network


class Fingers:
    """Do on a board what its console asks a technician for, as long as they are there; `skips` they don't press."""

    def __init__(self, board: BareBoard, skips: str = "") -> None:
        self._board, self._skips = board, skips
        self._done: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        begun = len(self._board.output())
        while not self._stop.wait(0.1):
            for line in self._board.output()[begun:].splitlines():
                verb, _, button = line.removeprefix("self_test: ").partition(" ")
                if not line.startswith("self_test: ") or line in self._done or button == self._skips:
                    continue
                if verb in {"press", "hold"}:
                    self._done.add(line)
                    self._board.press(button, held_ms=2000 if verb == "hold" else 150)


def flash(
    folder: Path, *words: str, says: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `trivox console flash` in that folder; `says` is typed to it."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("TRIVOX")}
    return subprocess.run(
        [TRIVOX, "console", "flash", *words],
        cwd=folder,
        env={**surroundings, "TRIVOX_WIFI_PASSWORD": WIFI_PASSWORD, **(environment or {})},
        input=says,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def log_of(folder: Path) -> list[dict[str, Any]]:
    """What the log says."""
    return [json.loads(line) for line in (folder / "flashed.ndjson").read_text().splitlines()]


def last_message(board: BareBoard, leaf: str) -> Any:
    """The last message under that leaf that a board without radio has sent in its last run."""
    lines = [line.split("\t") for line in board.runs()[-1].output.splitlines()]
    return next((json.loads(words[1]) for words in reversed(lines) if len(words) == 3 and words[0] == leaf), None)
