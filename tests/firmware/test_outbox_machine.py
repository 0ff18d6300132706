"""The outbox as a state machine: whatever happens to it, nothing stored is lost, and no number is used twice."""

from __future__ import annotations

import errno
import shutil
import tempfile
from typing import Any

import pytest
from at_once import discard_all, read_batch
from console import outbox as outbox_module
from console import outbox_files, outbox_merge
from console.outbox import Outbox
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.firmware.failing_files import FilePowerCut, Files

LIMIT = 150


class OutboxMachine(RuleBasedStateMachine):
    """Remembers what was put into the outbox and what was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.stored: dict[tuple[str, int], bytes] = {}  # events that append returned a number for
        self.perhaps: dict[tuple[str, int], set[bytes]] = {}  # events that append failed for
        self.through: dict[str, int] = {}
        self.epochs: list[str] = []
        self.floor: dict[str, int] = {}
        self.boots = 0
        self.count = 0
        self.presses = [0, 0, 0, 0]

    @initialize(atomic=st.booleans(), prog_size=st.sampled_from([32, 256]))
    def begin(self, atomic: bool, prog_size: int) -> None:
        self.files = Files(atomic)
        self.prog_size = prog_size
        outbox_module.os = outbox_merge.os = outbox_files.os = self.files
        outbox_files.open = self.files.open
        self.start()

    def start(self) -> None:
        self.files.error = None
        self.outbox = Outbox(self.folder + "/outbox", bytes, bytes, self.prog_size, LIMIT)
        self.outbox.open()
        if self.outbox.doubt:
            self.outbox.trust()  # the bridge knows no more
        self.started()

    def started(self) -> None:
        outbox = self.outbox
        assert outbox.boot >= self.boots
        self.boots = outbox.boot
        if not self.epochs or outbox.epoch != self.epochs[-1]:
            assert not any(epoch == self.epochs[-1] for epoch, _ in self.stored), "a new epoch without need"
            self.epochs.append(outbox.epoch)
        self.settle_doubt()

    def settle_doubt(self) -> None:
        """Look whether the event that append failed for was stored; from now on that is known."""
        epoch, seq = self.outbox.epoch, self.outbox.next - 1
        if (epoch, seq) not in self.stored and seq > 0:
            doubted = self.read(seq)[1]
            assert doubted[0] in self.perhaps[epoch, seq]
            self.stored[epoch, seq] = doubted[0]
            self.presses = list(self.outbox.presses)
        self.perhaps.clear()

    def read(self, seq: int) -> tuple[int, list[bytes]]:
        return read_batch(self.outbox, seq)

    def new_event(self, size: int) -> bytes:
        self.count += 1
        return b"%d:" % self.count + bytes(size)

    @rule(size=st.integers(0, 40), button=st.sampled_from([None, 0, 1, 2, 3]))
    def append(self, size: int, button: int | None) -> None:
        self.add(self.new_event(size), button)

    @rule(count=st.integers(1, 120), size=st.integers(10, 30))
    def append_many(self, count: int, size: int) -> None:
        for _ in range(count):
            self.add(self.new_event(size), 3)

    @rule(size=st.sampled_from([90, 200, 4000]))
    def append_large(self, size: int) -> None:
        self.add(self.new_event(size), None)

    def add(self, event: bytes, button: int | None) -> None:
        name = (self.outbox.epoch, self.outbox.next)
        self.perhaps.setdefault(name, set()).add(event)
        seq = self.outbox.append(event, button)
        assert (self.outbox.epoch, seq) == name
        self.stored[name] = event
        if button is not None:
            self.presses[button] += 1

    @rule()
    def tidy(self) -> None:
        self.outbox.tidy()

    @rule(back=st.integers(-3, 60))
    def acknowledge(self, back: int) -> None:
        epoch, _, end = self.outbox.delivery()
        through = max(0, end - 1 - back) if back >= 0 else end - 1
        assert self.outbox.acknowledge(epoch, through)
        self.through[epoch] = max(through, self.through.get(epoch, 0))
        assert through + 1 <= self.outbox.delivery()[1] <= end

    @rule()
    def acknowledge_all(self) -> None:
        epoch, _, end = self.outbox.delivery()
        assert self.outbox.acknowledge(epoch, end - 1)
        self.through[epoch] = end - 1
        assert self.outbox.delivery() == (epoch, end, end)

    @rule()
    def acknowledge_other(self) -> None:
        before = self.outbox.delivery()
        assert not self.outbox.acknowledge("other", 1)
        assert self.outbox.delivery() == before

    @rule(beyond=st.integers(0, 5))
    def acknowledge_what_never_was(self, beyond: int) -> None:
        epoch, _, end = self.outbox.delivery()
        assert self.outbox.acknowledge(epoch, end + beyond)
        self.through[epoch] = end - 1
        assert self.outbox.epoch != epoch
        assert (self.outbox.next, self.outbox.presses) == (1, [0, 0, 0, 0])
        self.epochs.append(self.outbox.epoch)
        self.presses = [0, 0, 0, 0]
        self.perhaps.clear()
        self.add(self.new_event(20), None)

    @rule()
    def restart(self) -> None:
        boots = self.boots
        self.start()
        assert self.boots == boots + 1
        assert self.outbox.presses == self.presses

    @rule(changes=st.integers(1, 12), count=st.integers(1, 100))
    def power_cut(self, changes: int, count: int) -> None:
        self.files.fail_after(changes, FilePowerCut())
        try:
            for _ in range(count):
                self.add(self.new_event(20), 1)
            self.start()
        except FilePowerCut:
            self.start()

    @rule(changes=st.integers(1, 12), code=st.sampled_from([errno.EIO, errno.ENOSPC]), count=st.integers(1, 100))
    def error(self, changes: int, code: int, count: int) -> None:
        self.files.fail_after(changes, OSError(code, "no"))
        for _ in range(count):
            try:
                self.add(self.new_event(20), 2)
            except OSError:
                continue
        self.files.error = None
        if code == errno.ENOSPC:  # then the oldest may be dropped
            self.floor = {self.outbox.epoch: self.outbox.first}

    @rule()
    def discard(self) -> None:
        discard_all(self.outbox)

    @rule(seq=st.integers(0, 1000), most=st.integers(1, 40))
    def batch_from_anywhere(self, seq: int, most: int) -> None:
        epoch, first, end = self.outbox.delivery()
        base, events = read_batch(self.outbox, seq, most)
        assert base >= min(seq, end)
        assert len(events) <= most
        assert events or seq >= end or first == end
        for number, event in enumerate(events, base):
            assert self.stored[epoch, number] == event

    @invariant()
    def what_waits_is_held(self) -> None:
        if not self.epochs:
            return
        epoch, first, end = self.outbox.delivery()
        assert epoch == self.outbox.epoch
        assert end == self.outbox.next
        assert first == self.outbox.first
        assert first <= max(self.through.get(epoch, 0) + 1, end - LIMIT, self.floor.get(epoch, 0))
        seq = first
        while seq < end:
            base, events = read_batch(self.outbox, seq)
            assert base == seq
            assert events == [self.stored[epoch, number] for number in range(base, base + len(events))]
            seq += len(events)
        assert self.outbox.presses == self.presses

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


@pytest.fixture(autouse=True)
def restore_files() -> Any:
    original = outbox_module.os
    yield
    outbox_module.os = outbox_merge.os = outbox_files.os = original
    vars(outbox_files).pop("open", None)


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
