"""Derive surveys from a set of messages by the rules of schema/README.md: slow, and without code of the bridge."""

from __future__ import annotations

import json
from typing import Any

DAY_MS = 86_400_000
Key = tuple[str, str, int]


def expected_surveys(messages: list[tuple[str, bytes, int]], now_ms: int, scope_ms: int) -> dict[Key, dict[str, Any]]:
    """Return the fields that each survey must have, by (console, epoch, survey)."""
    epochs: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    firsts: dict[tuple[str, str], int] = {}
    for topic, payload, arrived in messages:
        batch = json.loads(payload)
        key = topic.split("/")[3], batch["epoch"]
        firsts[key] = max(firsts.get(key, 1), batch["first"])
        for seq, event in enumerate(batch["events"], batch["base"]):
            epochs.setdefault(key, {}).setdefault(
                seq, {**event, "arrived": arrived, "seq": seq, "epoch": batch["epoch"]}
            )
    found: dict[Key, dict[str, Any]] = {}
    for events in epochs.values():
        for event in events.values():
            event["date"] = _date(event, events)
    for (console, epoch), events in epochs.items():
        declared = [
            event
            for (other, _), other_events in epochs.items()
            for event in other_events.values()
            if other == console and event["type"] == "force_majeure_declared"
        ]
        through = firsts[console, epoch] - 1
        while through + 1 in events or through + 1 < firsts[console, epoch]:
            through += 1
        for survey in _numbers(events):
            found[console, epoch, survey] = _survey(survey, events, declared, through, now_ms, scope_ms)
    return found


def _date(event: dict[str, Any], events: dict[int, dict[str, Any]]) -> int:
    if event["at_ms"] is not None:
        return int(event["at_ms"])
    same_boot = [other for other in events.values() if other["boot"] == event["boot"]]
    clocks = [other for other in same_boot if other["type"] == "clock_set" and other["at_ms"] is not None]
    if clocks:
        clock = min(clocks, key=lambda other: other["seq"])
        return int(clock["at_ms"] - clock["up_ms"] + event["up_ms"])
    return int(event["up_ms"] + min(other["arrived"] - other["up_ms"] for other in same_boot))


def _numbers(events: dict[int, dict[str, Any]]) -> set[int]:
    opened = {seq for seq, event in events.items() if event["type"] == "survey_opened"}
    return opened | {event["survey"] for event in events.values() if event["type"] == "survey_closed"}


def _survey(
    survey: int,
    events: dict[int, dict[str, Any]],
    declared: list[dict[str, Any]],
    through: int,
    now_ms: int,
    scope_ms: int,
) -> dict[str, Any]:
    opening = events.get(survey)
    if opening is not None and opening["type"] != "survey_opened":
        opening = None
    closes = [event for event in events.values() if event["type"] == "survey_closed" and event["survey"] == survey]
    close = min(closes, key=lambda event: event["seq"]) if closes else None
    if opening is None:
        assert close is not None
        opening = {**close, "up_ms": close["opened_up_ms"]}
        opening["date"] = close["date"] - (close["up_ms"] - close["opened_up_ms"])
    if close is not None:
        outcome = close["outcome"]
    else:
        later = [
            seq
            for seq, event in events.items()
            if seq > survey and event["type"] in {"booted", "survey_opened"} and seq <= through
        ]
        outcome = "error" if later or now_ms - opening["date"] >= DAY_MS else "open"
    end = close or opening
    epoch = end["epoch"]
    affected = any(_touches(event, epoch, opening, end, scope_ms) for event in declared)
    if close is None:
        affected |= any(event["epoch"] == epoch and event["survey"] == survey for event in declared)
    applied = [event for seq, event in sorted(events.items()) if seq < survey and event["type"] == "settings_applied"]
    revision = applied[-1]["revision"] if applied else 0
    return {
        "outcome": outcome,
        "opened_at_ms": opening["date"],
        "closed_at_ms": close["date"] if close else None,
        "question_id": end["question_id"],
        "affected": int(affected),
        "ask_every": revision * 2 if revision in {1, 2, 3} else None,
    }


def _touches(event: dict[str, Any], epoch: str, opening: dict[str, Any], end: dict[str, Any], scope_ms: int) -> bool:
    mine = event["epoch"] == epoch
    if mine and event["boot"] == opening["boot"]:
        is_after = event["up_ms"] >= opening["up_ms"] - scope_ms
    else:
        is_after = event["date"] >= opening["date"] - scope_ms
    if mine and event["boot"] == end["boot"]:
        return bool(is_after and event["up_ms"] <= end["up_ms"])
    return bool(is_after and event["date"] <= end["date"])
