"""Test steps of the host's clock: no wait depends on it, dated events keep their dates, and the step is logged.

The writer gets the time as an argument, so that no test touches the clock of its machine.
"""

from __future__ import annotations

import json
import queue
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.ops.doctor.database import examine
from bridge.service.writer import Outgoing, ReceivedMessage, Writer
from bridge.store import open_store
from tests.support.facts import consoles, events, healths
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW_MS = 1_763_800_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
QUESTION = {"question_id": "staff", "question_revision": 1}
LIMIT_S = 60.0


class Host:
    """A writer on a machine whose clock the test controls."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.now_ms = NOW_MS
        self.released: queue.SimpleQueue[Outgoing] = queue.SimpleQueue()
        self.store = open_store(database, writing=True)
        self.writer = Writer(self.store, self.released.put, now_ms=lambda: self.now_ms, elapsed_ms=lambda: 0)
        self.writer.start()

    def take(self, leaf: str, payload: dict[str, Any], console: str = "c1") -> dict[str, Any]:
        """Have a message written that arrives now; return the `ack`, if there is one."""
        topic = f"trivox/v1/s1/{console}/{leaf}"
        self.writer.enqueue([ReceivedMessage(topic, json.dumps(payload).encode(), self.now_ms, 1, 1)])
        while not (outgoing := self.released.get(timeout=LIMIT_S)).acknowledgements:
            pass
        acks = [json.loads(one.payload) for one in outgoing.publications if one.topic.endswith("/ack")]
        return acks[0] if acks else {}

    def event(self, seq: int, up_ms: int, at_ms: int | None, **more: Any) -> dict[str, Any]:
        event = {"boot": 1, "up_ms": up_ms, "at_ms": at_ms, "type": "survey_opened", **QUESTION, **more}
        return self.take("events", {"epoch": "0000000a", "first": 1, "base": seq, "events": [event]})

    def dates(self) -> list[Any]:
        """Return each event's date and what it is based on."""
        return events(self.database, "dated_at_ms", "dated_by")

    def close(self) -> None:
        self.writer.stop()
        self.store.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path / "a.db")
    yield host
    host.close()


@pytest.mark.parametrize("step_ms", [-400 * DAY_MS, -HOUR_MS, HOUR_MS, 400 * DAY_MS])
def test_delivery_goes_on_and_consoles_get_the_time_that_the_host_has(host: Host, step_ms: int) -> None:
    assert host.event(1, 1_000, NOW_MS)["at_ms"] == NOW_MS
    host.now_ms += step_ms
    ack = host.event(2, 2_000, NOW_MS + 1_000)
    assert (ack["through"], ack["at_ms"]) == (2, NOW_MS + step_ms)
    assert host.dates() == [(NOW_MS, "console"), (NOW_MS + 1_000, "console")]
    assert events(host.database, "arrived_at_ms") == [NOW_MS, NOW_MS + step_ms]
    wait_until("the step is counted", lambda: host.writer.vitals.clock_steps == 1)
    assert host.writer.vitals.clock_step_ms == step_ms


def test_a_clock_that_only_drifts_is_not_called_stepped(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1, 20):
        host.now_ms += 100
        host.event(number, number, NOW_MS)
    assert host.writer.vitals.clock_steps == 0
    assert "stepped" not in caplog.text


def test_undated_events_follow_the_smallest_difference_whatever_the_clock_does(host: Host) -> None:
    """The protocol's rule of dating, computed here by hand."""
    host.event(1, 1_000, None)
    host.now_ms = NOW_MS + DAY_MS  # a step forward changes no date
    host.event(2, 2_000, None)
    smallest = NOW_MS - 1_000
    assert host.dates() == [(smallest + 1_000, "arrival"), (smallest + 2_000, "arrival")]
    host.now_ms = NOW_MS - DAY_MS  # a step back is the smallest difference from now on
    host.event(3, 3_000, None)
    smallest = NOW_MS - DAY_MS - 3_000
    assert host.dates() == [(smallest + up_ms, "arrival") for up_ms in (1_000, 2_000, 3_000)]
    clock = {"type": "clock_set", "source": "ntp", "step_ms": None}
    host.event(4, 4_000, NOW_MS + 4_000, **clock)  # the console's own clock ends the guessing
    assert host.dates()[:3] == [(NOW_MS + up_ms, "clock_set") for up_ms in (1_000, 2_000, 3_000)]


def test_what_was_heard_before_the_clock_was_set_back_does_not_hide_what_comes_after(host: Host) -> None:
    host.now_ms = NOW_MS + 30 * DAY_MS
    health = {"epoch": "0000000a", "hardware_id": "ab", "settings_revision": 0, "faults": ["flash"]}
    host.take("health", health)
    host.now_ms = NOW_MS
    reader = open_store(host.database)
    sentences = [finding.sentence for finding in examine(reader, NOW_MS)]
    reader.close()
    assert any("in the future: this machine's clock was set back" in sentence for sentence in sentences)
    host.take("health", {**health, "faults": []})
    assert consoles(host.database, "last_seen_at_ms", "health_at_ms") == [(NOW_MS, NOW_MS)]
    assert [health["faults"] for health in healths(host.database)] == [[]]


def test_the_step_is_logged_once(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    host.event(1, 1_000, NOW_MS)
    host.now_ms -= HOUR_MS
    host.event(2, 2_000, NOW_MS)
    wait_until("the step is counted", lambda: host.writer.vitals.clock_steps == 1)
    told = [record for record in caplog.records if "stepped" in record.getMessage()]
    assert len(told) == 1
    assert vars(told[0])["facts"]["step_s"] == -3_600
