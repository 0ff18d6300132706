"""Power goes at any program or erase of an update: the console comes up on the old version or the new one."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Console
from tests.support.programs import wait_until
from tests.support.updating import LIMIT_S, NEW, OLD, Office
from tests.support.versions import compiled_once

pytestmark = pytest.mark.long

CUTS = 5
OPERATIONS = 400  # an update takes some 350, from the order to the confirmation
SHARES = (0.0, 0.3, 1.0, -0.5)
PROG_SIZES = (32, 256)


@pytest.fixture
def office(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office(tmp_path, compiled_once(tmp_path_factory.mktemp("firmware") / "compiled")) as made:
        made.offer()
        yield made


def test_power_goes_at_any_operation(office: Office) -> None:
    seed = random.SystemRandom().randrange(1 << 24)
    print("seed", seed)  # noqa: T201 - a failure is a seed
    rng = random.Random(seed)
    for number in range(CUTS):
        update_with_cuts(office, f"till-{number}", rng)


def update_with_cuts(office: Office, name: str, rng: random.Random) -> None:
    """One console, whose power goes once or twice in its update."""
    cuts = [(rng.randint(1, OPERATIONS), rng.choice(SHARES))]
    if rng.random() < 0.5:
        cuts.append((rng.randint(1, OPERATIONS // 2), rng.choice(SHARES)))
    prog_size = rng.choice(PROG_SIZES)
    print(name, prog_size, cuts)  # noqa: T201 - see above
    console = office.console(name, prog_size=prog_size)
    console.power_on()
    try:
        office.wait_heard(name)
        console.press("yes")
        wait_until("the press has come", lambda: presses(office, name) == 1, LIMIT_S)
        office.order("--console", f"demo/{name}")
        for cut in cuts:
            if not console.powered:
                console.power_on()
            plan(console, cut)
            wait_until("power goes, or it is done", lambda: is_through(office, console, name), LIMIT_S)
        console.power_off()
        console.power_on()
        office.wait_state("done", console_id=name)
        console.press("yes")
        wait_until("nothing was lost", lambda: presses(office, name) == 2, LIMIT_S)
        console.check()
    finally:
        console.power_off()
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
    return sum(event["console_id"] == name for event in office.bridge.events("stray_pressed"))
