"""`trivox run` starts everything, shows that it works, and leaves nothing behind, however it ends."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import command, facts
from tests.support.installed import Installed, installed
from tests.support.once import one_worker
from tests.support.programs import LIMIT_S, TRIVOX, free_port, wait_until

pytestmark = pytest.mark.long

DATABASE = Path("trivox-data/trivox.db")


class TrivoxRun:
    """A `trivox run` in its own folder, so that whatever it leaves behind can be found."""

    def __init__(self, folder: Path, *options: str, place: Installed | None = None) -> None:
        """Start it, from an installed wheel if a `place` is given."""
        self.folder = folder
        self.bridge_log = folder / "trivox-data/logs/bridge.log"
        self.bridge_log.unlink(missing_ok=True)
        self.output = folder / "output.txt"
        words = [str(place.trivox) if place else TRIVOX, "run", "--port", str(free_port()), "--seed", "1", *options]
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                words,
                cwd=folder,
                env=place.environment if place else None,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Its output so far."""
        return self.output.read_text(encoding="utf-8")

    def processes(self) -> list[int]:
        """Return the processes that run in its folder, itself included, in whatever session."""
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
        """Return those of them with a word in their command line that ends with `word`."""
        lines = {pid: Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in self.processes()}
        return [pid for pid, line in lines.items() if any(part.endswith(word) for part in line)]

    def bridge_said(self) -> str:
        return self.bridge_log.read_text("utf-8") if self.bridge_log.exists() else ""

    def wait_for_ports(self) -> None:
        """Wait until it has all the ports that it needs."""
        wait_until("the bridge has its port", lambda: "metrics" in self.bridge_said() or self._ended())

    def wait_for_presses(self, stored_before: int = 0) -> None:
        """Wait until it shows surveys, and more events than were stored before."""

        def shown() -> bool:
            stored = [int(count) for count in re.findall(r"(\d+) events? stored", self.said)]
            return bool(re.search(r"[1-9]\d* surveys", self.said)) and max(stored, default=0) > stored_before

        wait_until("surveys are shown", lambda: shown() or self._ended())
        assert self.process.poll() is None, self.said

    def lose(self, program: str) -> None:
        """Kill one of its programs; check that it ends, with all the others."""
        found = self.named(program)
        assert found
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        assert self.process.wait(LIMIT_S) == 1, self.said
        assert not self.processes()

    def _ended(self) -> bool:
        return self.process.poll() is not None


Start = Callable[..., TrivoxRun]


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a run in a folder, one at a time: two that start at the same moment would take the same port."""
    started: list[TrivoxRun] = []

    def start_one(folder: Path, *options: str, place: Installed | None = None) -> TrivoxRun:
        with one_worker(tmp_path_factory, "trivox-run"):
            run = TrivoxRun(folder, *options, place=place)
            started.append(run)
            run.wait_for_ports()
        return run

    yield start_one
    for run in started:
        for pid in run.processes():
            os.kill(pid, signal.SIGKILL)
        run.process.wait()


def test_it_ends_by_itself_and_prints_how_to_query_its_database(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, start: Start
) -> None:
    run = start(tmp_path, "--seconds", "20", place=installed(tmp_path_factory))
    assert run.process.wait(LIMIT_S) == 0, run.said
    assert not run.processes()
    assert set(facts.surveys(tmp_path / DATABASE, "outcome")) - {"open"}
    assert facts.rejects(tmp_path / DATABASE) == []
    commands = [line.strip() for line in run.said.splitlines() if line.startswith("  ")]
    assert len(commands) == 3
    for line in commands:
        done = subprocess.run(
            shlex.split(line), cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout.strip(), line
        assert "trivox doctor" not in line or done.stdout.endswith("All is well.\n"), done.stdout


def test_a_signal_ends_everything_and_a_second_run_continues(tmp_path: Path, start: Start) -> None:
    before = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        run = start(tmp_path, "--consoles", "1")
        run.wait_for_presses(before)
        run.process.send_signal(number)
        assert run.process.wait(LIMIT_S) == 0, run.said
        assert not run.processes()
        assert "look at them with" in run.said
        stored = facts.stored(tmp_path / DATABASE)
        assert stored > before
        before = stored
    assert len(facts.epochs(tmp_path / DATABASE)) == 1


def test_two_runs_do_not_disturb_each_other_and_report_what_died(tmp_path: Path, start: Start) -> None:
    runs = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        runs.append(start(folder, "--consoles", "1"))
        runs[-1].wait_for_presses()
    one, other = runs
    second = command.trivox("run", folder=one.folder)
    assert second.returncode == 1
    assert "Another `trivox run` uses trivox-data" in second.stderr
    urls = [re.findall(r"url=(http://127.0.0.1:\d+/metrics)", run.bridge_said()) for run in runs]
    assert len(urls[0]) == len(urls[1]) == 1, [run.bridge_said() for run in runs]
    assert urls[0] != urls[1]
    one.lose("bridge")
    assert "The bridge ended by itself" in one.said
    other.lose("/micropython")
    assert re.search(r"A simulated console failed: (The console )?demo/till-1", other.said)
