"""Test the writer with failures: a locked database, a message that makes the code fail."""

from __future__ import annotations

import json
import logging
import queue
from typing import TYPE_CHECKING

import apsw
import pytest

from bridge.admin.commands import Rebuild, Scope, SetSettings, SetSite, Sweep
from bridge.errors import TrivoxError, UsageError
from bridge.service.writer import Outgoing, ReceivedMessage, Writer
from bridge.store import Store, open_store
from bridge.wire import contract
from tests.support import facts, planted
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.surveys.facts import Fact

LIMIT_S = 60.0


class WriterBench:
    """A writer, and what it releases after each commit."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.store: Store = open_store(database, writing=True)
        self.store.connection.set_busy_timeout(10)
        self.released: queue.SimpleQueue[Outgoing] = queue.SimpleQueue()
        self.writer = Writer(self.store, self.released.put)
        self.writer.start()

    def put(self, *seqs: int) -> None:
        messages = []
        for seq in seqs:
            event = {"boot": 1, "up_ms": seq, "at_ms": 5, "type": "button_freed", "button": "no"}
            batch = {"epoch": "0000000a", "first": 1, "base": seq, "events": [event]}
            messages.append(ReceivedMessage("trivox/v1/s1/c1/events", json.dumps(batch).encode(), 5, seq, 1))
        self.writer.enqueue(messages)

    def acknowledged(self, count: int) -> list[int]:
        """Wait for `count` acknowledgements; return their packet identifiers in order."""
        identifiers: list[int] = []
        while len(identifiers) < count:
            identifiers += [mid for mid, _ in self.released.get(timeout=LIMIT_S).acknowledgements]
        return identifiers

    def close(self) -> None:
        self.writer.stop()
        self.store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[WriterBench]:
    bench = WriterBench(tmp_path / "a.db")
    yield bench
    bench.close()


def test_messages_are_acknowledged_after_their_commit(bench: WriterBench) -> None:
    bench.put(1, 2)
    bench.put(3)
    assert bench.acknowledged(3) == [1, 2, 3]


def test_a_locked_database_only_delays(bench: WriterBench, caplog: pytest.LogCaptureFixture) -> None:
    messages: queue.SimpleQueue[str] = queue.SimpleQueue()
    handler = logging.Handler()
    handler.emit = lambda record: messages.put(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("trivox.bridge").addHandler(handler)
    with planted.locked(bench.database):
        bench.put(1)
        assert "cannot write the database" in messages.get(timeout=LIMIT_S)
        assert bench.released.empty()
    assert bench.acknowledged(1) == [1]
    logging.getLogger("trivox.bridge").removeHandler(handler)


def test_a_message_that_makes_the_code_fail_is_kept_and_stops_nothing(
    bench: WriterBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse_event = contract.parse_event

    def failing(raw: bytes, seq: int) -> contract.AnyEvent:
        if seq == 2:
            raise RuntimeError("a fault in the code")
        return parse_event(raw, seq)

    monkeypatch.setattr(contract, "parse_event", failing)
    bench.put(1, 2, 3)
    assert bench.acknowledged(3) == [1, 2, 3]
    assert facts.events(bench.database, "seq") == [1, 3]
    (reason,) = facts.rejects(bench.database, "reason")
    assert reason.startswith("failed: RuntimeError")


def test_a_reject_that_makes_the_code_fail_again_does_not_stop_a_rebuild(
    bench: WriterBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse_event, faulty = contract.parse_event, {2, 4}

    def failing(raw: bytes, seq: int) -> contract.AnyEvent:
        if seq in faulty:
            raise RuntimeError("a fault in the code")
        return parse_event(raw, seq)

    monkeypatch.setattr(contract, "parse_event", failing)
    bench.put(1, 2, 3, 4)
    assert bench.acknowledged(4) == [1, 2, 3, 4]
    faulty.remove(4)
    assert bench.writer.perform(Rebuild())["taken"] == 1
    assert facts.events(bench.database, "seq") == [1, 3, 4]
    assert len(facts.rejects(bench.database)) == 1


def test_a_command_runs_between_groups(bench: WriterBench) -> None:
    assert bench.writer.perform(Sweep())["surveys"] == 0
    with pytest.raises(UsageError, match="no time zone"):
        bench.writer.perform(SetSite(site_id="s1", timezone="Mars/Base"))


def test_a_lock_while_a_message_is_put_among_the_rejects_only_delays(
    bench: WriterBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = apsw.Connection(str(bench.database))

    def failing(_raw: bytes, _seq: int) -> contract.AnyEvent:
        if not other.in_transaction:
            bench.store.connection.execute("ROLLBACK")  # lets the other program lock it just now
            other.execute("BEGIN IMMEDIATE")
        raise RuntimeError("a fault in the code")

    monkeypatch.setattr(contract, "parse_event", failing)
    bench.put(1)
    wait_until("it cannot write", lambda: bench.writer.vitals.write_error == "locked")
    assert bench.released.empty()
    other.execute("ROLLBACK")
    other.close()
    assert bench.acknowledged(1) == [1]
    assert bench.writer.vitals.reasons == {"failed": 1}


def test_a_machine_without_memory_rejects_nothing(bench: WriterBench, monkeypatch: pytest.MonkeyPatch) -> None:
    parse_event, left = contract.parse_event, [3]

    def failing(raw: bytes, seq: int) -> contract.AnyEvent:
        left[0] -= 1
        if left[0] >= 0:
            raise MemoryError
        return parse_event(raw, seq)

    monkeypatch.setattr(contract, "parse_event", failing)
    bench.put(1, 2)
    assert bench.acknowledged(2) == [1, 2]
    assert bench.writer.vitals.write_errors == {"no_memory": 1}
    assert bench.writer.vitals.counts["stored"] == 2
    assert bench.writer.vitals.counts["unreadable"] == 0


@pytest.mark.parametrize("error", [MemoryError, apsw.NoMemError])
def test_a_message_that_always_needs_too_much_memory_stops_no_other(
    bench: WriterBench, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    parse_event = contract.parse_event

    def failing(raw: bytes, seq: int) -> contract.AnyEvent:
        if seq == 2:
            raise error
        return parse_event(raw, seq)

    monkeypatch.setattr(contract, "parse_event", failing)
    bench.put(1, 2, 3, 4)
    assert bench.acknowledged(4) == [1, 2, 3, 4]
    assert facts.events(bench.database, "seq") == [1, 3, 4]
    (reason,) = facts.rejects(bench.database, "reason")
    assert reason == f"failed: {error.__name__}()"
    assert bench.writer.failure is None


def test_what_cannot_be_handed_over_after_its_commit_is_acknowledged_again(
    bench: WriterBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, left = bench.writer.vitals.handle, [2]

    def failing(fact: Fact) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise MemoryError
        handle(fact)

    monkeypatch.setattr(bench.writer.vitals, "handle", failing)
    bench.put(1, 2)
    assert bench.acknowledged(2) == [1, 2]
    assert facts.events(bench.database, "seq") == [1, 2]
    assert bench.writer.backlog() == 0


def test_a_command_stands_whatever_fails_after_its_commit(bench: WriterBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.put(1)
    bench.acknowledged(1)

    def failing(_store: Store) -> None:
        raise apsw.SQLError("integer overflow")

    monkeypatch.setattr(bench.writer.vitals, "load", failing)
    command = SetSettings(Scope("s1", "c1"), {"ask_every": "3"})
    assert bench.writer.perform(command)["renewed"] == 1
    published = [one.topic for one in bench.released.get(timeout=LIMIT_S).publications]
    assert "trivox/v1/s1/c1/settings" in published


def test_what_is_rolled_back_is_not_counted(bench: WriterBench) -> None:
    with planted.locked(bench.database):
        bench.put(1, 2)
        wait_until("it cannot write", lambda: bench.writer.vitals.write_error == "locked")
        assert not bench.writer.vitals.counts
    assert bench.acknowledged(2) == [1, 2]
    assert bench.writer.vitals.counts["stored"] == 2
    assert sum(bench.writer.vitals.commit_counts) == 1


def test_a_command_that_the_end_overtakes_is_reported(store: Store) -> None:
    writer = Writer(store, lambda _: None)
    writer.start()
    writer.stop()
    with pytest.raises(TrivoxError, match="stopped before the command was done"):
        writer.perform(Sweep())


def test_a_transaction_left_open_is_rolled_back_by_the_next(store: Store) -> None:
    before = facts.identity(store)
    planted.left_open(store)
    with store.transaction(1):
        pass
    assert facts.identity(store) == before
