"""Flash fails, slowly or at once: the console works on, from RAM if it must, says so, and never formats unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chip.chip_shop import ChipShop, build_image, flash_console, put_in_service
from tests.chip.emulated_pico import EmulatedPico
from tests.chip.flash_content import FILES_AT, destroy_filesystem
from tests.support import facts
from tests.support.once import once
from tests.support.programs import wait_until

OpenShop = Callable[..., ChipShop]
SECTOR = 4096
NOTICED_MS = 10_000
BOOT_MS = 6000  # to working buttons
LAMP_MS_MAX = 50
BLINK_GAP_MS = 1000  # blinks of a group are nearer to each other
SURVEY = (("seller", 0.0, 80.0), ("yes", 1500.0, 80.0))


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `flashed`, but the board has the image with the firmware frozen in."""

    def make(folder: Path) -> None:
        image = build_image(folder / "image", "manifest.py")
        flash_console(folder, image, "no", "seller")  # its firmware is in service at once
        put_in_service(folder)

    return once(tmp_path_factory, "frozen-chip", make)


def blinks(pico: EmulatedPico, since: float) -> list[int]:
    """Return how often the seller's lamp blinked in each complete group."""
    lit = [
        e["at"] for e in pico.events if e["event"] == "lamp" and e["name"] == "seller" and e["on"] and e["at"] >= since
    ]
    groups: list[int] = []
    for before, at in zip([-BLINK_GAP_MS * 2, *lit], lit, strict=False):
        if at - before > BLINK_GAP_MS:
            groups.append(0)
        groups[-1] += 1
    return groups[1:-1]  # the first and the last may be cut


def check_works_from_ram(shop: ChipShop) -> None:
    """Check that surveys are taken and delivered, that the fault is told, and that nothing resets the board."""
    resets = len(shop.pico.resets())
    answered = len(facts.surveys(shop.database, outcome="yes"))
    begun = shop.pico.press(*SURVEY)
    assert shop.pico.wait_lamp("seller", since=begun) - begun < NOTICED_MS
    shop.pico.let_pass(NOTICED_MS)
    assert "flash" in shop.last_health()["faults"]
    quiet = shop.pico.now()
    shop.pico.press(*SURVEY)
    wait_until("surveys arrive", lambda: len(facts.surveys(shop.database, outcome="yes")) > answered)
    shop.pico.let_pass(NOTICED_MS * 2)
    assert set(blinks(shop.pico, quiet + 3000)) == {4}
    assert len(shop.pico.resets()) == resets


def test_protected_flash_is_noticed_in_service_and_after_a_restart(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.start_console()
    shop.pico.fail_flash(protected=True)
    check_works_from_ram(shop)
    shop.pico.power_off()
    shop.pico.power_on()
    shop.pico.let_pass(BOOT_MS)
    pressed = shop.pico.press(("no", 0.0, 80.0))
    assert shop.pico.wait_lamp("no", since=pressed) - pressed < LAMP_MS_MAX
    check_works_from_ram(shop)


@pytest.mark.parametrize("sectors", [1, 3])
def test_bad_sectors_are_worked_around(sectors: int, open_shop: OpenShop) -> None:
    shop = open_shop()
    used = FILES_AT // SECTOR + 2  # behind the superblocks
    shop.pico.fail_flash(bad=tuple(range(used + 80, used + 80 + sectors)))
    shop.start_console()
    answered = len(facts.surveys(shop.database, outcome="yes"))
    for _ in range(10):
        shop.pico.press(*SURVEY)
    shop.wait_delivered()
    assert len(facts.surveys(shop.database, outcome="yes")) == answered + 10
    assert "flash" not in shop.last_health()["faults"]
    assert not shop.pico.resets()


def test_slow_reads_only_take_longer(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.pico.fail_flash(slow_reads=40)
    shop.start_console()
    answered = len(facts.surveys(shop.database, outcome="yes"))
    shop.pico.press(*SURVEY)
    shop.wait_delivered()
    assert len(facts.surveys(shop.database, outcome="yes")) == answered + 1
    assert not shop.pico.resets()


def test_a_frozen_console_works_without_a_filesystem(frozen: Path, tmp_path: Path) -> None:
    with ChipShop(tmp_path, frozen) as shop:
        destroy_filesystem(shop.pico.flash)
        before = shop.pico.flash.read_bytes()
        shop.start_console()
        check_works_from_ram(shop)
        shop.pico.power_off()
        assert shop.pico.flash.read_bytes() == before
