"""`trivox console flash` turns a board with MicroPython into a console, and flashes one in service again."""

from __future__ import annotations

from collections.abc import Callable

from tests.chip.chip_shop import CONSOLE, SITE, ChipShop
from tests.support import facts
from tests.support.command import trivox
from tests.support.programs import wait_until

OpenShop = Callable[..., ChipShop]


def test_a_flashed_console_serves_and_can_be_flashed_again(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.start_console()
    assert facts.consoles(shop.database, "enrolled", console_id=CONSOLE) == [True]
    shop.pico.press(("seller", 0, 80), ("no", 1500, 80))
    shop.wait_delivered()
    assert facts.surveys(shop.database, "outcome") == ["no"]
    shop.gateway.end()
    shop.pico.power_off()
    shop.pico.power_on_holding("no", "seller")
    words = ("--port", str(shop.pico.port), "--site", SITE, "--console", CONSOLE, "--no-self-test")
    done = trivox("console", "flash", *words, "--database", str(shop.database), folder=shop.database.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    shop.gateway.start()
    wait_until("it serves again", lambda: facts.consoles(shop.database, "online") == [True])
    shop.pico.press(("seller", 0, 80), ("yes", 1500, 80))
    shop.wait_delivered()
    assert facts.surveys(shop.database, "outcome") == ["no", "yes"]
