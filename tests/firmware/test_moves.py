"""Broker and time server have moved: their names say where to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from broker import LoginBroker, StandInBridge
from wrong_broker import ADDRESS, NO_BRIDGE, WRONGS, WrongBroker

from simulator.console.console import Console
from tests.firmware.test_link import answer, wait_events
from tests.support.name_server import NameServer
from tests.support.programs import wait_until
from tests.support.time_server import TimeServer

BROKER, TIME = "broker.shop.example", "time.shop.example"
HERE, NOWHERE = "127.0.0.1", ADDRESS


@pytest.fixture
def names() -> Iterator[NameServer]:
    made = NameServer({BROKER: [NOWHERE], TIME: [NOWHERE]})
    yield made
    made.close()


def console_at(folder: Path, broker: LoginBroker, names: NameServer, **options: Any) -> Console:
    return Console(folder / "console", broker=broker.url(), broker_name=BROKER, name_port=names.port, **options)


def come_round(console: Console, names: NameServer) -> None:
    """Let time pass until the console asks for its broker again."""
    asked = names.asked.count(BROKER)
    wait_until("it asks again", lambda: names.asked.count(BROKER) > asked or console.step(5000))


def resend_until_asked(console: Console, names: NameServer, received: Callable[[], int]) -> None:
    """Let time pass, while everything is sent again and again, until the console asks for its broker."""
    asked = names.asked.count(BROKER)
    while names.asked.count(BROKER) == asked:
        before = received()
        console.step(10_000)
        wait_until("it sends again", lambda before=before: received() > before)


@pytest.mark.parametrize("wrong", WRONGS)
def test_the_broker_moves_and_something_else_is_in_its_place(
    wrong: str, broker: LoginBroker, bridge: StandInBridge, names: NameServer, tmp_path: Path
) -> None:
    with console_at(tmp_path, broker, names) as console:
        other = WrongBroker(wrong, console.broker_port)
        wait_until("it has tried", lambda: other.sessions or console.step(1000))
        names.names[BROKER] = [HERE]
        come_round(console, names)
        wait_events(bridge, "booted")
        other.close()


@pytest.mark.parametrize("addresses", [[HERE], [HERE, ADDRESS]], ids=["gone", "still listed"])
def test_the_broker_moves_and_somebody_elses_takes_everything(
    addresses: list[str], broker: LoginBroker, bridge: StandInBridge, names: NameServer, tmp_path: Path
) -> None:
    with console_at(tmp_path, broker, names) as console:
        other = WrongBroker(NO_BRIDGE, console.broker_port)
        wait_until("it sends", lambda: other.publishes or console.step(1000))
        names.names[BROKER] = addresses
        resend_until_asked(console, names, lambda: other.publishes)
        wait_events(bridge, "booted")
        assert other.sessions == 1
        assert "the broker has moved" in console.output()
        other.close()


def test_the_broker_moves_and_nothing_is_in_its_place(
    broker: LoginBroker, bridge: StandInBridge, names: NameServer, tmp_path: Path
) -> None:
    with console_at(tmp_path, broker, names) as console:
        wait_until("it has tried", lambda: "link:" in console.output())
        names.names[BROKER] = [HERE]
        wait_events(bridge, "booted")


def test_a_broker_that_serves_is_found_at_its_new_place_after_it_broke(
    broker: LoginBroker, bridge: StandInBridge, names: NameServer, tmp_path: Path
) -> None:
    names.names[BROKER] = [HERE]
    with console_at(tmp_path, broker, names) as console:
        wait_events(bridge, "booted")
        console.wifi(False)
        names.names[BROKER] = [NOWHERE]
        other = WrongBroker(NO_BRIDGE, console.broker_port)
        console.wifi(True)
        wait_until("it is there", lambda: other.sessions)
        other.close()


def test_of_several_addresses_each_is_tried(
    broker: LoginBroker, bridge: StandInBridge, names: NameServer, tmp_path: Path
) -> None:
    names.names[BROKER] = ["127.0.0.3", NOWHERE, HERE]
    with console_at(tmp_path, broker, names) as console:
        wait_events(bridge, "booted")
        console.wifi(False)  # then the next address is tried, and the one after that
        answer(console)
        console.wifi(True)
        wait_events(bridge, "survey_closed")


@pytest.mark.parametrize("is_silent", [True, False], ids=["no answer", "no such name"])
def test_without_a_name_server_the_known_address_holds(
    is_silent: bool, broker: LoginBroker, bridge: StandInBridge, names: NameServer, tmp_path: Path
) -> None:
    names.names[BROKER] = [HERE]
    with console_at(tmp_path, broker, names) as console:
        wait_events(bridge, "booted")
        console.wifi(False)
        names.is_silent = is_silent
        del names.names[BROKER]
        answer(console)
        console.wifi(True)
        wait_events(bridge, "survey_closed")


def test_a_bridge_that_is_away_ends_no_session(
    broker: LoginBroker, bridge: StandInBridge, names: NameServer, tmp_path: Path
) -> None:
    names.names[BROKER] = [HERE]
    bridge.acknowledges = False
    with console_at(tmp_path, broker, names) as console:
        wait_events(bridge, "booted")
        for _ in range(2):  # it asks whether the broker has moved
            resend_until_asked(console, names, lambda: len(bridge.batches))
        assert [name for name, _ in bridge.messages if name == "status"] == ["status"]


def test_the_time_server_moves(broker: LoginBroker, bridge: StandInBridge, names: NameServer, tmp_path: Path) -> None:
    names.names[BROKER] = [HERE]
    server = TimeServer()
    with console_at(tmp_path, broker, names, ntp_host=f"{TIME}:{server.port}") as console:
        wait_until("it has tried", lambda: "the time server does not answer" in console.output() or console.step(2500))
        names.names[TIME] = [HERE]

        def by_server() -> list[dict[str, Any]]:
            return [event for event in bridge.of("clock_set") if event["source"] == "ntp"]

        wait_until("the time", lambda: by_server() or console.step(5000))
    server.close()
