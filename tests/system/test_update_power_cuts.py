"""Cut the power at any program or erase of an update: the console starts with the old version or the new one."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Console
from tests.support.cuts import LIMIT_S, cut_points
from tests.support.programs import wait_until
from tests.support.seeds import seeded
from tests.support.updating import NEW, OLD, UpdateRig

OPERATIONS = 400  # an update takes some 350, from the order to the confirmation
SOME = 4
SHARES = (0.0, 0.3, 1.0, -0.5)
PROG_SIZES = (32, 256)


@pytest.fixture
def rig(tmp_path: Path, compiled_firmware: Path) -> Iterator[UpdateRig]:
    with UpdateRig(tmp_path, compiled_firmware) as made:
        made.offer()
        yield made


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
def test_power_goes_at_any_operation(rig: UpdateRig) -> None:
    chance = seeded("power cuts of an update")
    for operation in cut_points(OPERATIONS, SOME, chance):
        update_with_cuts(rig, f"till-{operation}", operation, chance)


def update_with_cuts(rig: UpdateRig, name: str, operation: int, chance: random.Random) -> None:
    """Update one console, and cut its power once or twice meanwhile."""
    cuts = [(operation, chance.choice(SHARES))]
    if chance.random() < 0.5:
        cuts.append((chance.randint(1, OPERATIONS // 2), chance.choice(SHARES)))
    prog_size = chance.choice(PROG_SIZES)
    sys.stdout.write(f"{name} {prog_size} {cuts}\n")
    with rig.console(name, prog_size=prog_size) as console:
        rig.wait_heard(name)
        console.press("yes")
        wait_until("the press is stored", lambda: presses(rig, name) == 1)
        rig.order("--console", f"demo/{name}")
        for cut in cuts:
            if not console.powered:
                console.power_on()
            plan(console, cut)
            wait_until("power goes, or it is done", lambda: is_through(rig, console, name))
        console.power_off()
        console.power_on()
        rig.wait_state("done", console_id=name)
        console.press("yes")
        wait_until("nothing was lost", lambda: presses(rig, name) == 2)
    boots = rig.boots(name)
    assert set(boots) == {OLD, NEW}
    assert boots == sorted(boots), "an old version ran after the new one"


def plan(console: Console, cut: tuple[int, float]) -> None:
    if console.powered:
        console.cut_power_at(*cut)


def is_through(rig: UpdateRig, console: Console, name: str) -> bool:
    return not console.powered or rig.state(name) == "done"


def presses(rig: UpdateRig, name: str) -> int:
    """Return how many presses of a console the bridge has."""
    return len(rig.events("stray_pressed", name))
