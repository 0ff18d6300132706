"""The supervision of `trivox run`: children end together, and the shifts of a later run agree with earlier ones."""

import csv
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulator.cli.run import write_shifts
from simulator.programs.children import Children, EndError, ProcessError, free_port, lock, run, wait_for_port
from tests.support.command import trivox
from tests.support.programs import wait_until

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()",
]


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    started = Children(tmp_path / "logs")
    yield started
    started.stop()


def test_children_end_with_their_parent_however_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.programs.children.STOP_LIMIT_S", 0.1)
    children = Children(tmp_path)
    meek, stubborn = children.start("meek", FOREVER), children.start("stubborn", STUBBORN)
    wait_until("it is ready", lambda: "ready" in (tmp_path / "stubborn.log").read_text())
    children.check()
    children.stop()
    assert meek.process.returncode == -signal.SIGTERM
    assert stubborn.process.returncode == -signal.SIGKILL


PARENT = """
import signal, sys
from pathlib import Path
from simulator.programs.children import Children
words = [sys.executable, "-c", "print('ready', flush=True); import signal; signal.pause()"]
child = Children(Path(sys.argv[1])).start("meek", words)
print(child.process.pid, flush=True)
signal.pause()
"""


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = Path("/proc") / parent.stdout.readline().strip()
        wait_until("the child is ready", lambda: "ready" in (tmp_path / "meek.log").read_text())
        assert child.exists()
        parent.kill()
    wait_until("the child has ended", lambda: has_ended(child / "stat"))


def has_ended(stat: Path) -> bool:
    """Whether a process is gone, or a zombie."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_child_that_ends_is_reported_with_its_last_words(children: Children) -> None:
    child = children.start("bridge", [sys.executable, "-c", "print('hello'); print('trivox: The disk is full.')"])
    child.process.wait(120)
    with pytest.raises(ProcessError, match=r"The bridge ended by itself: The disk is full\. \(see .*bridge\.log\)"):
        children.check()


def test_a_signal_requests_the_end_and_handlers_are_restored(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    children = Children(tmp_path)
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(EndError):
        children.check()
    children.stop()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_port_that_is_taken_is_replaced_and_a_listener_is_found(children: Children) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
        wait_for_port("127.0.0.1", port, children, 5)
    assert free_port(port) == port
    with pytest.raises(ProcessError, match="Nothing listens"):
        wait_for_port("127.0.0.1", port, children, 0.2)


def test_a_command_that_fails_is_reported_with_its_error_output() -> None:
    with pytest.raises(ProcessError, match="failed: no such shift"):
        run([sys.executable, "-c", "import sys; sys.exit('trivox: no such shift')"])


def test_a_folder_is_used_by_one_run_at_a_time(tmp_path: Path) -> None:
    held = lock(tmp_path / "run.lock")
    with pytest.raises(ProcessError, match="Another `trivox run`"):
        lock(tmp_path / "run.lock")
    os.close(held)
    os.close(lock(tmp_path / "run.lock"))


def test_shifts_of_a_later_run_match_those_of_the_first(tmp_path: Path) -> None:
    def shifts(now: datetime) -> dict[tuple[str, str], tuple[str, str]]:
        write_shifts(tmp_path / "shifts.csv", 2, now)
        with (tmp_path / "shifts.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["console_id"], row["started_at"]): (row["ended_at"], row["seller_id"]) for row in rows}

    now = datetime(2026, 11, 22, 12, 7, 31, tzinfo=UTC)
    first, later = shifts(now), shifts(now + timedelta(minutes=40))
    assert ("till-1", "2026-11-22T12:00:00+00:00") in first
    assert {seller for (console, _), (_, seller) in first.items() if console == "till-2"} == {"seller-3", "seller-4"}
    common = first.keys() & later.keys()
    assert len(common) > 300
    assert all(first[key] == later[key] for key in common)


@pytest.mark.parametrize("command", ["broker", "run", "simulate --no-open"])
def test_a_port_in_use_is_refused_and_not_replaced(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = trivox(*command.split(), "--port", str(port), folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Port {port} " in done.stderr
    assert "is in use: end the program that listens there" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
