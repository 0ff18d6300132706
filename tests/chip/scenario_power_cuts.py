"""Power fails in the midst of flash operations: nothing that was promised is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.chaos.observations import PressRules
from tests.chip import observe
from tests.chip.chip_shop import ChipShop
from tests.chip.emulated_pico import BoardOffError
from tests.support.seeds import seeded

OpenShop = Callable[..., ChipShop]
CUTS = 12
OPERATIONS_MAX = 40  # a start and a few surveys make more
SURVEY = (("seller", 0.0, 80.0), ("yes", 700.0, 80.0))


@pytest.mark.timeout(900)
def test_cuts_in_flash_operations_lose_nothing(open_shop: OpenShop) -> None:
    chance = seeded("power cuts in flash operations of the chip")
    shop = open_shop()
    pico = shop.pico
    for _ in range(CUTS):
        pico.cut_at(chance.randint(1, OPERATIONS_MAX), chance.random())
        pico.power_on()
        with suppress(BoardOffError):
            pico.let_pass(observe.AWAKE_MS)
            while True:
                pico.press(*SURVEY)
    shop.start_console()
    shop.pico.press(*SURVEY)
    shop.wait_delivered()
    assert not observe.differences(shop, PressRules())
