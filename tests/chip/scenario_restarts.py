"""The watchdog restarts a console that hangs, and an update over the cable restarts it into the new version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bridge.admin.firmware_bundle import make_key
from tests.chaos.observations import PressRules
from tests.chip import measure, observe
from tests.chip.chip_shop import ChipShop
from tests.support import facts
from tests.support.command import output_of
from tests.support.programs import wait_until
from tests.support.seeds import seeded
from tests.support.updating import make_version_bundle
from tests.support.versions import compiled_firmware

__all__ = ["compiled_firmware"]

OpenShop = Callable[..., ChipShop]
WATCHDOG_MS = 10_000
THANKED_MS = 4000  # thanks are over by then, and the event is in flash
NEW = "9.9.9"
SURVEY = (("seller", 0.0, 80.0), ("yes", 1500.0, 80.0))


def test_the_watchdog_restarts_a_console_that_hangs(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.start_console()
    shop.pico.press(*SURVEY)
    shop.pico.let_pass(THANKED_MS)
    begun = shop.pico.now()
    shop.pico.hang()
    reset = shop.pico.wait_event("reset", since=begun)
    assert not reset["forced"]
    assert reset["at"] - begun < WATCHDOG_MS
    shop.wait_heartbeat()
    shop.pico.press(*SURVEY)
    shop.pico.let_pass(THANKED_MS)
    shop.wait_delivered()
    assert [event["reset"] for event in facts.sent_events(shop.database, type="booted")][-2:] == [
        "power_on",
        "watchdog",
    ]
    assert not observe.differences(shop, PressRules())


def test_an_update_over_the_cable(
    open_shop: OpenShop, tmp_path: Path, compiled_firmware: Path, figure: Callable[[str, str], None]
) -> None:
    shop = open_shop()
    shop.start_console()
    shop.wait_heartbeat()
    own = ("--database", str(shop.database))
    key = tmp_path / "release.key"
    output_of("firmware", "trust", str(make_key(key)), *own)
    output_of("firmware", "add", str(make_version_bundle(tmp_path, compiled_firmware, NEW, key)), *own)
    output_of("console", "update", "--to", NEW, "--all", *own)
    delays = measure.press_to_lamp(shop.pico, 20, seeded("presses during an update of the chip"))
    figure("press to lamp during an update", str(delays))
    wait_until("the update is done", lambda: facts.updates(shop.database, "state") == ["done"])
    shop.wait_delivered()
    assert [event["firmware"] for event in facts.sent_events(shop.database, type="booted")][-1] == NEW
    assert [reset["forced"] for reset in shop.pico.resets()] == [True]
    assert not observe.differences(shop, PressRules())
