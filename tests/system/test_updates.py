"""Consoles are updated over the air: real MicroPython, a real mosquitto, the real bridge and its commands."""

import json
import signal
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any, Self

import paho.mqtt.client as paho
import pytest

from bridge.admin.firmware_bundle import make_key
from simulator import Console
from tests.support import facts
from tests.support.gateway import Gateway
from tests.support.programs import LIMIT_S, wait_until
from tests.support.updating import NEW, OLD, UPDATE, Office
from tests.support.versions import CRASHES, HANGS, IS_DEAF, Changes

TRIAL_MS = 300_000
BOARD_HEAP_KB = 100
IT_IS_HERE = "it starts as soon as nobody uses the console"


@pytest.fixture
def office(tmp_path: Path, compiled_firmware: Path) -> Iterator[Office]:
    with Office(tmp_path, compiled_firmware) as made:
        yield made


def held(office: Office) -> int:
    """How many surveys the bridge has that were answered."""
    return len(facts.surveys(office.database, outcome="yes"))


def survey(console: Console) -> None:
    """A customer who is asked, and answers."""
    console.press("seller", 60)
    console.wait_lamp("yes", timeout_s=LIMIT_S)
    console.press("yes", 60)
    console.wait_lamp("no", on=False, timeout_s=LIMIT_S)


@pytest.mark.parametrize("board", ["esp32", "pico_w"])
def test_a_console_runs_the_new_version_and_confirms_it(board: str, office: Office) -> None:
    office.offer()
    with office.console(board=board) as console:
        office.wait_heard()
        assert "1 console to be updated" in office.order("--site", "demo")
        office.wait_state("done")
        assert console.resets == ["hard"]
    assert office.boots() == [OLD, NEW]
    assert [event["reset"] for event in office.told("booted")] == ["power_on", "soft"]
    assert "100 %" not in office.trivox(*UPDATE, "--watch")  # it is done, and says no more
    assert NEW in office.trivox("console", "list")
    with office.console(board=board):
        office.wait_state("done")
        wait_until("it runs on", lambda: office.boots() == [OLD, NEW, NEW])


def test_a_small_boards_heap_is_enough(office: Office) -> None:
    office.offer()
    with office.console("probe", architecture="i386") as probe:
        heap_kb = probe.stand_ins_heap() // 1000 + BOARD_HEAP_KB
    with office.console(architecture="i386", heap_kb=heap_kb) as console:
        office.wait_heard()
        office.order("--console", "demo/till-1")
        office.wait_state("done")
        survey(console)
        wait_until("its survey has come", lambda: held(office) == 1)


def test_presses_during_the_download_are_all_kept(office: Office) -> None:
    size = office.offer()
    with office.console() as console, Interrupter(office, size // 2, lambda: console.hang(on=True)) as interrupter:
        office.wait_heard()
        office.order("--all")
        survey(console)
        interrupter.wait()
        survey(console)
        console.hang(on=False)
        surveys = 2
        while IT_IS_HERE not in console.output():
            survey(console)
            surveys += 1
        office.wait_state("done")
        wait_until("all have come", lambda: held(office) == surveys)
    assert not facts.surveys(office.database, outcome="error")


def test_it_waits_until_no_survey_is_open(office: Office) -> None:
    office.offer()
    with office.console() as console:
        office.wait_heard()
        console.press("seller")
        console.wait_lamp("yes", timeout_s=LIMIT_S)
        office.order("--all")
        console.wait_output(IT_IS_HERE, LIMIT_S)
        assert console.resets == []
        console.press("yes")
        office.wait_state("done")
    assert facts.surveys(office.database, "outcome") == ["yes"]
    assert office.boots() == [OLD, NEW]


@pytest.mark.long
@pytest.mark.parametrize("changes", [CRASHES, HANGS, IS_DEAF], ids=["crashes", "hangs", "is deaf"])
def test_a_broken_version_is_given_up_and_the_command_says_which_console(changes: Changes, office: Office) -> None:
    office.offer(changes=changes)
    with office.console() as console:
        office.wait_heard()
        office.order("--all")
        for trial in range(1, 4 if changes is IS_DEAF else 1):
            wait_until("a trial has begun", lambda: len(console.resets) >= trial)  # noqa: B023
            console.press("yes")
            wait_until("it has ended", lambda: len(console.resets) > trial or console.step(TRIAL_MS // 5))  # noqa: B023
        office.wait_state("returned")
        assert len(console.resets) == 4
        wait_until("health says it", lambda: "update" in facts.healths(office.database)[0]["faults"])
        tried = [NEW] * 3 if changes is IS_DEAF else []  # the others did not get so far as to say so
        wait_until("all boots are told", lambda: office.boots() == [OLD, *tried, OLD])
    assert f"{OLD} runs again" in office.reason()
    shown = office.trivox(*UPDATE)
    assert "till-1" in shown
    assert "returned" in shown
    assert "1 console did not take the update" in office.refusal(*UPDATE, "--watch")
    assert "Not demo/till-1" in office.order("--all")
    assert "1 console to be updated" in office.order("--console", "demo/till-1")


def test_where_one_comes_back_the_others_are_not_asked(office: Office) -> None:
    office.offer(changes=CRASHES)
    with office.console(), office.console("till-2"):
        office.wait_heard()
        office.wait_heard("till-2")
    office.order("--all")
    with office.console():
        office.wait_state("returned")
    assert office.state("till-2") == "stopped"
    assert "demo/till-1" in office.reason("till-2")
    with office.console("till-2"):
        wait_until("it is back", lambda: office.boots("till-2") == [OLD, OLD])
    assert office.state("till-2") == "stopped"


def test_the_network_is_lost_in_the_middle_and_the_bridge_too(office: Office) -> None:
    size = office.offer()
    with office.console() as console, Interrupter(office, size // 2, lambda: console.wifi(on=False)) as interrupter:
        office.wait_heard()
        office.order("--all")
        interrupter.wait()
        assert office.state() == "fetching"
        survey(console)
        console.wifi(on=True)
        office.bridge.end(signal.SIGKILL)
        survey(console)
        office.bridge.start()
        office.wait_state("done")
        wait_until("nothing is lost", lambda: held(office) == 2)


def test_power_is_lost_in_the_middle_and_what_was_there_is_not_fetched_again(office: Office) -> None:
    size = office.offer()
    with office.console() as console, Interrupter(office, size // 2, console.power_off) as interrupter:
        office.wait_heard()
        office.order("--all")
        interrupter.wait()
    with Wire(office) as wire, office.console():
        office.wait_state("done")
        asked = [reply["fetch"]["from"] for reply in wire.replies if "fetch" in reply]
    assert asked[0] == 0  # the manifest, under a code of its own
    assert min(start for start in asked if start > 4096) > 0.3 * size


class Wire:
    """Listens to replies, and may put itself in the bridge's place: `tamper` changes what it sends on."""

    def __init__(self, office: Office) -> None:
        self.replies: list[Any] = []
        self.said: list[Any] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe([("trivox/v1/demo/+/reply", 1), (FIRMWARE, 1)])
        self._client.on_message = self._took
        self._client.connect("127.0.0.1", office.broker.port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        wait_until("it listens", self._client.is_connected)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, message: Any) -> None:
        self._client.publish(FIRMWARE, json.dumps(message), qos=1)

    def _took(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        taken = json.loads(message.payload)
        (self.replies if message.topic.endswith("reply") else self.said).append(taken)


FIRMWARE = "trivox/v1/demo/till-1/firmware"
PIECE_BYTES = 512


class Liar(Wire):
    """A bridge that offers an update of its own; `lie` is put into each answer that has the field."""

    def __init__(self, office: Office, content: bytes, code: dict[str, Any]) -> None:
        self._content, self._code = content, code
        super().__init__(office)

    def _took(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        super()._took(client, data, message)
        if message.topic.endswith("reply") and "fetch" in (reply := self.replies[-1]):
            wish = reply["fetch"]
            if "nonce" in wish:
                self.say({"id": "lie", "nonce": wish["nonce"], **self._code})
            for start in range(wish["from"], wish["from"] + wish["bytes"], PIECE_BYTES):
                piece = self._content[start : start + PIECE_BYTES]
                if piece:
                    self.say({"id": "lie", "from": start, "data": b64encode(piece).decode()})

    def refusal(self) -> str:
        """Offers, and waits for the console's no."""
        self.say({"id": "lie", "version": NEW})
        told = wait_until(
            "it refuses", lambda: [reply for reply in self.replies if reply["id"] == "lie" and not reply["ok"]]
        )
        return str(told[0]["reason"])


@pytest.mark.long
def test_who_has_not_the_key_updates_nothing(office: Office) -> None:
    manifest = f"trivox-firmware {NEW}\n{'0' * 64} 3 console/app.mpy\n".encode()
    with office.console() as console:
        office.wait_heard()
        with Liar(office, manifest + b"lie", {"manifest_bytes": len(manifest), "mac": "0" * 64}) as liar:
            assert "its code is wrong" in liar.refusal()
        assert console.resets == []
    with office.console():
        wait_until("it runs what it ran", lambda: office.boots() == [OLD, OLD])


class Interrupter(Wire):
    """Does something, once, when a console asks for what lies `beyond` a place."""

    def __init__(self, office: Office, beyond: int, act: Callable[[], None]) -> None:
        self._beyond, self._act = beyond, act
        self._done = Event()
        super().__init__(office)

    def wait(self) -> None:
        """Wait until it is done."""
        assert self._done.wait(LIMIT_S)

    def _took(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        super()._took(client, data, message)
        asked = [reply["fetch"]["from"] for reply in self.replies[-1:] if "fetch" in reply]
        if not self._done.is_set() and asked and asked[0] > self._beyond:
            self._act()
            self._done.set()


class Meddler(Wire):
    """Says zeros where pieces are asked for `beyond` a place: who writes there may come before the bridge."""

    def __init__(self, office: Office, beyond: int) -> None:
        self._beyond = beyond
        self.lies = 0
        super().__init__(office)

    def _took(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        super()._took(client, data, message)
        if message.topic.endswith("reply") and "fetch" in (reply := self.replies[-1]):
            start, end = reply["fetch"]["from"], reply["fetch"]["from"] + reply["fetch"]["bytes"]
            if start > self._beyond:
                if not self.lies:  # the bridge's pieces do not fit then
                    self.say({"id": reply["id"], "from": start, "data": "AAAA"})
                    start += 3
                for at in range(start, end, PIECE_BYTES):
                    piece = b64encode(bytes(min(PIECE_BYTES, end - at))).decode()
                    self.say({"id": reply["id"], "from": at, "data": piece})
                self.lies += 1


def test_a_tampered_piece_is_found(office: Office) -> None:
    size = office.offer()
    with office.console(), Meddler(office, size // 2) as meddler:
        office.wait_heard()
        office.order("--all")
        if office.wait_state("done", "failed") == "failed":
            assert "does not come as the manifest says" in office.reason()
        assert meddler.lies
        wait_until("a whole version runs", lambda: office.boots()[-1] == (NEW if office.state() == "done" else OLD))


def test_without_a_key_nothing_is_taken(office: Office) -> None:
    office.offer()
    with office.console(key=None):
        office.wait_heard()
        office.order("--all")
        office.wait_state("failed")
    assert "no key" in office.reason()
    with Console(office.folder / "stranger", console_id="stranger", broker=office.broker.url()):
        office.wait_heard("stranger")
        assert "Not demo/stranger" in office.order("--all")


def test_two_consoles_at_two_versions(office: Office) -> None:
    office.offer()
    office.offer("1.2.0")
    with office.console(), office.console("till-2"):
        office.wait_heard()
        office.wait_heard("till-2")
        office.order("--console", "demo/till-1")
        office.order("--console", "demo/till-2", version="1.2.0")
        office.wait_state("done")
        office.wait_state("done", console_id="till-2")
        assert "newer" in office.order("--all")
        assert office.state("till-2") == "done"
        office.order("--console", "demo/till-2", "--older")
        office.wait_state("done", console_id="till-2")
        wait_until("it went back", lambda: office.boots("till-2") == [OLD, "1.2.0", NEW])
    assert office.boots() == [OLD, NEW]


def test_an_order_waits_for_a_console_that_is_away(office: Office) -> None:
    office.offer()
    with office.console():
        office.wait_heard()
    office.bridge.end()
    office.order("--all")  # done by the command itself
    office.bridge.start()
    assert office.state() == "waiting"
    with office.console():
        office.wait_state("done")


def test_a_bundle_by_another_key_is_not_taken(office: Office, tmp_path: Path) -> None:
    make_key(tmp_path / "other.key")
    bundle = office.bundle(key=tmp_path / "other.key")
    assert "not signed by a key that is trusted" in office.refusal("firmware", "add", str(bundle))


@pytest.mark.long
def test_a_board_without_radio_is_updated_through_its_gateway(office: Office) -> None:
    office.offer()
    console = office.console(board="pico")
    with Gateway(office.folder, office.broker.url(), console.serial_port), console:
        wait_until("it is heard", lambda: console.step(5000) or office.is_heard())
        office.order("--all")
        office.wait_state("done")
    assert office.boots() == [OLD, NEW]
