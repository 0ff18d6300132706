"""A live run: every console has a connection of its own, and the bridge reports what is expected of the scenario."""

from pathlib import Path

import pytest

from simulator.commands_scenario import run_scenario
from simulator.fleet_mqtt import Login, Session, packet
from simulator.live import LiveError, allow_files
from tests.simulator.scenario_check import compare, prepare
from tests.simulator.scenarios import written
from tests.support.mosquitto import Mosquitto
from tests.support.programs import TRIVOX, wait_until
from tests.system.programs import Programs


def test_a_bridge_reports_what_is_expected_of_a_live_run(tmp_path: Path) -> None:
    folder, database = tmp_path / "out", tmp_path / "trivox.db"
    scenario = written(tmp_path)
    programs = Programs(tmp_path)
    with Mosquitto(tmp_path) as broker:
        try:
            url = f"mqtt://127.0.0.1:{broker.port}"
            run_scenario(scenario, to=folder, jobs=1)
            prepare(folder, database)
            words = ("bridge", "--broker", url, "--database", str(database), "--metrics-port", "0")
            programs.start(TRIVOX, *words)
            wait_until("the bridge is connected", lambda: "connected to" in (tmp_path / "0-trivox.txt").read_text())
            said = run_scenario(scenario, broker=url)
        finally:
            programs.stop()
    assert " events of 5 consoles were acknowledged in " in said
    assert compare(folder, database) > 100


def test_without_a_broker_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.live.LIMIT_S", 0.0)
    with pytest.raises(LiveError, match=r"Nothing was acknowledged for 0 s \(.*\): is a bridge running\?"):
        run_scenario(written(tmp_path), broker="mqtt://127.0.0.1:1", days=1)


def test_more_consoles_than_the_system_lets_open_files_are_refused() -> None:
    with pytest.raises(LiveError, match="10000000000 consoles need 10000000200 open files, but the limit is "):
        allow_files(10**10)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def session(heard: list[tuple[str, bytes]]) -> tuple[Session, Wire]:
    made = Session(
        Login("trivox-shop-till-ab", "trivox/v1/shop/till/", b"gone"),
        lambda: heard.append(("up", b"")),
        lambda leaf, payload: heard.append((leaf, payload)),
        lambda why: heard.append(("down", why.encode())),
    )
    wire = Wire()
    made.connection_made(wire)  # type: ignore[arg-type]
    return made, wire


def test_a_session_takes_packets_apart_wherever_they_are_cut() -> None:
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
