"""`trivox run` brings everything up, shows that it works, and leaves nothing behind however it ends."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import TRIVOX, free_port, wait_until
from tests.system.programs import ask

pytestmark = pytest.mark.long

DATABASE = Path("trivox-data/trivox.db")


class Run:
    """A `trivox run` in a folder of its own, so that whatever it leaves behind is found."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.output = folder / "output.txt"
        words = [TRIVOX, "run", "--port", str(free_port()), "--seed", "1", *options]
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                words,
                cwd=folder,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def left(self) -> list[int]:
        """Processes that run in its folder: what it started, and it itself, in whatever session."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cwd"):
            try:
                state = (entry.parent / "stat").read_text().rpartition(")")[2].split()[0]
                if entry.readlink() == self.folder and state != "Z":
                    found.append(int(entry.parent.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def named(self, word: str) -> list[int]:
        """Those of them whose command line has this in one of its words, at its end."""
        words = {pid: Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in self.left()}
        return [pid for pid, line in words.items() if any(one.endswith(word) for one in line)]

    def wait_for_presses(self, stored_before: int = 0) -> None:
        """Until it shows surveys, and more events than there were before it."""

        def shown() -> bool:
            stored = [int(count) for count in re.findall(r"(\d+) events stored", self.said)]
            return bool(re.search(r"[1-9]\d* surveys", self.said)) and max(stored, default=0) > stored_before

        wait_until("surveys are shown", lambda: shown() or self._ended(), 90)
        assert self.process.poll() is None, self.said

    def _ended(self) -> bool:
        return self.process.poll() is not None


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    started: list[Run] = []
    yield started
    for run in started:
        for pid in run.left():
            os.kill(pid, signal.SIGKILL)
        run.process.wait()


def test_it_ends_by_itself_and_says_how_to_ask(tmp_path: Path, runs: list[Run]) -> None:
    run = Run(tmp_path, "--seconds", "20")
    runs.append(run)
    assert run.process.wait(120) == 0, run.said
    assert not run.left()
    assert ask(tmp_path / DATABASE, "SELECT count(*) FROM survey WHERE outcome <> 'open'")[0][0] > 0
    assert ask(tmp_path / DATABASE, "SELECT count(*) FROM reject") == [(0,)]
    commands = [line.strip() for line in run.said.splitlines() if line.startswith("  ")]
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout.strip(), command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_and_a_second_run_goes_on(
    tmp_path: Path, runs: list[Run], number: signal.Signals
) -> None:
    before = 0
    for _ in range(2):
        run = Run(tmp_path, "--consoles", "1")
        runs.append(run)
        run.wait_for_presses(before)
        run.process.send_signal(number)
        assert run.process.wait(60) == 0, run.said
        assert not run.left()
        assert "ask it by" in run.said
        stored = ask(tmp_path / DATABASE, "SELECT count(*) FROM event")[0][0]
        assert stored > before
        before = stored
    assert ask(tmp_path / DATABASE, "SELECT count(*) FROM epoch") == [(1,)]


@pytest.mark.parametrize(
    ("program", "sentence"),
    [("bridge", "The bridge ended by itself"), ("/micropython", "A simulated console failed: demo/till-1")],
)
def test_it_says_what_died_and_ends(tmp_path: Path, runs: list[Run], program: str, sentence: str) -> None:
    run = Run(tmp_path, "--consoles", "1")
    runs.append(run)
    run.wait_for_presses()
    found = run.named(program)
    assert found
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    assert run.process.wait(60) == 1, run.said
    assert not run.left()
    assert sentence in run.said


def test_two_runs_do_not_share_a_folder(tmp_path: Path, runs: list[Run]) -> None:
    first = Run(tmp_path, "--consoles", "1")
    runs.append(first)
    first.wait_for_presses()
    second = subprocess.run([TRIVOX, "run"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "Another `trivox run` uses trivox-data" in second.stderr


def test_two_runs_at_once_both_serve_metrics(tmp_path: Path, runs: list[Run]) -> None:
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        runs.append(Run(folder, "--consoles", "1"))
        runs[-1].wait_for_presses()
    logs = [(run.folder / "trivox-data/logs/bridge.log").read_text("utf-8") for run in runs]
    urls = [re.findall(r"url=(http://127.0.0.1:\d+/metrics)", log) for log in logs]
    assert len(urls[0]) == len(urls[1]) == 1, logs
    assert urls[0] != urls[1]
