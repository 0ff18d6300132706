"""A day's presses of all kinds reach the bridge: each is there once and means what it meant."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

from simulator.oracle.comparison import differences as report_differences
from simulator.oracle.expected import expected_rows
from simulator.oracle.facts import QuestionSpec, ReportSetup
from simulator.oracle.surveys import strays
from simulator.people.diary import Diary
from simulator.people.hands import People, Post
from simulator.people.shop_plan import Rules, ShopTraffic, plan
from tests.chaos.observations import PressRules
from tests.chip import observe
from tests.chip.chip_shop import CONSOLE, SITE, ChipShop
from tests.support import facts
from tests.support.command import output_of
from tests.support.programs import wait_until
from tests.support.seeds import seeded

OpenShop = Callable[..., ChipShop]
RULES = Rules(survey_window_ms=5000, long_press_ms=1500, reopen_guard_ms=1000, force_majeure_scope_s=5)
STUCK_MS = 5000
TRAFFIC = ShopTraffic(silent=0.3, superseding=0.6, guard=0.15, late_answer=0.15, stray=0.15, force_majeure=0.15)
SURVEYS = 20


class ShopHands:
    """The console's people: they press its buttons, and go by its clock."""

    def __init__(self, shop: ChipShop) -> None:
        self._shop = shop
        self._ahead_ms = time.time() * 1000 - shop.pico.now()

    def now_ms(self) -> int:
        return round(self._shop.pico.now() + self._ahead_ms)

    def wait(self, ms: int) -> bool:
        self._shop.pico.let_pass(ms)
        return False

    def press(self, button: str, held_ms: int = 120) -> None:
        self._shop.pico.press((button, 0, held_ms))

    def power_on(self) -> None:
        self._shop.start_console()

    def power_off(self) -> None:
        self._shop.pico.power_off()


def configure(shop: ChipShop, **more: int) -> None:
    """Have the console use short timings, so that a day is short, and set more."""
    timings = {
        "survey_window_ms": RULES.survey_window_ms,
        "long_press_ms": RULES.long_press_ms,
        "reopen_guard_ms": RULES.reopen_guard_ms,
        "stuck_ms": STUCK_MS,
        **more,
    }
    words = [f"{name}={value}" for name, value in timings.items()]
    output_of("settings", "set", "--all", *words, "--database", str(shop.database))
    applied = len(facts.events(shop.database, type="settings_applied"))
    shop.start_console()
    wait_until("settings are applied", lambda: len(facts.events(shop.database, type="settings_applied")) > applied)


def press_rules() -> PressRules:
    """Return the same timings for the checker."""
    return PressRules(
        survey_window_ms=RULES.survey_window_ms,
        long_press_ms=RULES.long_press_ms,
        reopen_guard_ms=RULES.reopen_guard_ms,
        stuck_ms=STUCK_MS,
    )


def test_the_report_of_a_day_equals_the_oracle(open_shop: OpenShop) -> None:
    shop = open_shop()
    configure(shop, force_majeure_scope_s=RULES.force_majeure_scope_s)
    hands, diary = ShopHands(shop), Diary()
    people = People(Post(hands, SITE, CONSOLE, RULES), diary, hands)
    assert people.perform(plan(seeded("a day on the chip").random(), RULES, SURVEYS, TRAFFIC))
    shop.wait_delivered()
    setup = ReportSetup(RULES, {"staff": QuestionSpec("personnel")})
    words = ("--from", "2020-01-01", "--to", "2100-01-01", "--by", "console", "--format", "json")
    report = output_of("report", "--database", str(shop.database), *words)
    expected = expected_rows(diary.entries(), setup, ["console"])
    assert len(facts.surveys(shop.database)) == SURVEYS
    assert not report_differences(json.loads(report), expected)
    stored: dict[tuple[str, str], int] = {}
    for event in facts.sent_events(shop.database, type="stray_pressed"):
        stored[event["button"], event["reason"]] = stored.get((event["button"], event["reason"]), 0) + 1
    assert stored == strays(diary.entries(), RULES)
    assert not facts.rejects(shop.database)


def odd_presses(chance: random.Random) -> list[tuple[str, float, float]]:
    """Return presses of all kinds, as careless people make them: the checker knows what each means."""
    at_ms = 0.0
    presses: list[tuple[str, float, float]] = []
    for _ in range(60):
        button = chance.choice(("yes", "no", "cant_say", "seller", "seller"))
        held_ms = chance.choice((40, 60, 90, 150, 400, 1800, 1800 if button == "seller" else 90))
        presses.append((button, at_ms, held_ms))
        if chance.random() < 0.15 and button != "seller":
            other = chance.choice([name for name in ("yes", "no", "cant_say") if name != button])
            presses.append((other, at_ms + chance.uniform(2, 12), held_ms))
        at_ms += held_ms + chance.choice((60, 150, 300, 700, 1500))
    for button in ("no", "seller"):
        presses.append((button, at_ms, STUCK_MS + 1000))
        presses.append(("seller" if button == "no" else "yes", at_ms + STUCK_MS + 300, 90))
        at_ms += STUCK_MS + 3000
    return presses


def test_careless_presses_mean_what_the_rules_say(open_shop: OpenShop) -> None:
    shop = open_shop()
    configure(shop)
    shop.pico.press(*odd_presses(seeded("careless presses on the chip")))
    shop.pico.let_pass(RULES.survey_window_ms + 1000)
    shop.wait_delivered()
    stored = {event["reason"] for event in facts.sent_events(shop.database, type="stray_pressed")}
    assert {"together", "guard", "no_survey", "already_answered"} <= stored
    assert facts.events(shop.database, type="button_stuck")
    assert not observe.differences(shop, press_rules())
