"""Each rule about a console's status, on both sides of its limit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bridge.ops.doctor.console_rules import rules_that_apply
from bridge.ops.doctor.findings import ConsoleHealth, ConsoleStatus, IdConflict, deciding_finding, health_of
from bridge.wire.health import HealthFigures
from bridge.wire.signature import Mac, MacCount

NOW_MS = 1_763_780_000_000
SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
DAY_MS = 24 * HOUR_MS


def console(*, quiet_ms: int = 10 * SECOND_MS, **facts: Any) -> ConsoleStatus:
    figures = {name: facts.pop(name) for name in list(facts) if name in HealthFigures.__dataclass_fields__}
    last_seen_at_ms = facts.pop("last_seen_at_ms", NOW_MS - quiet_ms)
    online = facts.pop("online", True)
    return ConsoleStatus("demo", "till-1", last_seen_at_ms, online=online, figures=HealthFigures(**figures), **facts)


def health_and_rule(**facts: Any) -> tuple[str, str | None]:
    findings = rules_that_apply(console(**facts), NOW_MS)
    finding = deciding_finding(findings)
    return health_of(findings).word, finding and finding.rule


WELL = ("green", None)
OLDER_FIRMWARE: dict[str, Any] = {
    "has_key": True,
    "events_by_mac": {Mac.VALID: MacCount(5, NOW_MS)},
    "firmware": "1.0.0",
}
LIMITS: list[tuple[dict[str, Any], tuple[str, str | None]]] = [
    ({}, WELL),
    ({"last_seen_at_ms": 0, "online": None}, ("grey", "never_heard")),
    ({"last_seen_at_ms": 0, "faults": ("flash",), "outbox": 4_000}, ("grey", "never_heard")),
    ({"is_revoked": True}, ("amber", "revoked")),
    ({"board_at": "demo/till-2"}, ("amber", "board_elsewhere")),
    # last seen
    ({"quiet_ms": 3 * MINUTE_MS}, WELL),
    ({"quiet_ms": 3 * MINUTE_MS + 1}, ("amber", "late")),
    ({"quiet_ms": 10 * SECOND_MS, "heartbeat_ms": 1_000}, WELL),
    ({"quiet_ms": MINUTE_MS + 1, "heartbeat_ms": 1_000}, ("amber", "late")),
    ({"quiet_ms": 15 * MINUTE_MS}, ("amber", "late")),
    ({"quiet_ms": 15 * MINUTE_MS + 1}, ("red", "silent")),
    ({"quiet_ms": 15 * MINUTE_MS + 1, "is_staffed": True}, ("red", "silent")),
    ({"quiet_ms": 15 * MINUTE_MS + 1, "is_staffed": False}, ("amber", "off_shift")),
    ({"quiet_ms": 30 * MINUTE_MS, "heartbeat_ms": 10 * MINUTE_MS}, WELL),
    ({"quiet_ms": 30 * MINUTE_MS + 1, "heartbeat_ms": 10 * MINUTE_MS}, ("red", "silent")),
    ({"online": False}, ("amber", "offline")),
    ({"online": False, "quiet_ms": 15 * MINUTE_MS + 1}, ("red", "silent")),
    ({"online": None}, WELL),
    ({"quiet_ms": -MINUTE_MS}, WELL),
    ({"quiet_ms": -MINUTE_MS - 1}, ("amber", "host_clock")),
    # what it holds and lost
    ({"outbox": 999}, WELL),
    ({"outbox": 1_000}, ("amber", "outbox")),
    ({"outbox": 2_499}, ("amber", "outbox")),
    ({"outbox": 2_500}, ("red", "outbox_half")),
    ({"lost": 7, "lost_last_day": 0}, WELL),
    ({"lost": 7, "lost_last_day": 1}, ("red", "lost")),
    # faults
    ({"faults": ("flash",)}, ("red", "flash")),
    ({"faults": ("stuck:seller",)}, ("red", "stuck")),
    ({"faults": ("settings",)}, ("amber", "settings")),
    ({"faults": ("clock",)}, ("amber", "clock_unknown")),
    ({"faults": ("anything new",)}, ("amber", "fault")),
    ({"faults": ("settings", "clock", "stuck:no", "flash")}, ("red", "flash")),
    # clock: only a heartbeat that was not retained says anything about it
    ({"at_ms": NOW_MS, "health_at_ms": NOW_MS - 60_000}, WELL),
    ({"at_ms": NOW_MS, "health_at_ms": NOW_MS - 60_001}, ("amber", "clock_off")),
    ({"at_ms": NOW_MS - 60_001, "health_at_ms": NOW_MS}, ("amber", "clock_off")),
    ({"at_ms": 0, "health_at_ms": None}, WELL),
    ({"at_ms": None, "health_at_ms": NOW_MS}, WELL),
    # out of service
    ({"quiet_ms": 3 * HOUR_MS, "retired_at_ms": NOW_MS - 3 * HOUR_MS, "faults": ("flash",)}, ("grey", "retired")),
    ({"quiet_ms": 3 * HOUR_MS - 1, "retired_at_ms": NOW_MS - 3 * HOUR_MS}, ("amber", "retired_heard")),
    # signal
    ({"rssi_dbm": -80}, WELL),
    ({"rssi_dbm": -81}, ("amber", "signal")),
    # two boards
    ({"id_conflicts": (IdConflict(NOW_MS - DAY_MS, "two boards", "Two boards."),)}, ("red", "two_boards")),
    ({"id_conflicts": (IdConflict(NOW_MS - DAY_MS - 1, "two boards", "Two boards."),)}, WELL),
    # proof
    ({"events_by_mac": {Mac.VALID: MacCount(5, NOW_MS)}, "has_key": True}, WELL),
    ({"events_by_mac": {Mac.FAILED: MacCount(5, NOW_MS - DAY_MS)}}, ("red", "not_proved")),
    ({"events_by_mac": {Mac.MISSING: MacCount(5, NOW_MS - DAY_MS)}}, ("red", "not_proved")),
    ({"events_by_mac": {Mac.FAILED: MacCount(5, NOW_MS - DAY_MS - 1)}}, WELL),
    ({"events_by_mac": {Mac.NO_KEY: MacCount(5, NOW_MS)}}, ("amber", "no_key")),
    ({"events_by_mac": {Mac.NO_KEY: MacCount(5, NOW_MS), Mac.VALID: MacCount(1, NOW_MS + 1)}}, WELL),
    ({"has_key": True}, ("amber", "not_signed")),
    ({"has_key": True, "words_by_mac": {Mac.VALID: MacCount(1, NOW_MS)}}, WELL),
    ({"words_by_mac": {Mac.FAILED: MacCount(5, NOW_MS - DAY_MS)}}, ("red", "words_not_proved")),
    ({"words_by_mac": {Mac.MISSING: MacCount(5, NOW_MS - DAY_MS)}}, ("red", "words_not_proved")),
    ({"words_by_mac": {Mac.MISSING: MacCount(5, NOW_MS - DAY_MS - 1)}}, WELL),
    ({"words_by_mac": {Mac.STALE: MacCount(5, NOW_MS), Mac.VALID: MacCount(1, NOW_MS)}}, WELL),
    (
        {"words_by_mac": {Mac.STALE: MacCount(5, NOW_MS), Mac.VALID: MacCount(1, NOW_MS - 1)}},
        ("red", "words_not_proved"),
    ),
    (OLDER_FIRMWARE, ("amber", "words_not_signed")),
    (OLDER_FIRMWARE | {"words_by_mac": {Mac.VALID: MacCount(1, NOW_MS)}}, ("amber", "words_not_signed")),
    (OLDER_FIRMWARE | {"proves_words": True}, WELL),
    ({"ignored_revision": 5000, "ignored_revision_at_ms": NOW_MS - DAY_MS}, ("amber", "revision_ignored")),
    ({"ignored_revision": 5000, "ignored_revision_at_ms": NOW_MS - DAY_MS - 1}, WELL),
    ({"has_key": True, "last_seen_at_ms": 0}, ("grey", "never_heard")),
]


@pytest.mark.parametrize(("facts", "expected"), LIMITS)
def test_rules_hold_at_their_limits(facts: dict[str, Any], expected: tuple[str, str | None]) -> None:
    assert health_and_rule(**facts) == expected


def test_the_gravest_finding_decides_and_all_are_reported() -> None:
    findings = rules_that_apply(console(rssi_dbm=-90, outbox=3_000, lost=2, faults=("clock",)), NOW_MS)
    assert [finding.rule for finding in findings] == ["outbox_half", "clock_unknown", "signal", "lost"]
    red, amber, green = ConsoleHealth.RED, ConsoleHealth.AMBER, ConsoleHealth.GREEN
    assert [finding.health for finding in findings] == [red, amber, amber, green]
    assert findings[1].sentence == (
        "Console demo/till-1 reports the fault clock: it does not know the time; check that it can reach its time "
        "server."
    )


def test_what_is_over_is_reported_but_decides_nothing() -> None:
    findings = rules_that_apply(console(lost=2), NOW_MS)
    assert (health_of(findings), deciding_finding(findings)) == (ConsoleHealth.GREEN, None)
    assert "lost 2 events for good" in findings[0].sentence


def test_the_worst_come_first() -> None:
    assert ConsoleHealth.RED > ConsoleHealth.AMBER > ConsoleHealth.GREY > ConsoleHealth.GREEN


def test_the_readme_lists_every_rule_with_its_health_in_the_order_in_which_they_decide() -> None:
    page = (Path(__file__).parents[4] / "bridge/ops/doctor/README.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \| (red|amber|grey) \|", page, re.MULTILINE)
    assert set(listed) == {(rule, health) for _, (health, rule) in LIMITS if rule}
    assert len({rule for rule, _ in listed}) == len(listed)
    worst = console(
        quiet_ms=HOUR_MS,
        id_conflicts=(IdConflict(NOW_MS, "two boards", "Two boards."),),
        lost=1,
        lost_last_day=1,
        outbox=2_500,
        rssi_dbm=-81,
        faults=("anything new", "settings", "clock", "stuck:no", "flash"),
    )
    order = [rule for rule, _ in listed]
    rules = [finding.rule for finding in rules_that_apply(worst, NOW_MS)]
    assert rules == sorted(rules, key=order.index)
    assert len(rules) == 10
