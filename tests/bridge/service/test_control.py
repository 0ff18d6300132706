from __future__ import annotations

import json
import os
import resource
import socket
import stat
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, get_args

import pytest
from msgspec import convert, to_builtins

from bridge.admin.commands import (
    AnyCommand,
    DescribeBridge,
    ImportShifts,
    IngestMessages,
    Rebuild,
    Scope,
    SetCheckoutPoint,
    SetQuestion,
    SetSite,
    StopUpdates,
)
from bridge.errors import TrivoxError, UsageError, WriterBusyError
from bridge.model.local_time import zone
from bridge.os_user import current_user
from bridge.service import control, control_server
from bridge.service.answers import UNREADABLE
from bridge.service.control import describe_bridge, open_writer, perform
from bridge.service.control_server import MAX_CLIENTS, ControlServer
from bridge.service.operations import LONG_OPERATIONS, OPERATIONS
from bridge.store import open_store
from bridge.store.lock import take_lock
from tests.bridge.office import Office
from tests.support import facts, planted
from tests.support.other_user import SERVICE_USER, service_folder
from tests.support.programs import LIMIT_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.admin.commands import BridgeCommand

UNKNOWN = [
    b"hello",
    b"{}",
    b"[" * 100_000,
    b'{"command":"Dance"}',
    b'{"command":"SetSite","site_id":"s1"}',
    # neither of these may be taken for all consoles
    b'{"command":"SetSettings","scope":{},"values":{}}',
    b'{"command":"SetSettings","scope":{"site_id":"s1","console_id":"","seller_id":"anna"},"values":{}}',
]
SITE = SetSite(site_id="s1", timezone="Europe/Sofia")


def timezones(database: Path) -> list[Any]:
    return facts.sites(database, "site_id", "timezone")


def served(
    command: BridgeCommand, progress: Callable[[int, int], None], file: IO[bytes] | None = None, who: str = ""
) -> dict[str, Any]:
    """Stand in for a bridge that only reports which command it got."""
    if isinstance(command, StopUpdates):
        error = UsageError("No such thing: give another.")
        error.lines = ["line 2: none", "line 3: none"]
        raise error
    if isinstance(command, Rebuild):
        raise KeyError("a fault in the code")
    progress(1, 2)
    return {"asked": to_builtins(command), "who": who}


def described() -> dict[str, Any]:
    return {"is_connected": True}


def serve(database: Path) -> ControlServer:
    return ControlServer(database, served, described)


def test_without_a_bridge_the_command_writes_the_database_itself(tmp_path: Path) -> None:
    perform(tmp_path / "a.db", SITE)
    assert timezones(tmp_path / "a.db") == [("s1", "Europe/Sofia")]


def test_a_failed_operation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrivoxError):
        perform(tmp_path / "a.db", SetSite(site_id="s1", timezone="Mars/Base"))
    assert timezones(tmp_path / "a.db") == []


@pytest.mark.parametrize("depth", [1, 40])
def test_a_running_bridge_carries_the_command_out(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["a-rather-long-name"] * depth)
    folder.mkdir(parents=True)
    database = folder / ("x" * 100 + ".db")
    lock = take_lock(database)
    assert lock is not None
    server = serve(database)
    seen: list[tuple[int, int]] = []
    with open_writer(database) as writer:
        command = ImportShifts(name="a.csv", text="snow\udcff\n" * 1000)
        for _ in range(3):
            result = writer.perform(command, lambda done, of: seen.append((done, of)))
            assert result == {"asked": to_builtins(command), "who": current_user()}
        with pytest.raises(TrivoxError, match="No such thing") as caught:
            writer.perform(StopUpdates())
        assert (caught.value.exit_status, caught.value.lines) == (2, ("line 2: none", "line 3: none"))
        with pytest.raises(TrivoxError, match="failed on this command"):
            writer.perform(Rebuild())
        assert writer.perform(command)["asked"]["name"] == "a.csv", "the bridge goes on"
    assert describe_bridge(database) == {"is_connected": True}
    assert seen == [(1, 2)] * 3
    server.close()
    lock.release()


STRANGE_ANSWERS = (
    b"[]",
    b"{}",
    b'{"result":5}',
    b'{"error":5,"exit_status":1}',
    b'{"error":"x","exit_status":"\\u001b]0;x"}',
    b'{"progress":5}',
    b'{"progress":[1,2]}\n{"progress":["1",2]}',
    b"\xff\xfe{{{",
    b"9" * 6000,
    b"[" * 100_000,
    b"a" * 200_000,
)


def test_an_answer_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.service.answers.MAX_ANSWER_BYTES", 150_000)
    office = Office(tmp_path)
    office.do("site", "set", "demo", "--timezone", "UTC")
    lock = take_lock(office.database)
    assert lock is not None
    with socket.socket(socket.AF_UNIX) as bridge:
        with control.socket_address(office.database) as address:
            bridge.bind(address)
        bridge.listen()
        for answer in STRANGE_ANSWERS:
            with answering(bridge, answer):
                done = office.run("site", "set", "demo", "--timezone", "Europe/Sofia")
            assert (done.status, done.err) == (1, f"trivox: {UNREADABLE}\n"), answer
        with answering(bridge, b'{"result":{"started_at_ms":"\\u001b[31m"}}'):
            assert f"! {UNREADABLE}\n" in office.do("doctor")
    lock.release()


@contextmanager
def answering(bridge: socket.socket, answer: bytes) -> Iterator[None]:
    """Answer the next client with these bytes."""

    def serve_one() -> None:
        client, _ = bridge.accept()
        with client, suppress(ConnectionError):
            client.recv(10_000)
            client.sendall(answer + b"\n")

    given = threading.Thread(target=serve_one)
    given.start()
    yield
    given.join(LIMIT_S)


def test_the_bridge_learns_that_root_gave_a_command() -> None:
    with service_folder() as folder:
        database = folder / "a.db"
        lock = take_lock(database)
        assert lock is not None
        server = serve(database)
        assert (folder / "a.db.sock").stat().st_uid == SERVICE_USER
        assert perform(database, SITE)["who"] == current_user()
        server.close()
        lock.release()


def test_only_the_owner_may_use_the_socket(tmp_path: Path) -> None:
    server = serve(tmp_path / "a.db")
    assert stat.S_IMODE((tmp_path / "a.db.sock").stat().st_mode) == 0o600
    server.close()
    assert not (tmp_path / "a.db.sock").exists()


def test_a_socket_left_by_a_killed_bridge_is_replaced(tmp_path: Path) -> None:
    with control.socket_address(tmp_path / "a.db") as address, socket.socket(socket.AF_UNIX) as left:
        left.bind(address)
    perform(tmp_path / "a.db", SITE)
    serve(tmp_path / "a.db").close()
    assert not (tmp_path / "a.db.sock").exists()


def test_a_second_writer_waits_then_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "WAIT_S", 0.1)
    lock = take_lock(tmp_path / "a.db")
    assert lock is not None
    assert take_lock(tmp_path / "a.db") is None
    with pytest.raises(WriterBusyError, match="try again"):
        perform(tmp_path / "a.db", SITE)
    lock.release()
    perform(tmp_path / "a.db", SITE)


@pytest.mark.parametrize("request_", UNKNOWN)
def test_a_request_that_is_not_a_known_command_is_refused(tmp_path: Path, request_: bytes) -> None:
    server = serve(tmp_path / "a.db")
    with control.socket_address(tmp_path / "a.db") as address:
        client = socket.socket(socket.AF_UNIX)
        client.connect(address)
    with client, client.makefile("rb") as answers:
        client.sendall(request_ + b"\n")
        assert b"does not know this command" in answers.readline()
    server.close()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("control"))


def connect(database: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    with control.socket_address(database) as address:
        client.connect(address)
    client.settimeout(LIMIT_S)
    return client


def test_clients_that_keep_silent_hold_up_nobody(tmp_path: Path) -> None:
    server = serve(tmp_path / "a.db")
    with ExitStack() as clients:
        for number in range(3 * MAX_CLIENTS):
            client = clients.enter_context(connect(tmp_path / "a.db"))
            client.sendall(b'{"command"' if number % 2 else b"")
        assert describe_bridge(tmp_path / "a.db") == {"is_connected": True}
    server.close()


def test_no_client_can_make_the_bridge_hold_many_files(tmp_path: Path) -> None:
    server = serve(tmp_path / "a.db")
    with (tmp_path / "sent").open("w+b") as file, connect(tmp_path / "a.db") as client:
        for _ in range(100):
            socket.send_fds(client, [b" "], [file.fileno()])
        client.sendall(b'{"command":"DescribeBridge"}\n')
        assert b"is_connected" in client.recv(100)
        held = [link for link in Path("/proc/self/fd").iterdir() if link.exists() and link.samefile(file.name)]
    assert len(held) < 10
    server.close()


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open no file beyond its standard streams, whatever other threads close."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_commands_are_taken_again_after_no_file_could_be_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(control_server, "time", SimpleNamespace(monotonic=time.monotonic, sleep=pauses.append))
    server = serve(tmp_path / "a.db")
    with socket.socket(socket.AF_UNIX) as client, control.socket_address(tmp_path / "a.db") as address:
        with no_more_files():
            client.connect(address)
            wait_until("it is told", lambda: "commands wait" in caplog.text and len(pauses) > 5)
        assert caplog.text.count("commands wait") == 1
        client.sendall(b'{"command":"DescribeBridge"}\n')
        client.settimeout(LIMIT_S)
        assert b"is_connected" in client.recv(100)
    server.close()


@pytest.mark.parametrize("name", ["Asia/Thimphu", "Pacific/Chatham"])
def test_a_zone_that_cannot_be_read_is_not_called_unknown(name: str) -> None:
    with no_more_files(), pytest.raises(TrivoxError, match="Too many open files") as caught:
        zone(name)
    assert not isinstance(caught.value, UsageError)
    assert zone(name).key == name, "the failure is not remembered"


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_the_databases_own_files_are_not_taken_from_a_client_and_its_locks_stay(tmp_path: Path, suffix: str) -> None:
    database = tmp_path / "a.db"
    store = open_store(database, writing=True)
    locks = locks_of(database)
    assert locks
    server = serve(database)
    opened = os.open(f"{database}{suffix}", os.O_RDONLY)  # closing it in this process would drop the locks as well
    for _ in range(12):  # more often than such files are kept
        with control.socket_address(database) as address:
            client = socket.socket(socket.AF_UNIX)
            client.connect(address)
        request = json.dumps(to_builtins(IngestMessages(name="a"))).encode() + b"\n"
        socket.send_fds(client, [request], [opened])
        with client, client.makefile("rb") as answers:
            answer = json.loads(answers.readline())
        assert "error" in answer or answer["progress"] == [1, 2]
        assert locks <= locks_of(database), "a reader's lock may be there as well"
    os.close(opened)
    server.close()
    store.close()


def locks_of(database: Path) -> set[str]:
    """Return the locks that this process holds on the database's files."""
    numbers = {str(path.stat().st_ino) for path in database.parent.iterdir()}
    lines = [line.split() for line in Path("/proc/locks").read_text("ascii").splitlines()]
    return {
        " ".join(words[1:4] + words[5:]) for words in lines if words[1] == "POSIX" and words[5].split(":")[2] in numbers
    }


def test_each_command_crosses_the_socket_and_has_an_operation() -> None:
    for command in get_args(AnyCommand):
        assert command is DescribeBridge or (command in OPERATIONS) != (command in LONG_OPERATIONS)
    assert {*OPERATIONS, *LONG_OPERATIONS, DescribeBridge} == {*get_args(AnyCommand)}
    placed = SetCheckoutPoint(site_id="s1", checkout_point_id="p", console_id="c1", from_day=date(2026, 11, 1))
    for command in (placed, IngestMessages(name="\udcff"), SetQuestion(question_id="q", assign=Scope("s1", ""))):
        assert convert(json.loads(json.dumps(to_builtins(command))), AnyCommand) == command


def test_a_damaged_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(TrivoxError, match="damaged"):
        open_store(tmp_path / "a.db", writing=True)


def test_a_database_of_a_newer_version_is_reported(tmp_path: Path) -> None:
    open_store(tmp_path / "a.db", writing=True).close()
    planted.of_a_newer_version(tmp_path / "a.db")
    with pytest.raises(TrivoxError, match="newer"):
        open_store(tmp_path / "a.db", writing=True)
