"""Damaged files: what is readable is delivered, under the old epoch first, and no number is given twice."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from console.outbox import Outbox
from hypothesis import given, settings
from hypothesis import strategies as st

Held = dict[tuple[str, int], bytes]


def opened(folder: Path, prog_size: int) -> Outbox:
    outbox = Outbox(str(folder / "outbox"), bytes, bytes, prog_size)
    outbox.open()
    if outbox.doubt:
        outbox.trust()  # the bridge knows of no more
    return outbox


def drained(outbox: Outbox) -> Held:
    """What is delivered until nothing waits."""
    found: Held = {}
    epoch, first, end = outbox.delivery()
    while first < end:
        base, events = outbox.batch(first)
        assert events or outbox.delivery()[:2] != (epoch, first)
        found.update({(epoch, base + index): event for index, event in enumerate(events)})
        outbox.acknowledge(epoch, max(base - 1, base + len(events) - 1))
        epoch, first, end = outbox.delivery()
    return found


def hurt(path: Path, draw: st.DataObject) -> None:
    """Deletes a file or turns over one of its bits."""
    data = bytearray(path.read_bytes())
    if draw.draw(st.booleans()) or not data:
        path.unlink()
    else:
        data[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
        path.write_bytes(data)


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(1, 400),
    more=st.integers(1, 150),
    prog_size=st.sampled_from([32, 256]),
    draw=st.data(),
)
def test_after_damage_no_number_is_given_twice(count: int, more: int, prog_size: int, draw: st.DataObject) -> None:
    folder, started_in_doubt = Path(tempfile.mkdtemp()), True  # the bridge settles such doubts, see Outbox.trust
    try:
        outbox = opened(folder, prog_size)
        given_out: Held = {}
        for number in range(count):
            event = b"before %d" % number
            given_out[outbox.epoch, outbox.append(event)] = event
        sizes = {path: path.stat().st_size for path in (folder / "outbox").iterdir()}
        for path in draw.draw(st.lists(st.sampled_from(sorted(sizes)), min_size=1, max_size=3, unique=True)):
            hurt(path, draw)
        outbox = opened(folder, prog_size)
        for number in range(more):
            event = b"after %d" % number
            name = (outbox.epoch, outbox.append(event))
            assert name not in given_out or number == more - 1 or started_in_doubt
            given_out[name] = event
        again = opened(folder, prog_size)
        assert (again.epoch, again.next) == (outbox.epoch, outbox.next)
        found = drained(again)
        assert found.items() <= given_out.items()
        assert {name for name in given_out if given_out[name].startswith(b"after")} <= found.keys()
        assert again.delivery()[1:] == (again.next, again.next)
        assert len(found) >= len(given_out) - sum(size // 13 + 1 for size in sorted(sizes.values())[-3:])
    finally:
        shutil.rmtree(folder)


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


def test_a_gap_is_passed_over_once_what_is_before_it_is_acknowledged(tmp_path: Path) -> None:
    outbox = opened(tmp_path, 256)
    for number in range(1, 401):
        outbox.append(b"event %03d" % number)
    segment = min(path for path in Path(outbox.root).iterdir() if "-" in path.name)
    segment.write_bytes(segment.read_bytes().replace(b"event 040", b"event !!!"))
    outbox = opened(tmp_path, 256)
    epoch = outbox.epoch
    assert outbox.batch(33) == (33, [b"event %03d" % number for number in range(33, 40)])
    assert outbox.batch(40, 2) == (41, [b"event 041", b"event 042"])
    assert outbox.delivery() == (epoch, 1, 401)
    outbox.acknowledge(epoch, 39)
    assert outbox.delivery() == (epoch, 41, 401)
    assert outbox.lost == 1
    outbox.acknowledge(epoch, 400)
    assert (outbox.first, outbox.lost) == (401, 1)
