"""`mqtt://` to a port that speaks TLS, and `mqtts://` to one that does not: each command says which URL to give.

A gateway also says which login it does not use.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import forked
from tests.support.certificates import make_certificates
from tests.support.command import trivox
from tests.support.gateway import RunningGateway
from tests.support.mosquitto import Mosquitto
from tests.support.programs import free_port
from tests.support.serial_board import SerialBoard
from tests.support.service import Service


class WrongUrl(NamedTuple):
    """A URL with the options for it, and the words in which it is refused."""

    url: str
    options: tuple[str, ...]
    told: str


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    folder = tmp_path_factory.mktemp("broker")
    make_certificates(folder)
    with Mosquitto(folder, certificates=folder) as broker:
        yield broker


@pytest.fixture(params=["mqtt", "mqtts"])
def wrong(request: pytest.FixtureRequest, broker: Mosquitto) -> WrongUrl:
    if request.param == "mqtt":
        right = f"mqtts://127.0.0.1:{broker.tls_port}"
        return WrongUrl(right.replace("mqtts", "mqtt"), (), f"port {broker.tls_port} speaks TLS: give {right}")
    ca = ("--ca-file", str(broker.log.parent / "ca.pem"))
    return WrongUrl(f"mqtts://127.0.0.1:{broker.port}", ca, f"port {broker.port} speaks MQTT without TLS")


def test_the_bridge_says_which_url_to_give(tmp_path: Path, wrong: WrongUrl) -> None:
    words = ("bridge", "--broker", wrong.url, *wrong.options, "--database", str(tmp_path / "t.db"))
    with Service(*words, "--metrics-port", "0", log=tmp_path / "log", ready=wrong.told) as bridge:
        assert bridge.output().count(wrong.told) == 1


def test_the_gateway_says_which_url_to_give(tmp_path: Path, wrong: WrongUrl) -> None:
    with (
        SerialBoard(tmp_path) as board,
        RunningGateway(tmp_path, wrong.url, board.port, options=wrong.options) as gateway,
    ):
        board.wait_opened()
        board.say("hello", {"site_id": "shop", "console_id": "till-1", "hardware_id": "c0ffee"})
        gateway.wait_told(wrong.told)


def test_a_gateway_sends_no_console_s_password_there(tmp_path: Path, wrong: WrongUrl) -> None:
    trivox("console", "keys", "keys.json", "shop/till-1", "--new", "--database", "t.db", folder=tmp_path)
    done = trivox("gateway", "--broker", wrong.url, *wrong.options, "--keys", "keys.json", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"trivox: No board could log in at {wrong.url}: {wrong.told}")


def test_a_gateway_says_which_login_it_does_not_use(tmp_path: Path, broker: Mosquitto) -> None:
    trivox("console", "keys", "keys.json", "shop/till-1", "--new", "--database", "t.db", folder=tmp_path)
    url, keys = f"mqtt://127.0.0.1:{broker.port}", ("--keys", str(tmp_path / "keys.json"))
    with RunningGateway(tmp_path, url, tmp_path / "none", options=keys, account=("gateway", "secret")) as gateway:
        assert "user and password of environment and --config are not used" in gateway.output()
        assert "unencrypted" not in gateway.output()  # on this machine


def test_doctor_says_which_url_to_give(tmp_path: Path, wrong: WrongUrl) -> None:
    trivox("site", "set", "shop", "--timezone", "UTC", "--database", "t.db", folder=tmp_path)
    done = forked.run("doctor", "--database", str(tmp_path / "t.db"), "--broker", wrong.url, *wrong.options)
    assert f"! The broker at {wrong.url} cannot be used like this: {wrong.told}" in done.stdout


def test_the_bench_says_which_url_to_give(tmp_path: Path, wrong: WrongUrl) -> None:
    url = wrong.url.replace("127.0.0.1", "localhost")
    done = forked.run("simulate", "--headless", "--folder", str(tmp_path), "--broker", url, *wrong.options)
    assert done.returncode == 1
    assert f"The bridge cannot use the broker: {wrong.told.partition(':')[0]}" in done.stderr


def test_the_demo_and_a_live_scenario_say_it_too(tmp_path: Path, broker: Mosquitto) -> None:
    url = f"mqtt://127.0.0.1:{broker.tls_port}"
    demo = forked.run("run", "--database", str(tmp_path / "t.db"), "--broker", url)
    assert demo.returncode == 1
    assert f"The bridge cannot use the broker: port {broker.tls_port} speaks TLS: give mqtts://" in demo.stderr
    live = trivox("simulate", "quiet_branch", "--broker", url, "--out", str(tmp_path / "out"))
    assert live.returncode == 1
    assert f"{url} speaks TLS, and a live run does not: give the broker's port without TLS." in live.stderr
    nobody = trivox("simulate", "quiet_branch", "--broker", f"mqtt://127.0.0.1:{free_port()}", folder=tmp_path)
    assert "No broker listens" in nobody.stderr
