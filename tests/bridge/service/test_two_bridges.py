"""Two bridges at one real broker: the later one ends, unless each has its own sites; none is held up by the dead."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bridge.service.claim_keeper import REPEAT_S
from tests.bridge.shop import batch
from tests.schema import schemas
from tests.support import facts, forked
from tests.support.bridge import READY
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until
from tests.support.service import Service

EVENTS = 40
WAITS = "another bridge may serve the same consoles"
SENTENCE = "trivox: Another bridge is at mqtt://127.0.0.1:"


class Shops:
    """A broker, consoles c1 at the sites s1 and s2, and any number of bridges, each with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = Mosquitto(folder, persistent=True)
        self.heard: list[tuple[str, bytes, bool]] = []
        self._bridges = ExitStack()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="consoles")
        self._client.on_connect = lambda *_: self._client.subscribe("trivox/v1/#", 1)
        self._client.on_message = lambda *given: self.heard.append((given[2].topic, given[2].payload, given[2].retain))
        self._client.reconnect_delay_set(1, 1)
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()

    def __enter__(self) -> Self:
        self.broker.start()
        self._client.connect("127.0.0.1", self.broker.port)
        self._client.loop_start()
        wait_until("the consoles are connected", self._subscribed.is_set)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._bridges.close()
        self.broker.stop()

    def crash_broker(self, *, keeps: bool) -> None:
        """Kill the broker, which sends no last will then; if it `keeps` what it knows, once it has saved that."""
        saved = self.folder / "mosquitto.db"
        assert not saved.exists()
        if keeps:
            os.kill(self.broker.pid, signal.SIGUSR1)
            wait_until("the broker has saved what it knows", saved.exists)
        self._subscribed.clear()
        self.broker.stop(signal.SIGKILL)

    def start_broker(self) -> None:
        """Start the broker again; return once the consoles are back."""
        self.broker.start()
        wait_until("the consoles are connected", self._subscribed.is_set)

    def database(self, name: str) -> Path:
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name / "shop.db"

    def bridge(self, name: str, *options: str) -> Service:
        """Return a bridge on the database of that name; it does not run yet."""
        words = ("bridge", "--broker", self.broker.url(), "--database", str(self.database(name)), "--metrics-port", "0")
        return self._bridges.enter_context(StoppedAtEnd(*words, *options, log=self.folder / f"{name}.log", ready=READY))

    def send(self, site_id: str, base: int = 1) -> None:
        self._client.publish(f"trivox/v1/{site_id}/c1/events", batch(base, EVENTS), qos=1)

    def say(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(60)

    def wait_acknowledged(self, site_id: str, through: int = EVENTS) -> None:
        acks = f"trivox/v1/{site_id}/c1/ack"
        wait_until(
            f"{site_id} is acknowledged",
            lambda: any(json.loads(text)["through"] >= through for topic, text, _ in self.heard if topic == acks),
        )

    def send_acknowledged(self, site_id: str, base: int = 1) -> None:
        self.send(site_id, base)
        self.wait_acknowledged(site_id, base + EVENTS - 1)

    def session_file(self, name: str) -> Path:
        return self.database(name).with_name("shop.db-keys") / "bridge.session"

    def claims(self) -> list[dict[str, Any]]:
        """Return the claims that the broker holds now."""
        kept = self._read(Client(CallbackAPIVersion.VERSION2), "trivox/v1/bridge/+")
        return [json.loads(payload) for payload in dict(kept).values() if payload]

    def waiting_for(self, name: str) -> list[tuple[str, bytes]]:
        """Return what waits at the broker for a bridge that has ended."""
        session = json.loads(self.session_file(name).read_text())["client_id"]
        return self._read(Client(CallbackAPIVersion.VERSION2, client_id=session, clean_session=False), "nothing")

    def _read(self, client: Client, topic: str) -> list[tuple[str, bytes]]:
        """Return all that the broker has for a client now."""
        read: list[tuple[str, bytes]] = []
        client.on_connect = lambda *_: client.subscribe([(topic, 1), ("barrier", 1)])
        client.on_subscribe = lambda *_: client.publish("barrier", "", qos=1)
        client.on_message = lambda *given: read.append((given[2].topic, given[2].payload))
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        wait_until("all messages are here", lambda: ("barrier", b"") in read)
        client.disconnect()
        client.loop_stop()
        return [message for message in read if message[0] != "barrier"]


class StoppedAtEnd(Service):
    """A service that a test starts when it wants to; it ends with the test."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *arguments: object) -> None:
        if self.is_running:
            super().__exit__(*arguments)


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Shops]:
    with Shops(tmp_path) as running:
        yield running


def copied_database(shops: Shops, name: str = "b") -> None:
    assert forked.run("backup", str(shops.database(name)), "--database", str(shops.database("a"))).returncode == 0


def copied_folder(shops: Shops) -> None:
    copied_database(shops)
    for path in shops.database("a").parent.glob("shop.db-keys*"):
        shutil.copytree(path, shops.database("b").parent / path.name)


def new_database(shops: Shops) -> None:
    assert not shops.database("b").exists()


@pytest.mark.parametrize("second", [copied_database, copied_folder, new_database])
def test_the_later_of_two_bridges_ends_and_takes_nothing(shops: Shops, second: Callable[[Shops], None]) -> None:
    first = shops.bridge("a")
    first.start()
    shops.send_acknowledged("s1")
    second(shops)
    before = facts.stored(shops.database("b")) if shops.database("b").exists() else 0
    later = shops.bridge("b")
    later.start(wait=False)
    assert later.wait() == 1
    last_line = later.output().splitlines()[-1]
    assert last_line.startswith(SENTENCE)
    assert "has served all sites since" in last_line
    assert "stop the other one first, or give each its own sites with --site." in last_line
    shops.send_acknowledged("s1", 1 + EVENTS)
    assert first.is_running
    assert first.output().count(READY) == 1, "it was not cut off"
    assert (facts.stored(shops.database("a")), facts.stored(shops.database("b"))) == (2 * EVENTS, before)
    assert len(shops.claims()) == 1


def test_bridges_with_sites_of_their_own_work_side_by_side(shops: Shops) -> None:
    both = shops.bridge("a")
    both.start()
    shops.send_acknowledged("s1")
    shops.send_acknowledged("s2")
    copied_database(shops)
    assert both.end() == 0
    one, other = shops.bridge("a", "--site", "s1"), shops.bridge("b", "--site", "s2", "--site", "s3", "--new")
    one.start()
    other.start()
    shops.send_acknowledged("s1", 1 + EVENTS)
    shops.send_acknowledged("s2", 1 + EVENTS)
    for name, site_id in (("a", "s1"), ("b", "s2")):
        seqs = {site: facts.events(shops.database(name), "seq", site_id=site) for site in ("s1", "s2")}
        assert max(seqs.pop(site_id)) == 2 * EVENTS
        assert [max(rest) for rest in seqs.values()] == [EVENTS], "what belongs to the other bridge is not taken"
    assert sorted(claim["sites"] for claim in shops.claims()) == [["s1"], ["s2", "s3"]]
    shops.heard.clear()
    done = forked.run("settings", "set", "--all", "ask_every=7", "--database", str(shops.database("a")))
    assert done.returncode == 0
    wait_until("settings", lambda: any(topic.endswith("s1/c1/settings") for topic, *_ in shops.heard))
    shops.send_acknowledged("s1", 1 + 2 * EVENTS)
    assert not any(topic.endswith("s2/c1/settings") for topic, *_ in shops.heard), "those are the other bridge's"


@pytest.mark.parametrize("options", [(), ("--site", "s2", "--site", "s1")])
def test_a_bridge_whose_sites_overlap_with_anothers_ends(shops: Shops, options: tuple[str, ...]) -> None:
    shops.bridge("a", "--site", "s1").start()
    later = shops.bridge("b", *options)
    later.start(wait=False)
    assert later.wait() == 1
    assert "has served site s1 since" in later.output()


def test_a_site_that_cannot_be_one_is_wrong_usage(tmp_path: Path) -> None:
    refused = forked.run("bridge", "--site", "S 1", "--database", str(tmp_path / "a.db"))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "'S 1' is not a valid id" in refused.stderr


def test_a_killed_bridge_is_not_held_up_by_what_it_left_behind(shops: Shops) -> None:
    bridge = shops.bridge("a")
    bridge.start()
    shops.send_acknowledged("s1")
    bridge.end(signal.SIGKILL)
    bridge.start()
    shops.send_acknowledged("s1", 1 + EVENTS)
    assert WAITS not in bridge.output()
    assert len(shops.claims()) == 1


@pytest.mark.parametrize("keeps", [True, False], ids=["keeps", "forgets"])
def test_nor_if_the_broker_was_killed_too(shops: Shops, *, keeps: bool) -> None:
    bridge = shops.bridge("a")
    bridge.start()
    shops.send_acknowledged("s1")
    shops.crash_broker(keeps=keeps)
    bridge.end(signal.SIGKILL)
    shops.start_broker()
    assert len(shops.claims()) == keeps
    bridge.start()
    shops.send_acknowledged("s1", 1 + EVENTS)
    assert WAITS not in bridge.output()
    assert len(shops.claims()) == 1


def test_what_a_dead_bridge_elsewhere_left_behind_is_removed(shops: Shops) -> None:
    dead = shops.bridge("a")
    dead.start()
    shops.crash_broker(keeps=True)
    dead.end(signal.SIGKILL)
    shops.start_broker()
    assert len(shops.claims()) == 1
    bridge = shops.bridge("b")
    bridge.start()
    assert WAITS in bridge.output()
    shops.send_acknowledged("s1")
    assert len(shops.claims()) == 1


def test_of_two_that_start_at_once_exactly_one_survives(shops: Shops) -> None:
    both = [shops.bridge("a"), shops.bridge("b")]
    for bridge in both:
        bridge.start(wait=False)
    wait_until("one has ended", lambda: [bridge for bridge in both if not bridge.is_running])
    wait_until("one serves", lambda: len(shops.claims()) == 1)
    survivor = next(bridge for bridge in both if bridge.is_running)
    shops.send_acknowledged("s1")
    assert survivor.is_running
    ended = next(bridge for bridge in both if bridge is not survivor)
    assert ended.wait() == 1
    assert SENTENCE in ended.output()


def test_the_first_comes_back_from_an_outage_and_the_one_that_stepped_in_ends(shops: Shops) -> None:
    first, later = shops.bridge("a"), shops.bridge("b")
    first.start()
    first.send_signal(signal.SIGSTOP)
    later.start()  # nobody answers it
    first.send_signal(signal.SIGCONT)
    assert later.wait() == 1
    assert SENTENCE in later.output()
    shops.send_acknowledged("s1")
    assert first.is_running
    assert len(shops.claims()) == 1
    assert shops.waiting_for("b") == [], "what the first one takes does not wait for the other for ever"


def test_a_damaged_name_of_the_session_is_told(shops: Shops) -> None:
    bridge = shops.bridge("a")
    bridge.start()
    assert bridge.end() == 0
    shops.session_file("a").write_text("{")
    bridge.start(wait=False)
    assert bridge.wait() == 1
    assert "bridge.session is damaged: restore it from a copy, or delete it" in bridge.output()


@pytest.mark.parametrize("keeps", [True, False], ids=["keeps", "forgets"])
def test_the_first_stays_when_the_broker_restarts(shops: Shops, *, keeps: bool) -> None:
    first = shops.bridge("a")
    first.start()
    shops.crash_broker(keeps=keeps)
    shops.start_broker()
    wait_until("it is back", lambda: first.output().count(READY) == 2)
    later = shops.bridge("b")
    later.start(wait=False)
    assert later.wait() == 1
    assert first.is_running


OTHERS = {"state": "serving", "instance": "x", "file": "x", "host": "x", "since_ms": 1, "sites": ["s9"]}
SPOILT: list[Callable[[dict[str, Any]], object]] = [
    lambda _: b"",
    lambda _: b"{",
    lambda _: b'{"state":"serving","instance":"x","file":"x","host":"x"}',
    lambda _: OTHERS,
    lambda ours: ours | {"sites": ["s9"]},
    lambda ours: ours | {"since_ms": ours["since_ms"] + 1},
    lambda ours: ours | {"state": "asking"},
    lambda ours: OTHERS | {"file": ours["file"]},
]


@pytest.mark.parametrize("own_sites", [(), ("--site", "s1")], ids=["all", "own"])
def test_a_claim_that_an_outsider_overwrites_is_stated_again_at_once(shops: Shops, own_sites: tuple[str, ...]) -> None:
    bridge = shops.bridge("a", *own_sites)
    bridge.start()
    topic = wait_until("the claim", lambda: [topic for topic, *_ in shops.heard if "/bridge/" in topic])[0]
    claim = shops.claims()[0]
    for spoil in SPOILT:
        made = spoil(claim)
        payload = made if isinstance(made, bytes) else json.dumps(made).encode()
        if b'"x"' in payload and not own_sites:
            continue  # a rival that was first ends a bridge that serves all sites
        shops.heard.clear()
        shops.say(topic, payload)
        # The wait ends before the claim is repeated in any case.
        wait_until("it is stated again", lambda sent=payload: _after(shops, topic, sent), limit_s=REPEAT_S / 2)
        assert shops.claims() == [claim], payload
    assert bridge.is_running


def _after(shops: Shops, topic: str, payload: bytes) -> list[bytes]:
    """Return what came on the topic after this payload."""
    texts = [text for at, text, _ in shops.heard if at == topic]
    return texts[texts.index(payload) + 1 :] if payload in texts else []


def test_a_claim_obeys_its_schema_and_goes_with_the_bridge(shops: Shops) -> None:
    bridge = shops.bridge("a", "--site", "s1")
    bridge.start()
    claims = shops.claims()
    assert [claim["state"] for claim in claims] == ["serving"]
    schemas.validator("bridge").validate(claims[0])
    session = json.loads(shops.session_file("a").read_text())["client_id"]
    assert session.removeprefix("trivox-bridge-") not in str(shops.heard), "who knows it could cut the bridge off"
    assert bridge.end() == 0
    assert shops.claims() == []


def test_copied_keys_are_named_where_each_bridge_has_its_own_sites(shops: Shops) -> None:
    shops.bridge("a", "--site", "s1").start()
    copied_folder(shops)
    twin = shops.bridge("b", "--site", "s2", "--new")
    twin.start(wait=False)
    assert twin.wait() == 1
    assert "delete bridge.session from the copy's folder" in twin.output()
    shops.session_file("b").unlink()
    twin.start()
    shops.send_acknowledged("s1")
    shops.send_acknowledged("s2")


def test_doctor_names_another_bridge_at_the_broker(shops: Shops) -> None:
    shops.bridge("a", "--site", "s1").start()
    shops.bridge("b", "--site", "s2").start()
    told = forked.run("doctor", "--database", str(shops.database("a"))).stdout
    assert "  Another bridge is at the broker (on host" in told
    assert "which has served site s2 since" in told
    copied_database(shops, "c")
    told = forked.run("doctor", "--database", str(shops.database("c")), "--broker", shops.broker.url()).stdout
    assert "! Another bridge is at the broker (on host" in told


def test_doctor_knows_what_the_bridge_here_left_behind(shops: Shops) -> None:
    bridge = shops.bridge("a")
    bridge.start()
    shops.crash_broker(keeps=True)
    bridge.end(signal.SIGKILL)
    shops.start_broker()
    assert len(shops.claims()) == 1
    told = forked.run("doctor", "--database", str(shops.database("a")), "--broker", shops.broker.url()).stdout
    assert "answers (mosquitto" in told
    assert "Another bridge" not in told
