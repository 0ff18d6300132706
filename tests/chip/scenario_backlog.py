"""Lamps must be in time while surveys wait on the console, are sent again, and drain."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chip import measure
from tests.chip.chip_shop import ChipShop
from tests.support import facts
from tests.support.seeds import seeded

OpenShop = Callable[..., ChipShop]
NoteFigure = Callable[[str, str], None]
LAMP_MS_MAX = 50
LOOP_LAG_MS_MAX = 90  # a press is written to flash in one step: LittleFS takes 34 ms, and 45 if it erases a sector
PRESSES = 40
OUTAGE_EVENTS = 5000
DRAIN_S_MAX = 30


def test_at_rest(open_shop: OpenShop, figure: NoteFigure) -> None:
    shop = open_shop()
    boot_ms = measure.boot_to_buttons(shop.pico)
    figure("power-on to buttons", f"{boot_ms / 1000:.2f} s")
    shop.wait_delivered()
    figure("processor at rest", f"{measure.cpu_share(shop.pico, 5000):.0%}")
    shop.pico.clear_figures()
    begun = shop.pico.now()
    delays = measure.press_to_lamp(shop.pico, PRESSES, seeded("presses at rest"))
    used = shop.pico.figures()
    figure("press to lamp at rest", str(delays))
    figure("processor with three presses in two seconds", f"{used['cpuMs'] / (used['now'] - begun):.0%}")
    figure("flash erases per 100 events", f"{100 * used['erases'] / PRESSES:.0f}")
    shop.wait_heartbeat()
    health = shop.last_health()
    figure("heap free", f"{health['heap_free'] / 1000:.0f} kB")
    figure("longest turn of the loop in use", f"{health['loop_lag_max_ms']} ms")
    assert delays.worst <= LAMP_MS_MAX
    assert used["notErased"] == 0


def check(backlog: measure.Backlog, when: str, figure: NoteFigure) -> None:
    """Put what was measured into the table, then check that lamps and loop were in time."""
    figure(f"press to lamp {when}", str(backlog.delays))
    figure(f"longest turn of the loop {when}", f"{backlog.longest_turn_ms} ms")
    assert backlog.delays.worst <= LAMP_MS_MAX
    assert backlog.longest_turn_ms <= LOOP_LAG_MS_MAX


@pytest.mark.parametrize("surveys", [30, 70])
def test_while_surveys_wait_and_are_sent_again(surveys: int, open_shop: OpenShop, figure: NoteFigure) -> None:
    shop = open_shop(surveys)
    backlog = measure.resend(shop, seeded(f"presses while {surveys} surveys wait"))
    shop.bridge.start()
    shop.wait_delivered()
    assert len(facts.surveys(shop.database, outcome="yes")) == surveys
    check(backlog, f"while {surveys} surveys wait and are sent again", figure)


@pytest.mark.timeout(1200)
def test_five_thousand_events_drain(open_shop: OpenShop, figure: NoteFigure) -> None:
    shop = open_shop(OUTAGE_EVENTS // 2)
    backlog = measure.drain(shop, OUTAGE_EVENTS, seeded("presses while 5,000 events drain"))
    shop.wait_delivered()
    assert len(facts.surveys(shop.database, outcome="yes")) == OUTAGE_EVENTS // 2
    figure("5,000 events drained, from power-on", f"{backlog.took_s:.0f} s")
    check(backlog, "while 5,000 events drain", figure)
    assert backlog.took_s <= DRAIN_S_MAX
