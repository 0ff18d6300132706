from __future__ import annotations

import socket
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import TrivoxError, UsageError, WriterBusyError
from bridge.service import control
from bridge.service.control import perform, take_lock, writer
from bridge.service.control_server import Server
from bridge.store import open_store
from tests.support import facts, planted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SITE = {"site_id": "s1", "timezone": "Europe/Sofia"}


def timezones(database: Path) -> list[Any]:
    return facts.sites(database, "site_id", "timezone")


def served(operation: str, args: dict[str, Any], progress: Callable[[int, int], None]) -> dict[str, Any]:
    """A bridge that does nothing but tell what it was asked."""
    if operation == "fail":
        raise UsageError("No such thing: give another.")
    progress(1, 2)
    return {"operation": operation, "args": args}


def test_without_a_bridge_the_command_writes_itself(tmp_path: Path) -> None:
    perform(tmp_path / "a.db", "set_site", SITE)
    assert timezones(tmp_path / "a.db") == [("s1", "Europe/Sofia")]


def test_a_failed_operation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrivoxError):
        perform(tmp_path / "a.db", "set_site", {"site_id": "s1", "timezone": "Mars/Base"})
    assert timezones(tmp_path / "a.db") == []


@pytest.mark.parametrize("depth", [1, 40])
def test_a_bridge_is_handed_the_work(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["a-rather-long-name"] * depth)
    folder.mkdir(parents=True)
    database = folder / ("x" * 100 + ".db")
    lock = take_lock(database)
    assert lock is not None
    server = Server(database, served)
    seen: list[tuple[int, int]] = []
    with writer(database) as who:
        text = "snow\udcff\n" * 1000
        for _ in range(3):
            result = who.perform("do", {"text": text}, lambda done, of: seen.append((done, of)))
            assert result == {"operation": "do", "args": {"text": text}}
        with pytest.raises(TrivoxError, match="No such thing") as caught:
            who.perform("fail", {})
        assert caught.value.exit_status == 2
    assert seen == [(1, 2)] * 3
    server.close()
    lock.release()


def test_only_the_owner_may_use_the_socket(tmp_path: Path) -> None:
    server = Server(tmp_path / "a.db", served)
    assert stat.S_IMODE((tmp_path / "a.db.sock").stat().st_mode) == 0o600
    server.close()
    assert not (tmp_path / "a.db.sock").exists()


def test_a_socket_left_by_a_killed_bridge_is_no_hindrance(tmp_path: Path) -> None:
    with control.socket_address(tmp_path / "a.db") as address, socket.socket(socket.AF_UNIX) as left:
        left.bind(address)
    perform(tmp_path / "a.db", "set_site", SITE)
    Server(tmp_path / "a.db", served).close()
    assert not (tmp_path / "a.db.sock").exists()


def test_a_second_writer_waits_then_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "WAIT_S", 0.1)
    lock = take_lock(tmp_path / "a.db")
    assert lock is not None
    assert take_lock(tmp_path / "a.db") is None
    with pytest.raises(WriterBusyError, match="try again"):
        perform(tmp_path / "a.db", "set_site", SITE)
    lock.release()
    perform(tmp_path / "a.db", "set_site", SITE)


def test_a_request_that_is_none_is_refused(tmp_path: Path) -> None:
    server = Server(tmp_path / "a.db", served)
    with control.socket_address(tmp_path / "a.db") as address:
        client = socket.socket(socket.AF_UNIX)
        client.connect(address)
    with client, client.makefile("rb") as answers:
        client.sendall(b"hello\n")
        assert b"could not be read" in answers.readline()
    server.close()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("control"))


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(TrivoxError, match="damaged"):
        open_store(tmp_path / "a.db", writing=True)


def test_a_database_of_a_newer_version_is_told(tmp_path: Path) -> None:
    open_store(tmp_path / "a.db", writing=True).close()
    planted.of_a_newer_version(tmp_path / "a.db")
    with pytest.raises(TrivoxError, match="newer"):
        open_store(tmp_path / "a.db", writing=True)
