"""Damaged files: what is readable is delivered, and the bridge never gets two events with one number.

Once the bridge has an event, its number identifies it. Damage may undo numbers that were used but never reached the
bridge; then other events may get them, and the first events are lost with the flash that held them.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from at_once import discard_all, read_batch
from bridge_model import ModelBridge
from console.outbox import Outbox
from hypothesis import given, settings
from hypothesis import strategies as st

Held = dict[tuple[str, int], bytes]
NAMES = re.compile(rb'"name": "([a-z]+ [0-9]+)"')


def encode(event: Any) -> bytes:
    return json.dumps(event).encode()


def opened(folder: Path, prog_size: int) -> Outbox:
    outbox = Outbox(str(folder / "outbox"), bytes, bytes, prog_size)
    outbox.open()
    if outbox.doubt:
        outbox.trust()  # the bridge knows no more
    return outbox


def drained(outbox: Outbox) -> Held:
    """Return what is delivered until nothing waits."""
    delivered: Held = {}
    epoch, first, end = outbox.delivery()
    while first < end:
        base, events = read_batch(outbox, first)
        assert events or outbox.delivery()[:2] != (epoch, first)
        delivered.update({(epoch, base + index): event for index, event in enumerate(events)})
        outbox.acknowledge(epoch, max(base - 1, base + len(events) - 1))
        discard_all(outbox)
        epoch, first, end = outbox.delivery()
    return delivered


def hurt(path: Path, draw: st.DataObject) -> None:
    """Delete a file, or flip one of its bits."""
    data = bytearray(path.read_bytes())
    if draw.draw(st.booleans()) or not data:
        path.unlink()
    else:
        data[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
        path.write_bytes(data)


def held(paths: Iterable[Path]) -> set[str]:
    """Return the names of the events in these files."""
    return {name.decode() for path in paths for name in NAMES.findall(path.read_bytes())}


class DamagedLife:
    """An outbox over several starts, and the bridge that it delivers to. Every event has a name of its own."""

    def __init__(self, prog_size: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.prog_size = prog_size
        self.bridge = ModelBridge()
        self.outbox: Any = None
        self.count = 0
        self.start()

    def start(self) -> None:
        self.outbox = Outbox(str(self.folder / "outbox"), encode, json.loads, self.prog_size)
        self.outbox.open()

    def append(self, count: int, kind: str) -> set[str]:
        names = {f"{kind} {self.count + number}" for number in range(count)}
        self.count += count
        for name in sorted(names):
            self.outbox.append({"name": name})
        return names

    def files(self) -> list[Path]:
        return sorted(path for path in (self.folder / "outbox").iterdir() if path.name != "new")

    def arrived(self) -> list[str]:
        return [event["name"] for event in self.bridge.events.values()]


@st.composite
def parts_of_life(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Draw a list of (what happens, two numbers for it)."""
    part = st.one_of(
        st.tuples(st.just("append"), st.integers(1, 120), st.just(0)),
        st.tuples(st.just("deliver"), st.integers(1, 6), st.integers(0, 6)),
        st.tuples(st.just("start"), st.just(0), st.just(0)),
    )
    return draw(st.lists(part, min_size=1, max_size=8))


def live(life: DamagedLife, parts: list[tuple[str, int, int]], kind: str) -> set[str]:
    names: set[str] = set()
    for what, first, second in parts:
        if what == "append":
            names |= life.append(first, kind)
        elif what == "deliver":
            life.bridge.session(life.outbox, first, second)
        else:
            life.start()
    return names


@settings(max_examples=100, deadline=None, print_blob=True)
@given(prog_size=st.sampled_from([32, 256]), before=parts_of_life(), after=parts_of_life(), draw=st.data())
def test_after_damage_the_bridge_gets_no_number_twice(
    prog_size: int, before: list[tuple[str, int, int]], after: list[tuple[str, int, int]], draw: st.DataObject
) -> None:
    life = DamagedLife(prog_size)
    try:
        old = live(life, [("append", 1, 0), *before], "before")
        hurt_files = draw.draw(st.lists(st.sampled_from(life.files()), min_size=1, max_size=3, unique=True))
        readable = held(path for path in life.files() if path not in hurt_files) - held(hurt_files)
        for path in hurt_files:
            hurt(path, draw)
        life.start()
        new = live(life, after, "after")
        life.bridge.session(life.outbox)
        arrived = life.arrived()
        assert not life.bridge.conflicts
        assert all(arrived.count(name) == 1 for name in new)
        assert readable <= set(arrived)
        assert len(arrived) == len(set(arrived)), "an event came with two numbers"
        assert life.outbox.delivery() == (life.outbox.epoch, life.outbox.next, life.outbox.next)
        assert all(life.bridge.through(epoch) >= number for epoch, number in life.bridge.events)
        assert life.bridge.holes() <= len(old - set(arrived)), "losses were counted that are none"
    finally:
        shutil.rmtree(life.folder)


def test_without_its_newest_file_a_new_epoch_begins_and_the_old_goes_first(tmp_path: Path) -> None:
    outbox = opened(tmp_path, 32)
    old = outbox.epoch
    for number in range(200):
        outbox.append(b"event %03d" % number)
    slots = [path for path in Path(outbox.root).iterdir() if "-" not in path.name]
    newest = max(slots, key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    outbox = opened(tmp_path, 32)
    assert outbox.epoch != old
    assert (outbox.first, outbox.next, outbox.boot) == (1, 1, 2)
    outbox.append(b"new")
    epoch, first, end = outbox.delivery()
    assert (epoch, first) == (old, 1)
    assert 195 <= end < 201
    assert not outbox.acknowledge(outbox.epoch, 1)
    found = drained(outbox)
    assert next(iter(found)) == (old, 1)
    assert list(found)[-1] == (outbox.epoch, 1)


def test_a_gap_is_skipped_once_all_before_it_is_acknowledged(tmp_path: Path) -> None:
    outbox = opened(tmp_path, 256)
    for number in range(1, 401):
        outbox.append(b"event %03d" % number)
    segment = min(path for path in Path(outbox.root).iterdir() if "-" in path.name)
    segment.write_bytes(segment.read_bytes().replace(b"event 040", b"event !!!"))
    outbox = opened(tmp_path, 256)
    epoch = outbox.epoch
    assert read_batch(outbox, 33) == (33, [b"event %03d" % number for number in range(33, 40)])
    assert read_batch(outbox, 40, 2) == (41, [b"event 041", b"event 042"])
    assert outbox.delivery() == (epoch, 1, 401)
    outbox.acknowledge(epoch, 39)
    assert read_batch(outbox, 40, 1) == (41, [b"event 041"])
    assert outbox.delivery() == (epoch, 41, 401)
    assert outbox.lost == 1
    outbox.acknowledge(epoch, 400)
    assert (outbox.first, outbox.lost) == (401, 1)


def newest_slot(folder: Path) -> Path:
    slots = [path for path in (folder / "outbox").iterdir() if path.name.isdigit()]
    return max(slots, key=lambda path: path.read_bytes()[4:8][::-1])


def test_damage_found_at_a_start_is_a_fault_and_a_power_cut_is_not(tmp_path: Path) -> None:
    outbox = opened(tmp_path, 32)
    assert outbox.fault is None
    for number in range(200):
        outbox.append(b"event %03d" % number)
    assert opened(tmp_path, 32).fault is None
    newest_slot(tmp_path).unlink()
    assert opened(tmp_path, 32).fault is not None
    again = opened(tmp_path, 32)
    assert (again.fault, again.boot) == (None, 4)


@pytest.mark.parametrize("prog_size", [32, 256])
def test_a_second_damage_sends_nothing_that_was_in_doubt_under_its_old_number(prog_size: int) -> None:
    life = DamagedLife(prog_size)
    try:
        life.append(10, "before")
        life.bridge.session(life.outbox)
        older = shutil.copytree(life.folder / "outbox", life.folder / "older")
        life.append(10, "forgotten by flash")
        life.bridge.session(life.outbox)
        shutil.rmtree(life.folder / "outbox")
        older.rename(life.folder / "outbox")  # the first damage, which goes unnoticed
        life.start()
        doubted = life.append(60, "doubted")
        newest_slot(life.folder).unlink()  # the second
        kept = held(life.files()) & doubted
        assert kept
        life.start()
        life.bridge.session(life.outbox)
        assert not life.bridge.conflicts
        assert kept <= set(life.arrived())
        assert len(life.arrived()) == len(set(life.arrived()))
    finally:
        shutil.rmtree(life.folder)


@pytest.mark.parametrize("prog_size", [32, 256])
def test_a_start_within_a_long_outage_needs_no_new_epoch(prog_size: int) -> None:
    life = DamagedLife(prog_size)
    try:
        life.append(10, "before")
        for _ in range(2):
            life.bridge.session(life.outbox)
            life.start()
        life.append(600, "doubted")  # all slots are used again: the event to ask the bridge with must be kept
        life.bridge.session(life.outbox)
        assert {epoch for epoch, _ in life.bridge.events} == {life.outbox.epoch}
        assert len(life.arrived()) == 610
    finally:
        shutil.rmtree(life.folder)


def test_losing_the_event_to_ask_with_begins_a_new_epoch() -> None:
    life = DamagedLife(256)
    try:
        life.append(3, "before")
        for _ in range(2):
            life.bridge.session(life.outbox)
            life.start()
        old = life.outbox.epoch
        doubted = life.append(3, "doubted")
        for path in life.files():
            path.write_bytes(path.read_bytes().replace(b'"before 2"', b'"before !"'))
        life.bridge.session(life.outbox)
        assert life.outbox.epoch != old
        assert doubted <= {event["name"] for (epoch, _), event in life.bridge.events.items() if epoch != old}
    finally:
        shutil.rmtree(life.folder)


def test_what_was_sent_before_the_newest_file_was_lost_comes_under_no_other_number() -> None:
    life = DamagedLife(256)
    try:
        life.append(3, "before")
        life.bridge.session(life.outbox)
        life.start()
        life.append(20, "doubted")
        life.bridge.session(life.outbox)  # the bridge confirms them: they are no longer in doubt
        newest_slot(life.folder).unlink()
        life.start()
        life.bridge.session(life.outbox)
        assert len(life.arrived()) == 23
    finally:
        shutil.rmtree(life.folder)
