"""Surveys and rollups depend only on the set of events and changes, and not on their order."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from bridge.admin.commands import (
    ALL_CONSOLES,
    BridgeCommand,
    ImportShifts,
    Scope,
    SetCheckoutPoint,
    SetSettings,
    SetSite,
)
from bridge.store import Store, open_store
from tests.bridge.histories import NOW_MS, Message, random_messages
from tests.bridge.survey_oracle import expected_surveys
from tests.support import facts
from tests.support.intake import execute, rebuild, take_messages
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from pathlib import Path

SHIFTS = (
    "site_id,console_id,seller_id,seller_name,started_at,ended_at\n"
    "s1,c1,anna,Anna,2025-11-20T00:00,2025-11-21T06:00\n"
    "s1,c1,boris,Boris,2025-11-21T06:00,2025-11-22T00:00\n"
    "s1,c2,anna,Anna,2025-11-19T12:00,2025-11-22T02:00\n"
)
CHANGES: list[BridgeCommand] = [
    SetSite(site_id="s1", timezone="Europe/Sofia"),
    ImportShifts(name="shifts.csv", text=SHIFTS, new=True),
    SetCheckoutPoint(site_id="s1", checkout_point_id="p1", console_id="c1", from_day=date(2025, 11, 21), new=True),
    SetSettings(scope=ALL_CONSOLES, values={"force_majeure_scope_s": "3000"}),
]
KEY = ("console_id", "checkout_point_id", "seller_id", "question_id", "question_revision", "affected")
LEVELS = {
    "rollup_hour": ("hour", None, KEY),
    "rollup_day": ("day", 10, KEY),
    "rollup_month": ("month", 7, KEY),
    "rollup_site_day": ("day", 10, KEY[2:]),
    "rollup_site_month": ("month", 7, KEY[2:]),
}
COUNTED = ("yes", "no", "cant_say", "silent", "error", "asked")


def fill(folder: Path, name: str, groups: list[list[Message]], changes: dict[int, list[int]]) -> Store:
    """Take in groups of messages, a transaction each; `changes` has the changes to make after a number of groups."""
    store = open_store(folder / name, writing=True)
    with store.transaction(NOW_MS):
        for console_id in ("c1", "c2"):
            for ask_every in ("2", "4", "6"):  # in the revisions 1, 2 and 3
                execute(store, SetSettings(scope=Scope("s1", console_id), values={"ask_every": ask_every}, new=True))
    for index, group in enumerate([*groups, []]):
        for change in changes.get(index, []):
            with store.transaction(NOW_MS):
                execute(store, CHANGES[change])
        take_messages(store, group, NOW_MS)
    return store


def surveys(store: Store) -> dict[tuple[str, str, int], dict[str, Any]]:
    names = ("outcome", "opened_at_ms", "closed_at_ms", "question_id", "affected", "ask_every")
    rows = facts.surveys(store, "console_id", "epoch", "survey", *names)
    return {row[:3]: dict(zip(names, row[3:], strict=True)) for row in rows}


def check_rollups(store: Store) -> None:
    """Check all rollups against surveys and force majeures."""
    by_hour = Counter[Any]()
    for hour, outcome, ask_every, *names in facts.surveys(store, "hour", "outcome", "ask_every", *KEY):
        if outcome != "open":
            group = hour, *["" if name is None else name for name in names]
            by_hour[*group, outcome] += 1
            by_hour[*group, "asked"] += 0 if outcome == "error" else ask_every or 1
    declared = len(facts.force_majeures(store))
    for table, (period, length, key) in LEVELS.items():
        expected = Counter[Any]()
        for (hour, *group, name), count in by_hour.items():
            kept = [value for column, value in zip(KEY, group, strict=True) if column in key]
            expected[hour[:length], *kept, name] += count
        assert counted(facts.sums(store, table, period, *key, *COUNTED)) == +expected, table
        assert sum(facts.sums(store, table, "force_majeures")) == declared, table


def counted(rows: list[Any]) -> Counter[Any]:
    """Return the counts of a rollup, by group and column."""
    split = ((row[: -len(COUNTED)], row[-len(COUNTED) :]) for row in rows)
    return +Counter({(*group, name): n for group, counts in split for name, n in zip(COUNTED, counts, strict=True)})


def grouped(messages: list[Message], chance: random.Random) -> list[list[Message]]:
    groups: list[list[Message]] = []
    while messages:
        size = chance.choice((1, 2, 5, 50))
        groups.append(messages[:size])
        messages = messages[size:]
    return groups


def check_any_order(folder: Path, seed: int, count: int = 0) -> None:
    chance = random.Random(seed)
    messages = random_messages(seed, count or chance.choice((5, 20, 60)))
    wanted = [index for index in range(len(CHANGES)) if chance.random() < 0.5]
    in_order = fill(folder, f"{seed}-order.db", [messages], {0: wanted})
    expected = facts.content(in_order)
    assert surveys(in_order) == expected_surveys(messages, NOW_MS, 3_000_000 if 3 in wanted else 600_000), seed
    check_rollups(in_order)
    shuffled = messages + chance.sample(messages, len(messages) // 3)
    chance.shuffle(shuffled)
    groups = grouped(shuffled, chance)
    changes: dict[int, list[int]] = {}
    positions = sorted(chance.randrange(len(groups) + 1) for _ in wanted)  # a time zone changes what later dates mean
    for index, position in zip(wanted, positions, strict=True):
        changes.setdefault(position, []).append(index)
    store = fill(folder, f"{seed}-shuffled.db", groups, changes)
    found = facts.content(store)
    for name, rows in expected.items():
        assert found[name] == rows, (seed, name)
    with store.transaction(NOW_MS):
        rebuild(store)
    rebuilt = facts.content(store)
    for name, rows in expected.items():
        assert rebuilt[name] == rows, (seed, name)
    in_order.close()
    store.close()


@pytest.mark.parametrize("part", range(4))
def test_surveys_do_not_depend_on_the_order_of_events(tmp_path: Path, part: int) -> None:
    chance = seeded(f"fold {part}")
    for _ in range(8):
        check_any_order(tmp_path, chance.randrange(2**32))


@pytest.mark.parametrize("seed", [17_557, 20_199])
def test_seeds_for_which_surveys_once_depended_on_the_order(tmp_path: Path, seed: int) -> None:
    check_any_order(tmp_path, seed)


def test_the_order_does_not_matter_within_a_large_transaction(tmp_path: Path) -> None:
    check_any_order(tmp_path, seeded("many in a transaction").randrange(2**32), count=700)
