"""Why a flashed console is not heard at the broker, and what a flashing that was refused leaves behind: nothing."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.ops.flash import flash_board
from bridge.ops.flash.link_problem import explain, reported_problem
from simulator.console.bare_board import BareBoard
from tests.bridge.office import Office, OfficeTill
from tests.bridge.ops.flash.desk import DEAF, NOWHERE, TILL, UNTESTED, WIFI, flash, log_of, serves
from tests.support import facts
from tests.support.certificates import make_certificates
from tests.support.command import trivox
from tests.support.mosquitto import Mosquitto
from tests.support.programs import wait_until

PlugIn = Callable[..., BareBoard]

ACCOUNT = ("technician", "known-to-the-broker")
ROOT = Path(__file__).parents[4]
CONFIG = {"wifi": {"ssid": "shop"}, "broker": {"host": "broker.example", "port": 1883}}
RAISED = re.compile(r'OSError\(\s*"([^"]+)"')


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Run a broker that lets nobody in but a technician, whose login is in `technician.toml`."""
    config = tmp_path / "technician.toml"
    config.write_text('user = "{}"\npassword = "{}"\n'.format(*ACCOUNT))
    config.chmod(0o600)
    with Mosquitto(tmp_path, account=ACCOUNT, certificates=_certificates(tmp_path)) as broker:
        yield broker


def _certificates(folder: Path) -> Path:
    make_certificates(folder)
    return folder


def at(broker: Mosquitto) -> tuple[str, ...]:
    return "--broker", f"mqtt://127.0.0.1:{broker.port}", "--config", "technician.toml"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe what a board says at once."""
    monkeypatch.setattr(flash_board, "SURE_S", 0.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("kind", "ssid", "cause"),
    [
        ("pico_w", "office", "finds no Wi-Fi office"),
        ("esp32", "shop", "the Wi-Fi shop refuses its password"),
    ],
)
def test_a_board_that_cannot_join_its_wifi_says_why(
    in_service: PlugIn, tmp_path: Path, broker: Mosquitto, kind: str, ssid: str, cause: str
) -> None:
    board = in_service(kind)
    (tmp_path / "password").write_text("guessed\n" if ssid == "shop" else "simulated\n")
    (tmp_path / "password").chmod(0o600)
    wifi = ("--wifi-ssid", ssid, "--wifi-password-file", "password")
    done = flash(tmp_path, *TILL, *wifi, *at(broker), "--port", board.port, UNTESTED)
    assert done.returncode == 1
    assert f"sofia-1/till-1 is flashed, but {'it ' if ssid == 'office' else ''}{cause}" in done.stderr
    assert 'the board says "no Wi-Fi, status' in done.stderr
    assert (done.stdout + done.stderr).count(cause) == 1
    assert "broker's address" not in done.stderr
    line = log_of(tmp_path)[-1]
    assert (line["result"], line["online"]) == ("not_heard", False)


@pytest.mark.usefixtures("impatient")
def test_a_login_that_the_broker_refuses_is_told(in_service: PlugIn, tmp_path: Path, broker: Mosquitto) -> None:
    done = flash(tmp_path, *TILL, *WIFI, *at(broker), "--port", in_service("pico_w").port, UNTESTED)
    assert done.returncode == 1
    assert "the broker refuses its login: give --database or --keys" in done.stderr
    assert "Wi-Fi" not in done.stderr


def test_each_problem_that_the_firmware_raises_is_explained() -> None:
    """No problem is told in the words that are left for what nobody has thought of."""
    sources = [ROOT / "firmware" / "console" / name for name in ("link.py", "udp.py", "mqtt.py")]
    raised = {words for source in sources for words in RAISED.findall(source.read_text())}
    passing = {"link broke", "the broker has moved", "malformed packet"}  # in a session that had begun
    about_time = {words for words in raised if "time server" in words}
    assert {"no Wi-Fi", "broker refused a subscription", "broker is silent"} <= raised
    for words in raised - passing - about_time:
        problem = reported_problem(f"link: OSError('{words}',)".replace("%d", "4"))
        assert problem is not None
        assert "could not begin a session" not in explain(problem, CONFIG), words
    assert reported_problem("self_test: press yes") is None


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("OSError('no Wi-Fi, status 15',)", "refuses its password"),
        ("OSError('no Wi-Fi, status 1001',)", "could not join the Wi-Fi shop"),
        ("OSError('broker.example has no address: check the name in console.json',)", "knows no machine broker.exam"),
        ("OSError('the name server 10.0.0.1 does not answer',)", "name server does not answer"),
        ("ValueError('\\nThe certificate validity starts in the future\\n',)", "give --ntp-host"),
        ("ValueError('\\nThe certificate is not correctly signed by the trusted CA\\n',)", "see --ca-file"),
        ("OSError(-9984, 'MBEDTLS_ERR_X509_CERT_VERIFY_FAILED')", "see --ca-file"),
        ("OSError(-30592, 'MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE')", "TLS with broker.example:1883 fails"),
        ("OSError(111,)", "nothing listens at broker.example:1883"),
        ("OSError(104,)", "broker.example:1883 cuts it off"),
        ("OSError(113, 'EHOSTUNREACH')", "broker.example:1883 does not answer"),
        ("TimeoutError()", "broker.example:1883 does not answer"),
        ("MemoryError()", "could not begin a session"),
    ],
)
def test_what_a_board_says_is_told_as_one_cause(said: str, cause: str) -> None:
    problem = reported_problem(f"link: {said}")
    assert problem is not None
    assert cause in explain(problem, CONFIG)


# paho leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_wrong_protocol_is_refused_before_any_board_is_touched(tmp_path: Path, broker: Mosquitto) -> None:
    flashing = (*TILL, *WIFI, "--config", "technician.toml", "--ca-file", "ca.pem", "--port", str(tmp_path / "none"))
    plain = flash(tmp_path, *flashing, "--broker", f"mqtt://127.0.0.1:{broker.tls_port}")
    assert (plain.returncode, plain.stdout) == (2, "")
    assert f"port {broker.tls_port} speaks TLS: give mqtts://127.0.0.1:{broker.tls_port}" in plain.stderr
    tls = flash(tmp_path, *flashing, "--broker", f"mqtts://127.0.0.1:{broker.port}")
    assert (tls.returncode, tls.stdout) == (2, "")
    assert f"port {broker.port} speaks MQTT without TLS" in tls.stderr
    assert not (tmp_path / "flashed.ndjson").exists()


@pytest.mark.usefixtures("impatient")
def test_what_was_not_checked_is_said(in_service: PlugIn, tmp_path: Path) -> None:
    board = in_service("pico_w")
    (tmp_path / "table.csv").write_text("site_id,console_id\nsofia-1,till-1\n")
    flashing = ("--csv", "table.csv", "--port", board.port, UNTESTED)
    done = flash(tmp_path, *flashing)
    assert done.returncode == 0, done.stderr
    assert "was not heard at the broker, as no --broker is given" in done.stdout
    assert "1 console of 1 flashed, not heard at the broker" in done.stdout
    assert "sofia-1/till-1: done" not in done.stdout
    mistyped = flash(tmp_path, *flashing, *DEAF, "--again")
    assert mistyped.returncode == 1
    assert "is flashed, but nothing listens at 127.0.0.1:1: start the broker, or correct --broker" in mistyped.stderr
    assert "0 consoles of 1 flashed, 1 more flashed, but not heard at the broker" in mistyped.stdout
    unheard = flash(tmp_path, *flashing, *NOWHERE)  # the log does not have it as done
    assert "was not heard at the broker, as --no-listen is given" in unheard.stdout
    assert [line["result"] for line in log_of(tmp_path)] == ["done", "not_heard", "done"]
    assert "All consoles of table.csv are done" in flash(tmp_path, *flashing, *NOWHERE).stdout
    other_broker = ("--csv", "table.csv", "--port", "none", *NOWHERE, "--broker", "mqtt://broker.example")
    assert "Plug in 1 board" in flash(tmp_path, *other_broker).stdout


def test_a_board_without_radio_is_not_waited_for(plugged: PlugIn, tmp_path: Path, broker: Mosquitto) -> None:
    done = flash(tmp_path, *TILL, *WIFI, *at(broker), "--port", plugged("pico").port, UNTESTED)
    assert done.returncode == 0, done.stderr
    assert "not heard at the broker, as it has no radio: start `trivox gateway`" in done.stdout


def deliver(board: BareBoard, office: Office) -> None:
    """Have the bridge receive what the board holds."""
    epoch, end = re.findall(r"epoch (\w+), outbox 1 to (\d+)", board.output())[-1]
    till = OfficeTill(site_id="sofia-1", epoch=epoch)
    for _ in range(int(end) + 2):  # it presses, and starts again
        till.event("button_freed", till.base_ms, button="yes")
    office.take(till)


def test_a_refused_flash_enrols_nobody(in_service: PlugIn, tmp_path: Path) -> None:
    trivox("console", "enroll", "sofia-1/till-1", "--database", "shop.db", folder=tmp_path)
    board = in_service("pico_w")
    board.press("yes")  # an event waits
    office = Office(tmp_path)
    office.database = tmp_path / "shop.db"
    health = {"epoch": "00000001", "hardware_id": "0b5e55ed"}
    topic = "trivox/v1/sofia-1/till-8/health"
    office.take_messages([{"topic": topic, "payload": health, "received_at_ms": time.time_ns() // 1_000_000}])
    till_9 = ("--site", "sofia-1", "--console", "till-9")
    port = ("--port", board.port)
    for words, sentence, starts in (  # and how often the board has started then
        ((*till_9, *port), "The Wi-Fi of sofia-1/till-9 is not known", 2),
        ((*till_9, *NOWHERE, *port), "still holds 1 event of sofia-1/till-1: let", 5),
        (
            (*TILL, "--console", "till-8", *NOWHERE, *port),
            "was heard just now from another board (0b5e55ed): unplug",
            7,
        ),
        ((*till_9, *NOWHERE, "--port", str(tmp_path / "none")), "There is no port", 7),
    ):
        refused = flash(tmp_path, *words, UNTESTED, "--database", "shop.db")
        assert refused.returncode == 1
        assert sentence in refused.stderr
        assert (refused.stdout + refused.stderr).count(sentence) == 1
        wait_until("the board serves again", lambda starts=starts: len(board.runs()) >= starts and serves(board))
    assert facts.consoles(tmp_path / "shop.db", "console_id") == ["till-1", "till-8"]
    assert [path.name for path in (tmp_path / "shop.db-keys" / "sofia-1").iterdir()] == ["till-1.json"]
    deliver(board, office)
    done = flash(tmp_path, *TILL, "--console", "tlil-1", *NOWHERE, *port, UNTESTED, "--database", "shop.db")
    assert done.returncode == 0, done.stderr
    assert log_of(tmp_path)[-1]["events_wiped"] == 0
    assert "sofia-1/tlil-1 is a new name; did you mean sofia-1/till-1?" in done.stdout
    assert "run `trivox console retire sofia-1/till-1`" in done.stdout


def test_a_board_whose_cable_is_pulled_while_it_gets_its_keys_keeps_its_enrolment(
    plugged: PlugIn, tmp_path: Path
) -> None:
    trivox("console", "enroll", "sofia-1/till-7", "--database", "shop.db", folder=tmp_path)
    board = plugged("pico_w")
    flashing = (*TILL, *NOWHERE, "--port", board.port, UNTESTED, "--database", "shop.db")
    keys = tmp_path / "shop.db-keys" / "sofia-1" / "till-1.json"
    pulled = board.pull_cable_after(6000)  # within the firmware, after console.json
    failed = flash(tmp_path, *flashing)
    assert failed.returncode == 1
    wait_until("the cable is pulled", pulled.is_set)
    issued = keys.read_bytes()
    board.power_on()
    again = flash(tmp_path, *flashing)
    assert again.returncode == 0, again.stderr
    assert keys.read_bytes() == issued


def test_a_finished_table_is_flashed_again_when_asked(in_service: PlugIn, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("site_id,console_id\nsofia-1,till-1\n")
    flashing = ("--csv", "table.csv", "--port", in_service("pico_w").port, UNTESTED)
    assert flash(tmp_path, *flashing).returncode == 0
    finished = flash(tmp_path, *flashing)
    assert finished.returncode == 0
    assert "to flash them again, add --again" in finished.stdout
    assert len(log_of(tmp_path)) == 1
    again = flash(tmp_path, *flashing, "--again")
    assert again.returncode == 0, again.stderr
    assert [line["result"] for line in log_of(tmp_path)] == ["done", "done"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--labels", "file"), "Labels cannot be written to file (file is not a folder)"),
        (("--labels", "file/labels"), "/file is not a folder): give another folder with --labels"),
        (("--log", "."), "cannot be read (Is a directory): give another file with --log"),
        (("--log", "missing/log"), "missing/log cannot be written: give another file with --log"),
        (("--log", "file"), "file is not a log of flashed boards"),
    ],
)
def test_where_nothing_can_be_recorded_no_board_is_touched(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "file").write_text("mine\n")
    done = flash(tmp_path, *TILL, *NOWHERE, "--port", str(tmp_path / "none"), *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_database_beside_keys_is_said_to_be_unused(tmp_path: Path) -> None:
    trivox("console", "keys", "keys.json", "sofia-1/till-1", "--database", "shop.db", folder=tmp_path)
    flashing = (*TILL, *NOWHERE, "--keys", "keys.json", "--database", "other.db", "--port", str(tmp_path / "none"))
    done = flash(tmp_path, *flashing)
    assert "other.db is not used: the consoles' keys come from keys.json." in done.stderr
    assert not (tmp_path / "other.db").exists()
