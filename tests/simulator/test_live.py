"""Play scenarios live: each console has its own connection, and the bridge reports what the scenario expects."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.scenario.fleet_session import FleetSession, Login, packet
from simulator.scenario.live import LiveError, allow_files
from simulator.scenario.live_console import LiveClock
from simulator.scenario.run_folder import Run
from simulator.scenario.scenario import Scenario
from tests.simulator.scenario_check import TRIVOX, is_as_expected, trivox
from tests.simulator.scenarios import HURRY, written
from tests.support import facts, forked
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until

SENT = ("site_id", "console_id", "epoch", "seq", "raw")


class LiveShop:
    """A broker and a bridge."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"mqtt://127.0.0.1:{port}"
        self.database = folder / "live.db"
        self.log = folder / "bridge.log"
        words = ("--broker", self.url, "--database", str(self.database), "--metrics-port", "0")
        self.bridge = forked.start("bridge", *words, log=self.log)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LiveShop]:
    with Mosquitto(tmp_path) as broker:
        shop = LiveShop(tmp_path, broker.port)
        try:
            wait_until("the bridge is connected", lambda: "connected to" in shop.log.read_text())
            yield shop
        finally:
            shop.bridge.kill()
            shop.bridge.wait()


def lines(run: Run) -> list[bytes]:
    return sorted((run.folder / "diary.ndjson").read_bytes().splitlines())


@pytest.mark.long
def test_a_live_run_sends_what_the_files_hold_and_is_reported_as_expected(shop: LiveShop, tmp_path: Path) -> None:
    scenario = Scenario.load(written(tmp_path))
    files = scenario.write(tmp_path / "files", jobs=1)
    trivox("ingest", str(files.messages), "--database", str(tmp_path / "files.db"))
    live = scenario.play(shop.url, tmp_path / "live", database=shop.database)
    is_as_expected(live.folder, shop.database)
    assert sorted(facts.events(shop.database, *SENT)) == sorted(facts.events(tmp_path / "files.db", *SENT))
    assert lines(live) == lines(files)
    assert (live.folder / "expected.json").read_bytes() == (files.folder / "expected.json").read_bytes()
    assert live.truth() == files.truth()
    assert live.events == files.events


@pytest.mark.long
def test_an_evening_by_a_faster_clock_is_reported_as_expected(shop: LiveShop, tmp_path: Path) -> None:
    """Everything that a run by the clock does, 3,600 times as fast."""
    file = tmp_path / "day.toml"
    file.write_text(HURRY, encoding="utf-8")
    began_ms = 1_788_282_600_000  # 2026-09-01 20:10 in Sofia: the shop is open
    run = Scenario.load(file).play(
        shop.url, tmp_path / "live", database=shop.database, speed="real", clock=lambda: LiveClock(began_ms, rate=3600)
    )
    is_as_expected(run.folder, shop.database, rows_at_least=15)
    entries = list(run.diary())
    assert min(entry.at_ms for entry in entries if entry.kind != "shift") >= began_ms
    came = min(facts.counts_received(shop.database, "arrived_at_ms"))
    ended = max(facts.events(shop.database, "arrived_at_ms"))
    assert came < ended  # tills send the count of each hour when it is over
    assert len(facts.healths(shop.database)) == 2


@pytest.mark.long
def test_ctrl_c_ends_a_run_by_the_clock_and_what_was_run_is_reported_as_expected(
    shop: LiveShop, tmp_path: Path
) -> None:
    file = tmp_path / "rush.toml"
    file.write_text(HURRY.replace("60", "3000").replace('faults = "some"', ""), encoding="utf-8")
    output = tmp_path / "said.txt"
    words = [TRIVOX, "simulate", str(file), "--broker", shop.url, "--speed", "real", "--database", str(shop.database)]
    with output.open("wb") as said:
        people = subprocess.Popen(words, cwd=tmp_path, stdout=said, stderr=subprocess.STDOUT)
    try:
        wait_until(
            "ten surveys have come",
            lambda: shop.database.exists() and len(facts.surveys(shop.database)) >= 10,
            240,
        )
        people.send_signal(signal.SIGINT)
        assert people.wait(120) == 0, output.read_text()
    finally:
        people.kill()
    assert " events of 2 consoles were acknowledged in " in output.read_text()
    run = Run(tmp_path / "rush")
    is_as_expected(run.folder, shop.database, rows_at_least=13)
    surveys = [entry for entry in run.diary() if entry.kind == "customer" and entry.ends != "not_asked"]
    (row,) = run.expected("question")
    assert len(surveys) == row["surveys"] >= 10
    assert row["transactions"] is not None
    assert row["visitors"] >= len(surveys)


def test_without_a_broker_it_says_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(LiveError) as caught:
        Scenario.load("quiet_branch").play("mqtt://127.0.0.1:1", tmp_path / "live")
    assert (
        str(caught.value)
        == "No broker listens at mqtt://127.0.0.1:1 (Connection refused): start it, or give another --broker."
    )
    assert not (tmp_path / "live").exists()


@pytest.mark.parametrize(("account", "why"), [(None, ""), (("fleet", "secret"), "the broker refused the login")])
def test_without_a_bridge_it_says_so(
    account: tuple[str, str] | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.scenario.live.LIMIT_S", 0.0)
    with Mosquitto(tmp_path, account=account) as broker, pytest.raises(LiveError) as caught:
        Scenario.load("quiet_branch", days=1).play(f"mqtt://127.0.0.1:{broker.port}", tmp_path / "live")
    assert str(caught.value).startswith(f"Nothing was acknowledged for 0 s ({why or 'no console'}")
    assert "): is a bridge running, and can the broker serve 2 consoles? The embedded" in str(caught.value)


def test_more_consoles_than_open_files_are_allowed_are_refused() -> None:
    with pytest.raises(LiveError, match="10000000000 consoles need 10000000200 open files, but the limit is "):
        allow_files(10**10)


class Wire:
    """A transport that stores what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def session(heard: list[tuple[str, bytes]]) -> tuple[FleetSession, Wire]:
    made = FleetSession(
        Login("trivox-shop-till-ab", "trivox/v1/shop/till/", b"gone"),
        lambda: heard.append(("up", b"")),
        lambda leaf, payload: heard.append((leaf, payload)),
        lambda why: heard.append(("down", why.encode())),
    )
    wire = Wire()
    made.connection_made(wire)  # type: ignore[arg-type]
    return made, wire


def test_a_session_reads_packets_wherever_they_are_cut() -> None:
    long = b'{"through":1' + b" " * 300 + b"}"
    stream = b"\x20\x02\x00\x00" + b"\x90\x04\x00\x01\x01\x01"
    stream += packet(0x32, b"\x00\x17trivox/v1/shop/till/ack", b"\x00\x07", long)
    stream += packet(0x30, b"\x00\x17trivox/v1/shop/till/ack", b"{}") + b"\xd0\x00"
    for size in (1, 2, 7, 1000):
        heard: list[tuple[str, bytes]] = []
        made, wire = session(heard)
        for at in range(0, len(stream), size):
            made.data_received(stream[at : at + size])
        assert heard == [("up", b""), ("ack", long), ("ack", b"{}")]
        assert wire.written[0][0] == 0x10
        assert wire.written[1][0] == 0x82
        assert wire.written[2] == b"\x40\x02\x00\x07"


def test_a_refused_session_is_dropped() -> None:
    made, wire = session([])
    made.data_received(b"\x20\x02\x00\x05")
    assert wire.aborted
    assert not made.is_up
