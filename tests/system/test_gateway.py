"""From a press on a board without radio to the bridge's table: firmware, gateway, broker, bridge, all real."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator.console import Console
from tests.support.gateway import Gateway
from tests.support.mosquitto import Mosquitto
from tests.support.programs import TRIVOX, wait_until
from tests.support.subscriber import Subscriber
from tests.system.programs import Programs, ask, trivox

pytestmark = pytest.mark.long

ANSWERS = ("yes", "no", "cant_say")
LIMIT_S = 60.0


class Shop:
    """A broker, a bridge, and boards at one gateway."""

    def __init__(self, folder: Path, broker: Mosquitto, programs: Programs, boards: int) -> None:
        self.broker = broker
        self.database = folder / "trivox.db"
        self.consoles = [
            Console(folder / f"till-{number}", site_id="shop", console_id=f"till-{number}", board="pico")
            for number in range(1, boards + 1)
        ]
        self.gateway = Gateway(folder, broker.url(), *(console.serial_port for console in self.consoles))
        self.asked: dict[str, list[str]] = {console.console_id: [] for console in self.consoles}
        programs.start(
            TRIVOX, "bridge", "--broker", broker.url(), "--database", str(self.database), "--metrics-port", "0"
        )
        wait_until("the bridge has made its database", self.database.exists)

    def survey(self, console: Console, answer: str) -> None:
        """The seller asks, the customer answers."""
        console.press("seller")
        console.wait_lamp(answer, on=True)
        console.press(answer)
        self.asked[console.console_id].append(answer)

    def wait_all_stored(self) -> None:
        """Every survey is there once, as it was answered, and nothing else is."""
        query = "SELECT outcome FROM survey JOIN console USING (console_key) WHERE console_id = ? ORDER BY opened_at_ms"

        def stored() -> bool:
            found = {name: [row[0] for row in ask(self.database, query, name)] for name in self.asked}
            return {name: sorted(outcomes) for name, outcomes in found.items()} == {
                name: sorted(answers) for name, answers in self.asked.items()
            }

        wait_until("all surveys are stored", stored, LIMIT_S)
        assert ask(self.database, "SELECT count(*) FROM reject") == [(0,)]
        stray = "SELECT count(*) FROM event WHERE type = 'stray_pressed'"
        assert ask(self.database, stray) == [(0,)]

    def wait_online(self, console: Console, *, online: bool) -> None:
        """Until the bridge knows that it is there, or is not."""
        query = "SELECT online FROM console WHERE console_id = ?"
        wait_until(
            f"{console.console_id} is {'online' if online else 'offline'}",
            lambda: ask(self.database, query, console.console_id) == [(online,)],
            LIMIT_S,
        )


@pytest.fixture
def open_shop(tmp_path: Path, programs: Programs) -> Iterator[Callable[[int], Shop]]:
    shops: list[Shop] = []

    def make(boards: int) -> Shop:
        broker = Mosquitto(tmp_path, persistent=True)
        broker.start()
        shops.append(Shop(tmp_path, broker, programs, boards))
        shops[0].gateway.start()
        for console in shops[0].consoles:
            console.power_on()
        return shops[0]

    yield make
    for shop in shops:
        for console in shop.consoles:
            console.power_off()
        shop.gateway.__exit__()
        shop.broker.stop()
        sys.stdout.write(shop.gateway.output())
        for console in shop.consoles:
            console.check()


def test_surveys_and_settings_of_several_boards(open_shop: Callable[[int], Shop]) -> None:
    shop = open_shop(2)
    for answer in ANSWERS:
        for console in shop.consoles:
            shop.survey(console, answer)
    shop.wait_all_stored()
    trivox("settings", "set", "--site", "shop", "survey_window_ms=9000", "--database", str(shop.database))
    applied = "SELECT count(*) FROM event WHERE type = 'settings_applied'"
    shop.survey(shop.consoles[0], "yes")
    wait_until("new settings are applied", lambda: ask(shop.database, applied) >= [(2,)], LIMIT_S)
    with Subscriber(shop.broker.port) as subscriber:
        order = {"id": "o-1", "command": "identify", "expires_at_ms": time.time_ns() // 1_000_000 + 60_000}
        subscriber.publish("trivox/v1/shop/till-2/command", order)
        subscriber.wait_last("till-2/reply", id="o-1", ok=True)
        assert shop.gateway.end() == 0
        for console in shop.consoles:
            shop.wait_online(console, online=False)
            subscriber.wait_last(f"{console.console_id}/status", state="offline", hardware_id=console.hardware_id)


def test_pulled_cables_noise_and_power_cuts_lose_nothing(open_shop: Callable[[int], Shop]) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    shop = open_shop(1)
    (console,) = shop.consoles
    shop.wait_online(console, online=True)
    for fault in ("pull", "noise", "power", "pull", "noise", "pull while it writes"):
        if fault == "noise":
            console.cable.disturb(0.02, seed)
        elif fault == "power":
            shop.survey(console, chance.choice(ANSWERS))
            console.wait_lamp(shop.asked["till-1"][-1], on=False)  # thanks were given: it is in flash
            console.power_off()
            shop.wait_online(console, online=False)
            console.power_on()
        elif fault == "pull":
            console.cable.pull()
            shop.wait_online(console, online=False)
        shop.survey(console, chance.choice(ANSWERS))
        if fault == "pull while it writes":
            shop.survey(console, chance.choice(ANSWERS))
            console.cable.pull()
        console.cable.disturb(0)
        console.cable.plug()
        shop.wait_all_stored()
        shop.wait_online(console, online=True)
    assert shop.gateway.counted("port_openings_total") >= 4


def test_a_broker_killed_and_a_gateway_killed_lose_nothing(open_shop: Callable[[int], Shop]) -> None:
    shop = open_shop(2)
    for kill, start in (
        (shop.broker.stop, shop.broker.start),
        (lambda: shop.gateway.end(signal.SIGKILL), shop.gateway.start),
    ):
        for console in shop.consoles:
            shop.survey(console, "yes")
        kill()
        for console in shop.consoles:
            shop.survey(console, "no")
        start()
        shop.wait_all_stored()
        for console in shop.consoles:
            shop.wait_online(console, online=True)
