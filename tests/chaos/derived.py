"""Surveys and rollups are what the stored events say, and the file is whole."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

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
    for *parts, affected, outcome in connection.execute(
        f"SELECT {key}, affected, outcome FROM survey JOIN console USING (console_key) WHERE outcome <> 'open'"
    ):
        true.setdefault((parts[0][:length], *parts[1:], affected), Counter())[outcome] += 1
    for parts in connection.execute(f"SELECT {key} FROM force_majeure JOIN console USING (console_key)"):
        true.setdefault((parts[0][:length], *parts[1:], 0), Counter())["force_majeures"] += 1
    first = "hour" if length is None else "day"
    columns = (*OUTCOMES, "force_majeures")
    stored = {
        row[:8]: Counter({name: count for name, count in zip(columns, row[8:], strict=True) if count})
        for row in connection.execute(
            f"SELECT {first}, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision,"
            f" affected, {', '.join(columns)} FROM {rollup}"
        )
    }
    stored = {name: counts for name, counts in stored.items() if counts}
    for name in sorted({*stored, *true}):
        if stored.get(name) != true.get(name):
            yield f"{rollup} {name} has {stored.get(name)}, and the surveys give {true.get(name)}"
