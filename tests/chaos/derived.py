"""Surveys and rollups are what the stored events say, and the file is whole."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.bridge.survey_oracle import expected_surveys
from tests.chaos.table import Epoch, damage, grouped, hours, named, rollup

OUTCOMES = ("yes", "no", "cant_say", "silent", "error")


def check_derived(
    connection: sqlite3.Connection, epochs: list[Epoch], now_ms: int, scope_ms: int = 600_000
) -> Iterator[str]:
    """What is wrong with what is made of the events. `scope_ms`: the reach of a force majeure."""
    yield from damage(connection)
    yield from _surveys(connection, epochs, now_ms, scope_ms)
    yield from _closes(connection, epochs)
    yield from _dates(connection, epochs)
    yield from _force_majeures(connection, epochs)
    yield from _hours(connection)
    for name, length in (("rollup_hour", None), ("rollup_day", 10)):
        yield from _rollup(connection, name, length)


def _surveys(connection: sqlite3.Connection, epochs: list[Epoch], now_ms: int, scope_ms: int) -> Iterator[str]:
    for site_id in sorted({epoch.name[0] for epoch in epochs}):
        mine = [epoch for epoch in epochs if epoch.name[0] == site_id]
        messages = [message for epoch in mine for message in _messages(epoch)]
        true = expected_surveys(messages, now_ms, scope_ms)
        names = ("outcome", "opened_at_ms", "closed_at_ms", "question_id", "affected")
        stored = {
            row[1:4]: dict(zip(names, row[4:], strict=True))
            for row in named(connection, "survey", *names)
            if row[0] == site_id
        }
        for key in sorted({*stored, *true}):
            wanted = {name: true[key][name] for name in names} if key in true else None
            if stored.get(key) != wanted:
                yield f"survey {key} of {site_id} is {stored.get(key)}, and by its events {wanted}"


def _closes(connection: sqlite3.Connection, epochs: list[Epoch]) -> Iterator[str]:
    """What a survey takes from its close, or from its opening where there is none."""
    by_name = {epoch.name: epoch for epoch in epochs}
    names = ("cause", "response_ms", "question_revision", "opened_up_ms", "outcome")
    for *name, number, cause, response_ms, revision, opened_ms, outcome in named(connection, "survey", *names):
        events = by_name[name[0], name[1], name[2]].events
        closes = [event for event in events.values() if event.said.get("survey") == number and "cause" in event.said]
        end = min(closes, key=lambda event: event.seq, default=events.get(number))
        assert end is not None
        said = end.said
        unclosed = "lost" if outcome == "error" else None
        true = (said.get("cause", unclosed), said.get("response_ms"), said["question_revision"])
        true_opened_ms = events[number].up_ms if number in events else said["opened_up_ms"]
        if (cause, response_ms, revision, opened_ms) != (*true, true_opened_ms):
            yield f"survey {number} of {name} has {(cause, response_ms, revision, opened_ms)}, and its events {true}"


def _dates(connection: sqlite3.Connection, epochs: list[Epoch]) -> Iterator[str]:
    """Every event has the date that contract.md ("Dating") gives it."""
    stored = {row[:4]: row[4:] for row in named(connection, "event", "dated_at_ms", "dated_by")}
    for epoch in epochs:
        clocks: dict[int, int] = {}
        arrivals: dict[int, int] = {}
        for event in sorted(epoch.events.values(), key=lambda event: event.seq):
            arrivals[event.boot] = min(arrivals.get(event.boot, 1 << 62), event.arrived_at_ms - event.up_ms)
            if event.type == "clock_set" and event.said["at_ms"] is not None:
                clocks.setdefault(event.boot, event.said["at_ms"] - event.up_ms)
        for seq, event in epoch.events.items():
            if event.said["at_ms"] is not None:
                true = (event.said["at_ms"], "console")
            elif event.boot in clocks:
                true = (clocks[event.boot] + event.up_ms, "clock_set")
            else:
                true = (arrivals[event.boot] + event.up_ms, "arrival")
            if stored[*epoch.name, seq] != true:
                yield f"number {seq} of {epoch.name} is dated {stored[*epoch.name, seq]}, and truly {true}"


def _force_majeures(connection: sqlite3.Connection, epochs: list[Epoch]) -> Iterator[str]:
    """Each declaration is counted once."""
    true = {
        (*epoch.name, seq, event.said["survey"])
        for epoch in epochs
        for seq, event in epoch.events.items()
        if event.type == "force_majeure_declared"
    }
    stored = set(named(connection, "force_majeure", "survey"))
    if stored != true:
        yield f"force majeures are counted that nobody declared, or not: {sorted(stored ^ true, key=repr)[:4]}"


def _hours(connection: sqlite3.Connection) -> Iterator[str]:
    """The hour of a survey and of a force majeure is the local one of its date."""
    for table, at_ms in (("survey", "opened_at_ms"), ("force_majeure", "dated_at_ms")):
        for hour, date_ms, zone in hours(connection, table, at_ms):
            local = datetime.fromtimestamp(date_ms // 1000, ZoneInfo(zone))
            true = local.replace(minute=0, second=0).isoformat(timespec="minutes")
            if hour != true:
                yield f"a {table} of {local} stands in the hour {hour}, and belongs to {true}"


def _messages(epoch: Epoch) -> Iterator[tuple[str, bytes, int]]:
    site_id, console_id, text = epoch.name
    for seq, event in epoch.events.items():
        payload = {"epoch": text, "first": min(epoch.first, seq), "base": seq, "events": [event.said]}
        if seq == max(epoch.events):
            payload["first"] = epoch.first
        yield f"trivox/v1/{site_id}/{console_id}/events", json.dumps(payload).encode(), event.arrived_at_ms


def _rollup(connection: sqlite3.Connection, name: str, length: int | None) -> Iterator[str]:
    """A rollup is the sum of surveys and force majeures, added up here one by one."""
    true: dict[tuple[Any, ...], Counter[str]] = {}
    for (hour, *group), (affected, outcome, ask_every) in grouped(
        connection, "survey", "affected", "outcome", "ask_every"
    ):
        if outcome == "open":
            continue
        counts = true.setdefault((hour[:length], *group, affected), Counter())
        counts[outcome] += 1
        if outcome != "error":
            counts["asked"] += ask_every or 1
            counts["ask_every_unknown"] += ask_every is None
    for (hour, *group), _ in grouped(connection, "force_majeure"):
        true.setdefault((hour[:length], *group, 0), Counter())["force_majeures"] += 1
    columns = (*OUTCOMES, "force_majeures", "asked", "ask_every_unknown")
    stored = rollup(connection, name, "hour" if length is None else "day", columns)
    for place in sorted({*stored, *true}):
        if stored.get(place) != +true.get(place, Counter()):
            yield f"{name} {place} has {stored.get(place)}, and the surveys give {true.get(place)}"
