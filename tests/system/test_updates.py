"""Update consoles over the air, with real MicroPython, mosquitto, bridge and commands."""

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
from tests.support.gateway import RunningGateway
from tests.support.programs import LIMIT_S, wait_until
from tests.support.updating import NEW, OLD, UPDATE, UpdateRig
from tests.support.versions import CRASHES, HANGS, IS_DEAF, Changes

TRIAL_MS = 300_000
BOARD_HEAP_KB = 100
IT_IS_HERE = "it starts as soon as nobody uses the console"


@pytest.fixture
def rig(tmp_path: Path, compiled_firmware: Path) -> Iterator[UpdateRig]:
    with UpdateRig(tmp_path, compiled_firmware) as made:
        yield made


def answered_surveys(rig: UpdateRig) -> int:
    """Return how many answered surveys the bridge has."""
    return len(facts.surveys(rig.database, outcome="yes"))


def survey(console: Console) -> None:
    """Press as a seller who asks and a customer who answers."""
    console.press("seller", 60)
    console.wait_lamp("yes", timeout_s=LIMIT_S)
    console.press("yes", 60)
    console.wait_lamp("no", on=False, timeout_s=LIMIT_S)


@pytest.mark.parametrize("board", ["esp32", "pico_w"])
def test_a_console_runs_the_new_version_and_confirms_it(board: str, rig: UpdateRig) -> None:
    rig.offer()
    with rig.console(board=board) as console:
        rig.wait_heard()
        assert "1 console to be updated" in rig.order("--site", "demo")
        rig.wait_state("done")
        assert console.resets == ["hard"]
    assert rig.boots() == [OLD, NEW]
    assert [event["reset"] for event in rig.events("booted")] == ["power_on", "soft"]
    assert "100 %" not in rig.trivox(*UPDATE, "--watch")  # it is done, and nothing more is shown
    assert NEW in rig.trivox("console", "list")
    with rig.console(board=board):
        rig.wait_state("done")
        wait_until("it runs on", lambda: rig.boots() == [OLD, NEW, NEW])


def test_a_small_boards_heap_is_enough(rig: UpdateRig) -> None:
    rig.offer()
    with rig.console("probe", architecture="i386") as probe:
        heap_kb = probe.stand_ins_heap() // 1000 + BOARD_HEAP_KB
    with rig.console(architecture="i386", heap_kb=heap_kb) as console:
        rig.wait_heard()
        rig.order("--console", "demo/till-1")
        rig.wait_state("done")
        survey(console)
        wait_until("its survey has come", lambda: answered_surveys(rig) == 1)


def test_presses_during_the_download_are_all_stored(rig: UpdateRig) -> None:
    size = rig.offer()
    with rig.console() as console, Interrupter(rig, size // 2, lambda: console.hang(on=True)) as interrupter:
        rig.wait_heard()
        rig.order("--all")
        survey(console)
        interrupter.wait()
        survey(console)
        console.hang(on=False)
        surveys = 2
        while IT_IS_HERE not in console.output():
            survey(console)
            surveys += 1
        rig.wait_state("done")
        wait_until("all have come", lambda: answered_surveys(rig) == surveys)
    assert not facts.surveys(rig.database, outcome="error")


def test_it_waits_until_no_survey_is_open(rig: UpdateRig) -> None:
    rig.offer()
    with rig.console() as console:
        rig.wait_heard()
        console.press("seller")
        console.wait_lamp("yes", timeout_s=LIMIT_S)
        rig.order("--all")
        console.wait_output(IT_IS_HERE, LIMIT_S)
        assert console.resets == []
        console.press("yes")
        rig.wait_state("done")
    assert facts.surveys(rig.database, "outcome") == ["yes"]
    assert rig.boots() == [OLD, NEW]


@pytest.mark.long
@pytest.mark.parametrize("changes", [CRASHES, HANGS, IS_DEAF], ids=["crashes", "hangs", "is deaf"])
def test_a_broken_version_is_given_up_and_the_command_names_the_console(changes: Changes, rig: UpdateRig) -> None:
    rig.offer(changes=changes)
    with rig.console() as console:
        rig.wait_heard()
        rig.order("--all")
        for trial in range(1, 4 if changes is IS_DEAF else 1):
            wait_until("a trial has begun", lambda: len(console.resets) >= trial)  # noqa: B023
            console.press("yes")
            wait_until("it has ended", lambda: len(console.resets) > trial or console.step(TRIAL_MS // 5))  # noqa: B023
        rig.wait_state("returned")
        assert len(console.resets) == 4
        wait_until("health says it", lambda: "update" in facts.healths(rig.database)[0]["faults"])
        tried = [NEW] * 3 if changes is IS_DEAF else []  # the others did not get so far as to say so
        wait_until("all boots are told", lambda: rig.boots() == [OLD, *tried, OLD])
    assert f"{OLD} runs again" in rig.reason()
    shown = rig.trivox(*UPDATE)
    assert "till-1" in shown
    assert "returned" in shown
    assert "1 console did not take the update" in rig.refusal(*UPDATE, "--watch")
    assert "Not demo/till-1" in rig.order("--all")
    assert "1 console to be updated" in rig.order("--console", "demo/till-1")


def test_a_console_that_falls_back_proves_it_and_alone_stops_no_other(rig: UpdateRig) -> None:
    rig.offer(changes=CRASHES)
    with rig.console(), rig.console("till-2"):
        rig.wait_heard()
        rig.wait_heard("till-2")
    rig.order("--all")
    with rig.console():
        rig.wait_state("returned")
    assert facts.updates(rig.database, "return_is_proved", console_id="till-1") == [1]
    assert rig.state("till-2") == "waiting"


def test_an_update_survives_a_lost_network_and_a_killed_bridge(rig: UpdateRig) -> None:
    size = rig.offer()
    with rig.console() as console, Interrupter(rig, size // 2, lambda: console.wifi(on=False)) as interrupter:
        rig.wait_heard()
        rig.order("--all")
        interrupter.wait()
        assert rig.state() == "fetching"
        survey(console)
        console.wifi(on=True)
        rig.bridge.end(signal.SIGKILL)
        survey(console)
        rig.bridge.start()
        rig.wait_state("done")
        wait_until("nothing is lost", lambda: answered_surveys(rig) == 2)


def test_after_a_power_cut_only_the_rest_is_fetched(rig: UpdateRig) -> None:
    size = rig.offer()
    with rig.console() as console, Interrupter(rig, size // 2, console.power_off) as interrupter:
        rig.wait_heard()
        rig.order("--all")
        interrupter.wait()
    with FirmwareClient(rig) as client, rig.console():
        rig.wait_state("done")
        asked = [reply["fetch"]["from"] for reply in client.replies if "fetch" in reply]
    assert asked[0] == 0  # the manifest, under a code of its own
    assert min(start for start in asked if start > 4096) > 0.3 * size


class FirmwareClient:
    """A client that records replies and firmware messages, and can publish firmware messages as the bridge does."""

    def __init__(self, rig: UpdateRig) -> None:
        self.replies: list[Any] = []
        self.firmware_messages: list[Any] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe([("trivox/v1/demo/+/reply", 1), (FIRMWARE, 1)])
        self._client.on_message = self._took
        self._client.connect("127.0.0.1", rig.broker.port)
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
        payload = json.loads(message.payload)
        (self.replies if message.topic.endswith("reply") else self.firmware_messages).append(payload)


FIRMWARE = "trivox/v1/demo/till-1/firmware"
PIECE_BYTES = 512


class Impostor(FirmwareClient):
    """A false bridge that offers an update of its own, with `code` in its answers to a console's nonce."""

    def __init__(self, rig: UpdateRig, content: bytes, code: dict[str, Any]) -> None:
        self._content, self._code = content, code
        super().__init__(rig)

    def _took(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        super()._took(client, data, message)
        if message.topic.endswith("reply") and "fetch" in (reply := self.replies[-1]):
            fetch = reply["fetch"]
            if "nonce" in fetch:
                self.say({"id": "lie", "nonce": fetch["nonce"], **self._code})
            for start in range(fetch["from"], fetch["from"] + fetch["bytes"], PIECE_BYTES):
                piece = self._content[start : start + PIECE_BYTES]
                if piece:
                    self.say({"id": "lie", "from": start, "data": b64encode(piece).decode()})

    def refusal(self) -> str:
        """Offer the update; return the reason for which the console refuses it."""
        self.say({"id": "lie", "version": NEW})
        refusals = wait_until(
            "it refuses", lambda: [reply for reply in self.replies if reply["id"] == "lie" and not reply["ok"]]
        )
        return str(refusals[0]["reason"])


@pytest.mark.long
def test_nobody_without_the_key_can_update(rig: UpdateRig) -> None:
    manifest = f"trivox-firmware {NEW}\n{'0' * 64} 3 console/app.mpy\n".encode()
    with rig.console() as console:
        rig.wait_heard()
        with Impostor(rig, manifest + b"lie", {"manifest_bytes": len(manifest), "mac": "0" * 64}) as impostor:
            assert "its MAC is wrong" in impostor.refusal()
        assert console.resets == []
    with rig.console():
        wait_until("it runs what it ran", lambda: rig.boots() == [OLD, OLD])


class Interrupter(FirmwareClient):
    """A client that acts once, when a console fetches a piece `beyond` a position."""

    def __init__(self, rig: UpdateRig, beyond: int, act: Callable[[], None]) -> None:
        self._beyond, self._act = beyond, act
        self._done = Event()
        super().__init__(rig)

    def wait(self) -> None:
        """Wait until it has acted."""
        assert self._done.wait(LIMIT_S)

    def _took(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        super()._took(client, data, message)
        asked = [reply["fetch"]["from"] for reply in self.replies[-1:] if "fetch" in reply]
        if not self._done.is_set() and asked and asked[0] > self._beyond:
            self._act()
            self._done.set()


class Meddler(FirmwareClient):
    """A client that answers fetches `beyond` a position with zeros, and may be faster than the bridge."""

    def __init__(self, rig: UpdateRig, beyond: int) -> None:
        self._beyond = beyond
        self.lies = 0
        super().__init__(rig)

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


def test_a_tampered_piece_is_detected(rig: UpdateRig) -> None:
    size = rig.offer()
    with rig.console(), Meddler(rig, size // 2) as meddler:
        rig.wait_heard()
        rig.order("--all")
        if rig.wait_state("done", "failed") == "failed":
            assert "differs from what the manifest says" in rig.reason()
        assert meddler.lies
        wait_until("a whole version runs", lambda: rig.boots()[-1] == (NEW if rig.state() == "done" else OLD))


def test_a_console_without_a_key_refuses_updates(rig: UpdateRig) -> None:
    rig.offer()
    with rig.console(key=None):
        rig.wait_heard()
        rig.order("--all")
        rig.wait_state("failed")
    assert "no key" in rig.reason()
    with Console(rig.folder / "stranger", console_id="stranger", broker=rig.broker.url()):
        rig.wait_heard("stranger")
        assert "Not demo/stranger" in rig.order("--all")


def test_two_consoles_at_two_versions(rig: UpdateRig) -> None:
    rig.offer()
    rig.offer("1.2.0")
    with rig.console(), rig.console("till-2"):
        rig.wait_heard()
        rig.wait_heard("till-2")
        rig.order("--console", "demo/till-1")
        rig.order("--console", "demo/till-2", version="1.2.0")
        rig.wait_state("done")
        rig.wait_state("done", console_id="till-2")
        assert "newer" in rig.order("--all")
        assert rig.state("till-2") == "done"
        rig.order("--console", "demo/till-2", "--older")
        rig.wait_state("done", console_id="till-2")
        wait_until("it went back", lambda: rig.boots("till-2") == [OLD, "1.2.0", NEW])
    assert rig.boots() == [OLD, NEW]


def test_an_order_waits_for_a_console_that_is_away(rig: UpdateRig) -> None:
    rig.offer()
    with rig.console():
        rig.wait_heard()
    rig.bridge.end()
    rig.order("--all")  # done by the command itself
    rig.bridge.start()
    assert rig.state() == "waiting"
    with rig.console():
        rig.wait_state("done")


def test_a_bundle_signed_by_another_key_is_refused(rig: UpdateRig, tmp_path: Path) -> None:
    make_key(tmp_path / "other.key")
    bundle = rig.bundle(key=tmp_path / "other.key")
    assert "not signed by a key that is trusted" in rig.refusal("firmware", "add", str(bundle))


@pytest.mark.long
def test_a_board_without_radio_is_updated_through_its_gateway(rig: UpdateRig) -> None:
    rig.offer()
    console = rig.console(board="pico")
    with RunningGateway(rig.folder, rig.broker.url(), console.serial_port), console:
        wait_until("it is heard", lambda: console.step(5000) or rig.is_heard())
        rig.order("--all")
        rig.wait_state("done")
    assert rig.boots() == [OLD, NEW]
