"""A technician's desk: bare boards plugged in, fingers on their buttons, and the command that he runs."""

import json
import re
import subprocess
import threading
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from simulator.console.bare_board import BareBoard
from tests.support.command import trivox
from tests.support.installed import Installed

LIMIT_S = 200
STEP_MS = 16_000  # a console gives 15 s to each step
SELF_TEST = re.compile(r"^self_test: (?!boot )(.*)$", re.MULTILINE)
WIFI = ("--wifi-ssid", "shop")
SECRET = MappingProxyType({"TRIVOX_WIFI_PASSWORD": "simulated"})  # of the simulated network
DEAF = (*WIFI, "--broker", "mqtt://127.0.0.1:1")
NOWHERE = (*DEAF, "--no-listen")
TILL = ("--site", "sofia-1", "--console", "till-1")
UNTESTED = "--no-self-test"


class Fingers:
    """Press the buttons that a console's self-test asks for, in a `with` block; for `skips`, only let time pass."""

    def __init__(self, board: BareBoard, skips: str = "") -> None:
        self._board, self._skips = board, skips
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
            steps = SELF_TEST.findall(self._board.output(), begun)
            verb, _, button = steps[-1].partition(" ") if steps else ("", "", "")
            if verb not in {"press", "hold"}:
                continue
            if button == self._skips:
                self._board.step(STEP_MS)
            else:
                self._board.press(button, held_ms=2000 if verb == "hold" else 150)
            begun = len(self._board.output())  # it asks again each second, if it did not notice the press


def flash(folder: Path, *words: str, says: str = "") -> subprocess.CompletedProcess[str]:
    """Run `trivox console flash` in that folder, and type `says` to it."""
    return trivox("console", "flash", *words, folder=folder, environment=SECRET, says=says)


def flash_by_program(place: Installed, folder: Path, *words: str, says: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command of a trivox that was installed from a wheel, in a process of its own."""
    return subprocess.run(
        [place.trivox, "console", "flash", *words],
        cwd=folder,
        env={**place.environment, **SECRET},
        input=says,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def log_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the log."""
    return [json.loads(line) for line in (folder / "flashed.ndjson").read_text().splitlines()]


def last_message(board: BareBoard, leaf: str) -> Any:
    """Return the last message under that leaf that a board without radio sent in its last run, or None."""
    lines = [line.split("\t") for line in board.runs()[-1].output.splitlines()]
    return next((json.loads(words[1]) for words in reversed(lines) if len(words) == 3 and words[0] == leaf), None)


def serves(board: BareBoard) -> bool:
    """Return whether a board has started as a console since it was last reset."""
    return "boot: " in board.runs()[-1].output
