"""Events folded into surveys by the model alone: no database, another store under it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.model.console import ConsoleName, KnownConsole
from bridge.model.dating import date_event
from bridge.model.epoch import Boot, Epoch
from bridge.model.periods import Timeline
from bridge.model.survey import ForceMajeureRow, StoredEvent, SurveyRow
from bridge.model.survey_rules import (
    DecidingEvents,
    NearbyForceMajeures,
    derive_force_majeure,
    derive_survey,
    is_affected,
)
from bridge.wire import contract
from bridge.wire.contract import Booted, ForceMajeureDeclared, SettingsApplied, SurveyClosed, SurveyOpened
from tests.bridge.histories import NOW_MS, Message, random_messages
from tests.bridge.survey_oracle import expected_surveys
from tests.support.seeds import seeded

SCOPE_S = 600
SHIFTS = [(0, NOW_MS - 3_600_000, "anna"), (NOW_MS - 3_600_000, 2 * NOW_MS, "boris")]
PLACEMENTS = [(0, 2 * NOW_MS, "till")]


class ConsoleMemory:
    """What is on record about a console."""

    def shifts(self) -> Timeline:
        return Timeline(SHIFTS)

    def placements(self) -> Timeline:
        return Timeline(PLACEMENTS)

    def force_majeure_scope_s(self) -> float | None:
        return SCOPE_S

    def ask_every(self, revision: int) -> int | None:
        return {1: 2, 2: 4, 3: 6}.get(revision)


class EpochMemory:
    """The events of an epoch, and what is on record about it."""

    def __init__(self) -> None:
        self.events: dict[int, tuple[Any, str, int]] = {}  # by number: event, text, arrival

    def boot(self, number: int) -> Boot | None:
        assert number, "the console counts its boots from 1"
        return None  # all that is known of boots is in the epoch itself

    def next_opener(self, seq: int) -> int | None:
        return min((at for at in self.openers() if at > seq), default=None)

    def openers(self) -> list[int]:
        return [seq for seq, (event, _, _) in self.events.items() if isinstance(event, Booted | SurveyOpened)]


def take_in(messages: list[Message]) -> list[tuple[Epoch, EpochMemory]]:
    """Take in messages as a bridge would: each number once, and note what an epoch must know."""
    consoles: dict[ConsoleName, KnownConsole] = {}
    epochs: dict[tuple[ConsoleName, str], tuple[Epoch, EpochMemory]] = {}
    for topic, payload, arrived_at_ms in messages:
        site_id, console_id, _ = contract.read_topic(topic)
        name, batch = (site_id, console_id), contract.read_batch(payload)
        console = consoles.setdefault(
            name, KnownConsole(len(consoles), name, "Europe/Sofia", ConsoleMemory(), enrolled=True, signs=False)
        )
        memory = EpochMemory()
        epoch, memory = epochs.setdefault(
            (name, batch.epoch), (Epoch(len(epochs), batch.epoch, console, memory), memory)
        )
        epoch.first = max(epoch.first, batch.first)
        for seq, raw in enumerate(batch.events, batch.base):
            event = contract.parse_event(raw, seq)
            boot = epoch.note_boot(event.boot, arrived_at_ms - event.up_ms)
            if seq not in epoch.received:
                memory.events[seq] = event, str(raw, "utf-8"), arrived_at_ms
                if isinstance(event, contract.ClockSet) and event.at_ms is not None:
                    boot.note_clock(seq, event.at_ms - event.up_ms)
                if isinstance(event, SettingsApplied):
                    epoch.note_applied(seq, event.revision)
            epoch.received.add(seq, seq)
    for epoch, memory in epochs.values():
        epoch.through = epoch.received.through(epoch.first)
        epoch.last_opener = max(memory.openers(), default=0)
    return list(epochs.values())


def dated(epoch: Epoch, memory: EpochMemory, seq: int) -> int:
    event, _, _ = memory.events[seq]
    boot = epoch.boots[event.boot]
    return date_event(event.at_ms, event.up_ms, boot.clock_offset_ms, boot.arrival_offset_ms)[0]


def decided(epoch: Epoch, memory: EpochMemory) -> tuple[dict[int, DecidingEvents], list[ForceMajeureRow]]:
    """The deciding events of each survey of an epoch, and its force majeures."""
    deciding: dict[int, DecidingEvents] = {}
    declared: list[ForceMajeureRow] = []
    for seq, (event, text, _) in memory.events.items():
        at_ms = dated(epoch, memory, seq)
        if isinstance(event, SurveyOpened):
            deciding.setdefault(seq, DecidingEvents()).note_opening(event, at_ms)
        elif isinstance(event, SurveyClosed):
            deciding.setdefault(event.survey, DecidingEvents()).note_close(seq, event, at_ms)
        elif isinstance(event, ForceMajeureDeclared):
            declared.append(derive_force_majeure(epoch, seq, StoredEvent(event.boot, event.up_ms, at_ms, text)))
    return deciding, declared


def fold(messages: list[Message]) -> dict[tuple[str, str, int], SurveyRow]:
    """Fold messages into surveys, by console, epoch and number."""
    epochs = [(epoch, *decided(epoch, memory)) for epoch, memory in take_in(messages)]
    all_declared = [row for _, _, declared in epochs for row in declared]
    named = {(row.epoch_key, row.survey) for row in all_declared}
    found = {}
    for epoch, deciding, declared in epochs:
        console = epoch.console
        of_boot: dict[int, list[ForceMajeureRow]] = {}
        for declaration in declared:
            of_boot.setdefault(declaration.boot, []).append(declaration)
        nearby = NearbyForceMajeures(
            epoch.key, [row for row in all_declared if row.console_key == console.key], of_boot
        )
        for survey, events in deciding.items():
            row = derive_survey(epoch, survey, events, NOW_MS)
            affected = is_affected(row, events, nearby, console.scope_ms, lambda *name: name in named)
            found[console.console_id, epoch.epoch, survey] = row._replace(affected=int(affected))
    return found


@pytest.mark.parametrize("part", range(3))
def test_events_fold_to_surveys_without_any_database(part: int) -> None:
    chance = seeded(f"model {part}")
    for _ in range(10):
        messages = random_messages(chance.randrange(2**32), 60)
        expected = expected_surveys(messages, NOW_MS, SCOPE_S * 1000)
        chance.shuffle(messages)
        found = fold(messages + messages[:20])
        assert {name: {what: getattr(row, what) for what in expected[name]} for name, row in found.items()} == expected


def test_a_survey_knows_its_seller_its_checkout_point_and_its_hour() -> None:
    event = {"boot": 1, "up_ms": 5, "type": "survey_opened", "question_id": "staff", "question_revision": 1}
    batch = {
        "epoch": "0000000a",
        "first": 1,
        "base": 1,
        "events": [{**event, "at_ms": NOW_MS - 3_600_001}, {**event, "at_ms": NOW_MS - 3_600_000}],
    }
    rows = fold([("trivox/v1/s1/c1/events", json.dumps(batch).encode(), NOW_MS)]).values()
    assert [(row.seller_id, row.checkout_point_id) for row in rows] == [("anna", "till"), ("boris", "till")]
    assert {row.hour for row in rows} == {"2025-11-22T09:00+02:00"}


def survey_of(close: dict[str, Any] | None, *, opened_at_ms: int = NOW_MS) -> SurveyRow:
    """Fold one survey, opened at up_ms 10 in boot 1 and closed as given."""
    asked = {"question_id": "staff", "question_revision": 1}
    opening = {"boot": 1, "up_ms": 10, "at_ms": opened_at_ms, "type": "survey_opened", **asked}
    closing = {"type": "survey_closed", "survey": 1, "opened_up_ms": 10, **asked, **(close or {})}
    batch = {"epoch": "0000000a", "first": 1, "base": 1, "events": [opening, *([closing] if close else [])]}
    ((_, row),) = fold([("trivox/v1/s1/c1/events", json.dumps(batch).encode(), NOW_MS)]).items()
    return row


HOUR_MS = 3_600_000
YES = {"outcome": "yes", "cause": "answered", "response_ms": 5}


@pytest.mark.parametrize(
    ("boot", "up_ms", "at_ms", "is_long"),
    [
        (1, 10 + HOUR_MS, NOW_MS + HOUR_MS, 0),
        (1, 11 + HOUR_MS, NOW_MS + HOUR_MS, 1),
        (1, 10 + HOUR_MS, NOW_MS + HOUR_MS + 1, 1),
        (2, 20, NOW_MS + 10, 1),
    ],
)
def test_a_survey_is_long_by_either_clock_and_across_boots(boot: int, up_ms: int, at_ms: int, is_long: int) -> None:
    assert survey_of({"boot": boot, "up_ms": up_ms, "at_ms": at_ms, **YES}).long == is_long


def test_only_an_answer_has_a_response_time() -> None:
    close = {"boot": 1, "up_ms": 20, "at_ms": NOW_MS + 10}
    assert survey_of({**close, **YES}).response_ms == 5
    assert survey_of({**close, "outcome": "silent", "cause": "expired", "response_ms": 5}).response_ms is None


def test_a_shift_ends_before_its_last_instant() -> None:
    timeline = Timeline([(10, 20, "anna"), (30, 40, "boris")])
    assert [timeline.at(at_ms)[2] for at_ms in (9, 10, 19, 20, 29, 30, 39, 40)] == [
        *(None, "anna", "anna", None, None),
        *("boris", "boris", None),
    ]
