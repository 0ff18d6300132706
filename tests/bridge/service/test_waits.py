"""Test that each wait has an end and a sentence: for a bridge that is stopped or hangs, for locks, for a client."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bridge.admin.commands import Rebuild, Sweep
from bridge.errors import TrivoxError
from bridge.service import control, control_server, jobs, operations
from bridge.service.control import perform
from bridge.service.control_server import ControlServer
from bridge.store import open_store
from bridge.store.lock import take_lock
from tests.bridge.office import Office, OfficeTill, at
from tests.support import facts, planted
from tests.support.programs import wait_until
from tests.support.writing import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.service.operations import Execution
    from bridge.service.writer import Writer
    from bridge.store import Store
    from tests.bridge.shop import RealShop

SHIFT = "site_id,console_id,seller_id,seller_name,started_at,ended_at\ns1,c1,elena,Elena,2026-11-02,2026-11-03\n"
COUNT = "site_id,source_id,kind,from,to,count\ns1,door,visitors,2026-11-02,2026-11-03,5\n"
COMMANDS = (
    ("question", "set", "staff", "--silent-weight", "0.3"),
    ("settings", "set", "--all", "prompt=none"),
    ("site", "set", "s1", "--timezone", "Europe/Sofia"),
    ("checkout-point", "set", "s1", "p1", "--console", "c1"),
    ("shift", "import", "{}/shifts.csv"),
    ("counts", "import", "{}/counts.csv"),
    ("ingest", "{}/recorded.ndjson"),
    ("rebuild",),
    ("console", "enroll", "s1/c1"),
    ("console", "revoke", "s1/c1"),
    ("console", "update", "--stop"),
)
PERIOD = ("--from", "2025-01-01", "--to", "2027-01-01")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands wait only briefly."""
    monkeypatch.setattr(control, "ANSWER_LIMIT_S", 0.3)
    monkeypatch.setattr(control, "WAIT_S", 0.3)


def office_of(shop: RealShop) -> Office:
    """Prepare the commands of a shop, with files to import."""
    office = Office(shop.folder)
    office.database = shop.database
    till = OfficeTill("s1", "c1")
    till.survey(at("2026-11-03T09:00+00:00"), "no")
    messages = "".join(json.dumps(message) + "\n" for message in till.messages())
    for name, text in (("shifts.csv", SHIFT), ("counts.csv", COUNT), ("recorded.ndjson", messages)):
        office.file(name, text)
    return office


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process, as Ctrl-Z or a debugger would."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_stopped_bridge_ends_each_command_with_a_sentence_and_does_none_later(
    shop: RealShop, impatient: None
) -> None:
    office = office_of(shop)
    shop.start_bridge()
    shop.send_events(1, 4)
    shop.wait_acknowledged(4)
    said = f"The bridge (pid {shop.bridge.pid}) has not answered for 0.3 s"
    with stopped(shop.bridge.pid):
        for command in COMMANDS:
            result = office.run(*(word.format(office.folder) for word in command))
            assert (result.status, result.err.count("\n")) == (1, 1), result
            assert said in result.err
        assert said in office.run("doctor").out
        rows = json.loads(office.do("report", *PERIOD, "--by", "site", "--format", "json"))
        assert [row["surveys"] for row in rows] == [2], "a report needs no bridge"
        assert office.run("watch", "--once").status == 0
    shop.send_events(5, 4)
    shop.wait_acknowledged(8)
    assert facts.sites(shop.database, "timezone") == ["UTC"]
    assert (facts.shifts(shop.database), facts.counts(shop.database), facts.settings(shop.database)) == ([], [], [])
    assert facts.stored(shop.database) == 8
    assert shop.trivox("site", "set", "s1", "--timezone", "Europe/Sofia").returncode == 0


def test_a_command_that_is_stopped_with_the_lock_ends_others_with_a_sentence(tmp_path: Path, impatient: None) -> None:
    office = Office(tmp_path)
    office.do("site", "set", "s1", "--timezone", "UTC")
    lock = take_lock(office.database)
    assert lock is not None
    assert "Another trivox command is writing" in office.run("site", "set", "s1", "--timezone", "Europe/Sofia").err
    lock.release()


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_database_that_another_program_locks_ends_each_command_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setitem(open_store.__kwdefaults__, "busy_ms", 10)
    office = Office(tmp_path)
    office.do("site", "set", "s1", "--timezone", "UTC")
    with planted.locked(office.database, how, log=how == "IMMEDIATE"):
        result = office.run("site", "set", "s1", "--timezone", "Europe/Sofia")
        assert (result.status, result.err.count("\n")) == (1, 1)
        assert f"Another program has locked the database {office.database}: " in result.err
        for command in (("backup", tmp_path / "copy.db"), ("report", *PERIOD, "--by", "site"), ("doctor",)):
            result = office.run(*command)
            assert result.status in {0, 1}
            assert result.status == 0 or "locked" in result.err + result.out


# -- a bridge that works, and one that hangs ---------------------------------------------------------------------------


class Reader:
    """A client that reads the answers of a bridge line by line."""

    def __init__(self, database: Path, request: bytes) -> None:
        self.connection = socket.socket(socket.AF_UNIX)
        with control.socket_address(database) as address:
            self.connection.connect(address)
        self.connection.sendall(request + b"\n")
        self.answers = self.connection.makefile("rb")

    def read(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.answers.readline())
        return answer

    def close(self) -> None:
        self.answers.close()
        self.connection.close()


@contextmanager
def serving(database: Path, monkeypatch: pytest.MonkeyPatch, work: Any) -> Iterator[Writer]:
    """Run a writer whose rebuild is this work, and serve it."""

    def rebuild(_store: Store, _command: Rebuild, execution: Execution) -> Iterator[None]:
        execution.result = work()
        yield from ()

    monkeypatch.setitem(operations.LONG_OPERATIONS, Rebuild, rebuild)
    monkeypatch.setattr(control_server, "SIGN_OF_LIFE_S", 0.0)
    lock = take_lock(database)
    assert lock is not None
    with writing(database) as writer:
        server = ControlServer(database, writer.perform, dict)
        try:
            yield writer
        finally:
            server.close()
            lock.release()


def test_a_long_command_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_enough = threading.Event()

    def busy() -> dict[str, Any]:
        while not is_enough.is_set():
            pass
        return {}

    with serving(tmp_path / "a.db", monkeypatch, busy):
        reader = Reader(tmp_path / "a.db", b'{"command":"Rebuild"}')
        assert [reader.read() for _ in range(3)] == [{"progress": [0, 0]}] * 3
        is_enough.set()
        while "progress" in (last := reader.read()):
            pass
        assert last == {"result": {}}
        reader.close()


def test_a_bridge_whose_disk_hangs_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(jobs, "SILENCE_S", 0.1)
    with serving(tmp_path / "a.db", monkeypatch, lambda: {"waited": is_over.wait(60)}):
        with pytest.raises(TrivoxError, match="has not answered for"):
            perform(tmp_path / "a.db", Rebuild())
        is_over.set()


def test_a_client_that_is_gone_does_not_get_its_command_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command waits behind another one; a client that hangs does not hold up the writer either."""
    is_over, has_begun = threading.Event(), threading.Event()

    def work() -> dict[str, Any]:
        has_begun.set()
        while not is_over.is_set():
            pass
        return {}

    with serving(tmp_path / "a.db", monkeypatch, work) as writer:
        first = Reader(tmp_path / "a.db", b'{"command":"Rebuild"}')
        assert has_begun.wait(60)
        second = Reader(tmp_path / "a.db", b'{"command":"SetSite","site_id":"s1","timezone":"Europe/Sofia"}')
        second.read()
        second.close()
        wait_until("its command is given up", lambda: len(control_threads()) == 1)
        is_over.set()
        assert writer.perform(Sweep())["surveys"] == 0
        first.close()
    assert facts.sites(tmp_path / "a.db") == []


def control_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "control-client"]
