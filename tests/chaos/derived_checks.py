"""Check that surveys and rollups follow from the stored events, and that the database file is undamaged."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.bridge.survey_oracle import expected_surveys
from tests.chaos.database import (
    GROUP,
    ROLLUPS,
    StoredEpoch,
    damage,
    grouped_rows,
    hours_and_dates,
    numbered_rows,
    rollup,
)

OUTCOMES = ("yes", "no", "cant_say", "silent", "error")


def check_derived(
    connection: sqlite3.Connection, epochs: list[StoredEpoch], now_ms: int, scope_ms: int = 600_000
) -> Iterator[str]:
    """Yield what is wrong with the data derived from events; `scope_ms` is how far a force majeure reaches."""
    yield from damage(connection)
    yield from _surveys(connection, epochs, now_ms, scope_ms)
    yield from _closes(connection, epochs)
    yield from _dates(connection, epochs)
    yield from _force_majeures(connection, epochs)
    yield from _hours(connection)
    for name in ROLLUPS:
        yield from _rollup(connection, name)


def _surveys(connection: sqlite3.Connection, epochs: list[StoredEpoch], now_ms: int, scope_ms: int) -> Iterator[str]:
    for site_id in sorted({epoch.name[0] for epoch in epochs}):
        mine = [epoch for epoch in epochs if epoch.name[0] == site_id]
        messages = [message for epoch in mine for message in _messages(epoch)]
        expected = expected_surveys(messages, now_ms, scope_ms)
        names = ("outcome", "opened_at_ms", "closed_at_ms", "question_id", "affected")
        stored = {
            row[1:4]: dict(zip(names, row[4:], strict=True))
            for row in numbered_rows(connection, "survey", *names)
            if row[0] == site_id
        }
        for key in sorted({*stored, *expected}):
            wanted = {name: expected[key][name] for name in names} if key in expected else None
            if stored.get(key) != wanted:
                yield f"survey {key} of {site_id} is {stored.get(key)}, and by its events {wanted}"


def _closes(connection: sqlite3.Connection, epochs: list[StoredEpoch]) -> Iterator[str]:
    """Check the fields that a survey takes from its close, or from its opening if it has no close."""
    by_name = {epoch.name: epoch for epoch in epochs}
    names = ("cause", "response_ms", "question_revision", "opened_up_ms", "outcome")
    for *name, number, cause, response_ms, revision, opened_ms, outcome in numbered_rows(connection, "survey", *names):
        events = by_name[name[0], name[1], name[2]].events
        closes = [
            event for event in events.values() if event.payload.get("survey") == number and "cause" in event.payload
        ]
        end = min(closes, key=lambda event: event.seq, default=events.get(number))
        assert end is not None
        payload = end.payload
        unclosed = "lost" if outcome == "error" else None
        expected = (payload.get("cause", unclosed), payload.get("response_ms"), payload["question_revision"])
        true_opened_ms = events[number].up_ms if number in events else payload["opened_up_ms"]
        if (cause, response_ms, revision, opened_ms) != (*expected, true_opened_ms):
            yield f"survey {number} of {name} has {(cause, response_ms, revision, opened_ms)}, its events {expected}"


def _dates(connection: sqlite3.Connection, epochs: list[StoredEpoch]) -> Iterator[str]:
    """Check each event's date: by the console's clock, else by its boot's first `clock_set`, else by its arrival."""
    stored = {row[:4]: row[4:] for row in numbered_rows(connection, "event", "dated_at_ms", "dated_by")}
    for epoch in epochs:
        clocks: dict[int, int] = {}
        arrivals: dict[int, int] = {}
        for event in sorted(epoch.events.values(), key=lambda event: event.seq):
            arrivals[event.boot] = min(arrivals.get(event.boot, 1 << 62), event.arrived_at_ms - event.up_ms)
            if event.type == "clock_set" and event.payload["at_ms"] is not None:
                clocks.setdefault(event.boot, event.payload["at_ms"] - event.up_ms)
        for seq, event in epoch.events.items():
            if event.payload["at_ms"] is not None:
                expected = (event.payload["at_ms"], "console")
            elif event.boot in clocks:
                expected = (clocks[event.boot] + event.up_ms, "clock_set")
            else:
                expected = (arrivals[event.boot] + event.up_ms, "arrival")
            if stored[*epoch.name, seq] != expected:
                yield f"number {seq} of {epoch.name} is dated {stored[*epoch.name, seq]}, and should be {expected}"


def _force_majeures(connection: sqlite3.Connection, epochs: list[StoredEpoch]) -> Iterator[str]:
    """Check that each declaration is counted once."""
    expected = {
        (*epoch.name, seq, event.payload["survey"])
        for epoch in epochs
        for seq, event in epoch.events.items()
        if event.type == "force_majeure_declared"
    }
    stored = set(numbered_rows(connection, "force_majeure", "survey"))
    if stored != expected:
        odd = sorted(stored ^ expected, key=repr)[:4]
        yield f"force majeures are counted that nobody declared, or are missing: {odd}"


def _hours(connection: sqlite3.Connection) -> Iterator[str]:
    """Check that the hour of each survey and force majeure is the local hour of its date."""
    for table, at_ms in (("survey", "opened_at_ms"), ("force_majeure", "dated_at_ms")):
        for hour, date_ms, zone in hours_and_dates(connection, table, at_ms):
            local = datetime.fromtimestamp(date_ms // 1000, ZoneInfo(zone))
            expected = local.replace(minute=0, second=0).isoformat(timespec="minutes")
            if hour != expected:
                yield f"a {table} of {local} is in the hour {hour}, and belongs to {expected}"


def _messages(epoch: StoredEpoch) -> Iterator[tuple[str, bytes, int]]:
    site_id, console_id, epoch_id = epoch.name
    for seq, event in epoch.events.items():
        payload = {"epoch": epoch_id, "first": min(epoch.first, seq), "base": seq, "events": [event.payload]}
        if seq == max(epoch.events):
            payload["first"] = epoch.first
        yield f"trivox/v1/{site_id}/{console_id}/events", json.dumps(payload).encode(), event.arrived_at_ms


def _rollup(connection: sqlite3.Connection, name: str) -> Iterator[str]:
    """Check a rollup against surveys and force majeures, added up here one by one."""
    _, length, columns_of_group = ROLLUPS[name]
    places = [GROUP.index(column) for column in columns_of_group]
    expected: dict[tuple[Any, ...], Counter[str]] = {}
    for (hour, *place), (affected, outcome, ask_every) in grouped_rows(
        connection, "survey", "affected", "outcome", "ask_every"
    ):
        if outcome == "open":
            continue
        group = [place[index] for index in places]
        counts = expected.setdefault((hour[:length], *group, affected), Counter())
        counts[outcome] += 1
        if outcome != "error":
            counts["asked"] += ask_every or 1
            counts["ask_every_unknown"] += ask_every is None
    for (hour, *place), _ in grouped_rows(connection, "force_majeure"):
        group = [place[index] for index in places]
        expected.setdefault((hour[:length], *group, 0), Counter())["force_majeures"] += 1
    columns = (*OUTCOMES, "force_majeures", "asked", "ask_every_unknown")
    stored = rollup(connection, name, columns)
    for key in sorted({*stored, *expected}):
        if stored.get(key) != +expected.get(key, Counter()):
            yield f"{name} {key} has {stored.get(key)}, and the surveys give {expected.get(key)}"
