"""Each rule that judges a console, on both sides of its limit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bridge.ops.doctor.console_rules import ConsoleHealth, ConsoleStatus, Sharing, deciding, light_of, rules_that_apply
from bridge.wire.health import HealthFigures
from bridge.wire.signature import Came, Mac

NOW_MS = 1_763_780_000_000
SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
DAY_MS = 24 * HOUR_MS


def console(*, quiet_ms: int = 10 * SECOND_MS, **facts: Any) -> ConsoleStatus:
    figures = {name: facts.pop(name) for name in list(facts) if name in HealthFigures.__dataclass_fields__}
    heard_at_ms = facts.pop("heard_at_ms", NOW_MS - quiet_ms)
    said = HealthFigures(**figures)
    return ConsoleStatus("demo", "till-1", heard_at_ms, online=facts.pop("online", True), said=said, **facts)


def judged(**facts: Any) -> tuple[str, str | None]:
    signs = rules_that_apply(console(**facts), NOW_MS)
    sign = deciding(signs)
    return light_of(signs).word, sign and sign.rule


WELL = ("green", None)
LIMITS: list[tuple[dict[str, Any], tuple[str, str | None]]] = [
    ({}, WELL),
    ({"heard_at_ms": 0, "online": None}, ("grey", "never_heard")),
    ({"heard_at_ms": 0, "faults": ("flash",), "outbox": 4_000}, ("grey", "never_heard")),
    # presence
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
    ({"lost": 7, "lost_lately": 0}, WELL),
    ({"lost": 7, "lost_lately": 1}, ("red", "lost")),
    # faults
    ({"faults": ("flash",)}, ("red", "flash")),
    ({"faults": ("stuck:seller",)}, ("red", "stuck")),
    ({"faults": ("settings",)}, ("amber", "settings")),
    ({"faults": ("clock",)}, ("amber", "clock_unknown")),
    ({"faults": ("anything new",)}, ("amber", "fault")),
    ({"faults": ("settings", "clock", "stuck:no", "flash")}, ("red", "flash")),
    # clock: only what was said just then tells of it
    ({"at_ms": NOW_MS, "health_at_ms": NOW_MS - 60_000}, WELL),
    ({"at_ms": NOW_MS, "health_at_ms": NOW_MS - 60_001}, ("amber", "clock_off")),
    ({"at_ms": NOW_MS - 60_001, "health_at_ms": NOW_MS}, ("amber", "clock_off")),
    ({"at_ms": 0, "health_at_ms": None}, WELL),
    ({"at_ms": None, "health_at_ms": NOW_MS}, WELL),
    # signal
    ({"rssi_dbm": -80}, WELL),
    ({"rssi_dbm": -81}, ("amber", "signal")),
    # two boards
    ({"sharings": (Sharing(NOW_MS - DAY_MS, "two boards", "Two boards."),)}, ("red", "two_boards")),
    ({"sharings": (Sharing(NOW_MS - DAY_MS - 1, "two boards", "Two boards."),)}, WELL),
    # proof
    ({"macs": {Mac.HELD: Came(5, NOW_MS)}, "has_key": True}, WELL),
    ({"macs": {Mac.FAILED: Came(5, NOW_MS - DAY_MS)}}, ("red", "not_proved")),
    ({"macs": {Mac.MISSING: Came(5, NOW_MS - DAY_MS)}}, ("red", "not_proved")),
    ({"macs": {Mac.FAILED: Came(5, NOW_MS - DAY_MS - 1)}}, WELL),
    ({"macs": {Mac.NO_KEY: Came(5, NOW_MS)}}, ("amber", "no_key")),
    ({"macs": {Mac.NO_KEY: Came(5, NOW_MS), Mac.HELD: Came(1, NOW_MS + 1)}}, WELL),
    ({"has_key": True}, ("amber", "not_signed")),
    ({"has_key": True, "heard_at_ms": 0}, ("grey", "never_heard")),
]


@pytest.mark.parametrize(("facts", "expected"), LIMITS)
def test_rules_hold_at_their_limits(facts: dict[str, Any], expected: tuple[str, str | None]) -> None:
    assert judged(**facts) == expected


def test_the_gravest_sign_decides_and_all_are_told() -> None:
    signs = rules_that_apply(console(rssi_dbm=-90, outbox=3_000, lost=2, faults=("clock",)), NOW_MS)
    assert [sign.rule for sign in signs] == ["outbox_half", "clock_unknown", "signal", "lost"]
    red, amber, green = ConsoleHealth.RED, ConsoleHealth.AMBER, ConsoleHealth.GREEN
    assert [sign.light for sign in signs] == [red, amber, amber, green]
    assert signs[1].sentence == (
        "Console demo/till-1 reports the fault clock: it does not know the time; check its time server."
    )


def test_what_is_over_is_told_but_decides_nothing() -> None:
    signs = rules_that_apply(console(lost=2), NOW_MS)
    assert (light_of(signs), deciding(signs)) == (ConsoleHealth.GREEN, None)
    assert "lost 2 events for good" in signs[0].sentence


def test_the_worst_come_first() -> None:
    assert ConsoleHealth.RED > ConsoleHealth.AMBER > ConsoleHealth.GREY > ConsoleHealth.GREEN


def test_the_readme_tells_every_rule_with_its_light_in_the_order_in_which_they_decide() -> None:
    page = (Path(__file__).parents[4] / "bridge" / "README.md").read_text("utf-8")
    told = re.findall(r"^\| `(\w+)` \| (red|amber|grey) \|", page, re.MULTILINE)
    assert set(told) == {(rule, light) for _, (light, rule) in LIMITS if rule}
    assert len({rule for rule, _ in told}) == len(told)
    worst = console(
        quiet_ms=HOUR_MS,
        sharings=(Sharing(NOW_MS, "two boards", "Two boards."),),
        lost=1,
        lost_lately=1,
        outbox=2_500,
        rssi_dbm=-81,
        faults=("anything new", "settings", "clock", "stuck:no", "flash"),
    )
    order = [rule for rule, _ in told]
    signs = [sign.rule for sign in rules_that_apply(worst, NOW_MS)]
    assert signs == sorted(signs, key=order.index)
    assert len(signs) == 10
