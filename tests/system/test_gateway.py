"""From a press on a board without radio to the bridge's database, with real firmware, gateway, broker and bridge."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.console.console import Console
from tests.support import facts
from tests.support.bridge import RunningBridge
from tests.support.command import output_of as trivox
from tests.support.gateway import RunningGateway
from tests.support.mosquitto import Mosquitto
from tests.support.programs import LIMIT_S, wait_until
from tests.support.seeds import seeded
from tests.support.subscriber import MqttSubscriber

pytestmark = pytest.mark.long

ANSWERS = ("yes", "no", "cant_say")


class CableShop:
    """A broker, a bridge, and boards without radio at one gateway."""

    def __init__(self, folder: Path, broker: Mosquitto, boards: int) -> None:
        self.broker = broker
        self.bridge = RunningBridge(folder, broker.url())
        self.database = self.bridge.database
        self.consoles = [
            Console(folder / f"till-{number}", site_id="shop", console_id=f"till-{number}", board="pico")
            for number in range(1, boards + 1)
        ]
        self.gateway = RunningGateway(folder, broker.url(), *(console.serial_port for console in self.consoles))
        self.answers: dict[str, list[str]] = {console.console_id: [] for console in self.consoles}

    def survey(self, console: Console, answer: str) -> None:
        """Press as a seller who asks and a customer who answers."""
        console.press("seller")
        console.wait_lamp(answer, on=True, timeout_s=LIMIT_S)
        console.press(answer)
        self.answers[console.console_id].append(answer)

    def wait_all_stored(self) -> None:
        """Wait until every survey is stored once, with its answer; check that nothing else is stored."""
        answered = {name: sorted(answers) for name, answers in self.answers.items()}

        def stored() -> bool:
            found = {name: sorted(facts.surveys(self.database, "outcome", console_id=name)) for name in answered}
            return found == answered

        wait_until("all surveys are stored", stored)
        assert facts.rejects(self.database) == []
        assert facts.events(self.database, type="stray_pressed") == []

    def applied(self) -> set[str]:
        """Return the consoles that have applied settings."""
        return {*facts.events(self.database, "console_id", type="settings_applied")}

    def wait_online(self, console: Console, *, online: bool) -> None:
        """Wait until the bridge knows that the console is online, or offline."""
        wait_until(
            f"{console.console_id} is {'online' if online else 'offline'}",
            lambda: facts.consoles(self.database, "online", console_id=console.console_id) == [online],
        )


@pytest.fixture
def open_shop(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Callable[[int], CableShop]]:
    with ExitStack() as stack:

        def make(boards: int) -> CableShop:
            shop = CableShop(tmp_path, mosquitto, boards)
            stack.callback(lambda: sys.stdout.write(shop.gateway.output()))
            for program in (shop.bridge, shop.gateway, *shop.consoles):
                stack.enter_context(program)
            return shop

        yield make


def test_surveys_and_settings_of_several_boards(open_shop: Callable[[int], CableShop]) -> None:
    shop = open_shop(2)
    for answer in ANSWERS:
        for console in shop.consoles:
            shop.survey(console, answer)
    shop.wait_all_stored()
    trivox("settings", "set", "--site", "shop", "survey_window_ms=9000", "--database", str(shop.database))
    shop.survey(shop.consoles[0], "yes")
    wait_until("new settings are applied", lambda: shop.applied() == set(shop.answers))
    with MqttSubscriber(shop.broker.port) as subscriber:
        order = {"id": "o-1", "command": "identify", "expires_at_ms": time.time_ns() // 1_000_000 + 60_000}
        subscriber.publish("trivox/v1/shop/till-2/command", order)
        subscriber.wait_last("till-2/reply", id="o-1", ok=True)
        assert shop.gateway.end() == 0
        for console in shop.consoles:
            shop.wait_online(console, online=False)
            subscriber.wait_last(f"{console.console_id}/status", state="offline", hardware_id=console.hardware_id)


def test_pulled_cables_noise_and_power_cuts_lose_nothing(open_shop: Callable[[int], CableShop]) -> None:
    chance = seeded("pulled cables, noise and power cuts")
    shop = open_shop(1)
    (console,) = shop.consoles
    shop.wait_online(console, online=True)
    for fault in ("pull", "noise", "power", "pull", "noise", "pull while it writes"):
        if fault == "noise":
            console.cable.disturb(0.02, seeded("noise on the line").randrange(1 << 20))
        elif fault == "power":
            shop.survey(console, chance.choice(ANSWERS))
            last = shop.answers["till-1"][-1]
            console.wait_lamp(last, on=False, timeout_s=LIMIT_S)  # thanks were given: it is in flash
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


def test_a_broker_killed_and_a_gateway_killed_lose_nothing(open_shop: Callable[[int], CableShop]) -> None:
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
