"""Power goes at any program or erase of an update: the console comes up on the old version or the new one."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Console
from tests.support.cuts import LIMIT_S, places
from tests.support.programs import wait_until
from tests.support.seeds import seeded
from tests.support.updating import NEW, OLD, Office

OPERATIONS = 400  # an update takes some 350, from the order to the confirmation
SOME = 4
SHARES = (0.0, 0.3, 1.0, -0.5)
PROG_SIZES = (32, 256)


@pytest.fixture
def office(tmp_path: Path, compiled_firmware: Path) -> Iterator[Office]:
    with Office(tmp_path, compiled_firmware) as made:
        made.offer()
        yield made


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
def test_power_goes_at_any_operation(office: Office) -> None:
    chance = seeded("power cuts of an update")
    for operation in places(OPERATIONS, SOME, chance):
        update_with_cuts(office, f"till-{operation}", operation, chance)


def update_with_cuts(office: Office, name: str, operation: int, chance: random.Random) -> None:
    """One console, whose power goes once or twice in its update."""
    cuts = [(operation, chance.choice(SHARES))]
    if chance.random() < 0.5:
        cuts.append((chance.randint(1, OPERATIONS // 2), chance.choice(SHARES)))
    prog_size = chance.choice(PROG_SIZES)
    sys.stdout.write(f"{name} {prog_size} {cuts}\n")
    with office.console(name, prog_size=prog_size) as console:
        office.wait_heard(name)
        console.press("yes")
        wait_until("the press has come", lambda: presses(office, name) == 1)
        office.order("--console", f"demo/{name}")
        for cut in cuts:
            if not console.powered:
                console.power_on()
            plan(console, cut)
            wait_until("power goes, or it is done", lambda: is_through(office, console, name))
        console.power_off()
        console.power_on()
        office.wait_state("done", console_id=name)
        console.press("yes")
        wait_until("nothing was lost", lambda: presses(office, name) == 2)
    boots = office.boots(name)
    assert set(boots) == {OLD, NEW}
    assert boots == sorted(boots), "an old version ran after the new one"


def plan(console: Console, cut: tuple[int, float]) -> None:
    if console.powered:
        console.cut_power_at(*cut)


def is_through(office: Office, console: Console, name: str) -> bool:
    return not console.powered or office.state(name) == "done"


def presses(office: Office, name: str) -> int:
    """How many of a console's presses the bridge has."""
    return len(office.told("stray_pressed", name))
