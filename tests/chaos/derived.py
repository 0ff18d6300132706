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
from tests.chaos.table import Epoch

OUTCOMES = ("yes", "no", "cant_say", "silent", "error")


def check_derived(
    connection: sqlite3.Connection, epochs: list[Epoch], now_ms: int, scope_ms: int = 600_000
) -> Iterator[str]:
    """What is wrong with what is made of the events. `scope_ms`: the reach of a force majeure."""
    for pragma in ("integrity_check", "foreign_key_check"):
        found = [str(row) for row in connection.execute(f"PRAGMA {pragma}") if row != ("ok",)]
        if found:
            yield f"PRAGMA {pragma}: {found[:3]}"
    yield from _surveys(connection, epochs, now_ms, scope_ms)
    yield from _closes(connection, epochs)
    yield from _dates(connection, epochs)
    yield from _force_majeures(connection, epochs)
    yield from _hours(connection)
    for rollup, length in (("rollup_hour", None), ("rollup_day", 10)):
        yield from _rollup(connection, rollup, length)


def _surveys(connection: sqlite3.Connection, epochs: list[Epoch], now_ms: int, scope_ms: int) -> Iterator[str]:
    for site_id in sorted({epoch.name[0] for epoch in epochs}):
        mine = [epoch for epoch in epochs if epoch.name[0] == site_id]
        messages = [message for epoch in mine for message in _messages(epoch)]
        true = expected_surveys(messages, now_ms, scope_ms)
        names = ("outcome", "opened_at_ms", "closed_at_ms", "question_id", "affected")
        stored = {
            (row[0], row[1], row[2]): dict(zip(names, row[3:], strict=True))
            for row in connection.execute(
                f"SELECT console_id, epoch, survey, {', '.join(names)} FROM survey JOIN epoch USING (epoch_key)"
                " JOIN console ON console.console_key = epoch.console_key WHERE site_id = ?",
                (site_id,),
            )
        }
        for key in sorted({*stored, *true}):
            wanted = {name: true[key][name] for name in names} if key in true else None
            if stored.get(key) != wanted:
                yield f"survey {key} of {site_id} is {stored.get(key)}, and by its events {wanted}"


def _closes(connection: sqlite3.Connection, epochs: list[Epoch]) -> Iterator[str]:
    """What a survey takes from its close, or from its opening where there is none."""
    by_name = {epoch.name: epoch for epoch in epochs}
    names = ("cause", "response_ms", "question_revision", "opened_up_ms", "outcome")
    for *name, number, cause, response_ms, revision, opened_ms, outcome in connection.execute(
        f"SELECT site_id, console_id, epoch, survey, {', '.join(names)} FROM survey JOIN epoch USING (epoch_key)"
        " JOIN console ON console.console_key = epoch.console_key"
    ):
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
    stored = {
        (row[0], row[1], row[2], row[3]): (row[4], row[5])
        for row in connection.execute(
            "SELECT site_id, console_id, epoch, seq, dated_at_ms, dated_by FROM event JOIN epoch USING (epoch_key)"
            " JOIN console ON console.console_key = epoch.console_key"
        )
    }
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
    stored = set(
        connection.execute(
            "SELECT site_id, console_id, epoch, seq, survey FROM force_majeure JOIN epoch USING (epoch_key)"
            " JOIN console ON console.console_key = epoch.console_key"
        )
    )
    if stored != true:
        yield f"force majeures are counted that nobody declared, or not: {sorted(stored ^ true, key=repr)[:4]}"


def _hours(connection: sqlite3.Connection) -> Iterator[str]:
    """The hour of a survey and of a force majeure is the local one of its date."""
    for table, at_ms in (("survey", "opened_at_ms"), ("force_majeure", "dated_at_ms")):
        for hour, date_ms, zone in connection.execute(
            f"SELECT hour, {at_ms}, timezone FROM {table} JOIN console USING (console_key) JOIN site USING (site_id)"
        ):
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


def _rollup(connection: sqlite3.Connection, rollup: str, length: int | None) -> Iterator[str]:
    """A rollup is the sum of surveys and force majeures, added up here one by one."""
    true: dict[tuple[Any, ...], Counter[str]] = {}
    place = "coalesce(checkout_point_id, ''), coalesce(seller_id, '')"
    key = f"hour, site_id, console_id, {place}, question_id, question_revision"
    for *parts, affected, outcome, ask_every in connection.execute(
        f"SELECT {key}, affected, outcome, ask_every FROM survey JOIN console USING (console_key)"
        " WHERE outcome <> 'open'"
    ):
        counts = true.setdefault((parts[0][:length], *parts[1:], affected), Counter())
        counts[outcome] += 1
        if outcome != "error":
            counts["asked"] += ask_every or 1
            counts["ask_every_unknown"] += ask_every is None
    for parts in connection.execute(f"SELECT {key} FROM force_majeure JOIN console USING (console_key)"):
        true.setdefault((parts[0][:length], *parts[1:], 0), Counter())["force_majeures"] += 1
    first = "hour" if length is None else "day"
    columns = (*OUTCOMES, "force_majeures", "asked", "ask_every_unknown")
    stored = {
        row[:8]: Counter({name: count for name, count in zip(columns, row[8:], strict=True) if count})
        for row in connection.execute(
            f"SELECT {first}, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision,"
            f" affected, {', '.join(columns)} FROM {rollup}"
        )
    }
    stored = {name: counts for name, counts in stored.items() if counts}
    for name in sorted({*stored, *true}):
        if stored.get(name) != +true.get(name, Counter()):
            yield f"{rollup} {name} has {stored.get(name)}, and the surveys give {true.get(name)}"
