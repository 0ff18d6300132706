"""`trivox simulate --headless`: scripts from a pipe, what they expect, and recordings that are scripts."""

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.simulator.bench_program import LIMIT_S, headless
from tests.support.certificates import make_certificates
from tests.support.installed import installed
from tests.support.mosquitto import Mosquitto
from tests.support.programs import TRIVOX


def patient(script: str) -> str:
    """The script, with time for a busy machine wherever it waits for something to come."""
    return re.sub(
        r"^expect (?!no event)(?!.* within ).*?(?= *(#.*)?$)", r"\g<0> within 60s", script, flags=re.MULTILINE
    )


ONLINE = "expect online within 60s\n"
ANSWERED = patient("""
press seller            # he asks
expect lamp seller on
expect event survey_opened question_id=staff
expect lamp yes on
press yes 90
expect event survey_closed outcome=yes cause=answered
expect tone 1568
expect row yes
""")


def test_a_script_that_holds_ends_well(tmp_path: Path) -> None:
    script = f"""{ONLINE}{ANSWERED}
hold seller 2000
expect event force_majeure_declared
wifi off
stick no
expect event button_stuck button=no within 200ms
"""
    done = headless(script, "--folder", str(tmp_path / "bench"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "`expect event button_stuck button=no within 200ms`: No event came within 200 ms" in done.stderr
    assert done.stderr.count("\n") == 1
    again = headless(f"{ONLINE}press yes\nexpect event stray_pressed reason=no_survey within 60s\nstate\n")
    assert (again.returncode, again.stderr) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in again.stdout.splitlines())
    assert (facts["power"], facts["wifi"], facts["stuck"], facts["status"]) == ("on", "on", "none", "online")


def test_power_flash_and_network_can_be_controlled() -> None:
    script = f"""{ONLINE}
press seller
expect event survey_opened
power cut 1 0.5
press yes
expect power off
press no                # nobody hears it
power on
expect power on
expect event booted reset=power_on within 60s
wifi off
press seller
expect no event within 300ms
wifi on
expect event survey_opened within 60s
link off
press cant_say
expect no event within 300ms
link on
expect event survey_closed outcome=cant_say within 60s
expect row error
expect row cant_say
flash fill 0
press no
expect event stray_pressed button=no reason=already_answered within 60s
flash free
bounce seller 150
expect event survey_opened
step 21s
expect event survey_closed outcome=silent cause=expired
power cut
expect lamp yes off
"""
    done = headless(patient(script))
    assert (done.returncode, done.stderr) == (0, "")


def test_each_bad_line_is_reported_in_one_sentence() -> None:
    lines = {
        "pres yes": "There is no command pres; `help` lists them.",
        "press": "Usage: press BUTTON [TIME]",
        "press maybe": "There is no button maybe",
        "press yes soon": "soon is not a time",
        "press yes 100 200": "Usage: press BUTTON [TIME]",
        "wifi perhaps": "perhaps is neither on nor off.",
        "power": "Usage: power on|cut [N [SHARE]]",
        "press 'yes": "This line can't be read",
        "expect": "Usage: expect WHAT [within TIME]",
        "expect lamp yes": "Usage: expect lamp BUTTON on|off",
        "expect row maybe": "Usage: expect row OUTCOME; OUTCOME: yes, no, cant_say, silent, error",
        "state now": "Usage: state",
        "quit now": "Usage: quit",
        "прес yes": "There is no command прес",
        "expect lamp yes on within": "Usage: expect WHAT [within TIME]",
        "expect event foo": "Usage: expect event TYPE [NAME=VALUE ...]; TYPE: booted, clock_set,",
        "press yes 0": "0 is too short for a press; the shortest is 1ms.",
        "bounce yes 0s": "0s is too short for a press",
        "expect event survey_opened 5": "5 is not a pair: write NAME=VALUE.",
        "expect event survey_opened within 10ms": "No event came within 10 ms; expected survey_opened.",
        "expect lamp yes on within 10ms": "This did not hold within 10 ms: lamp yes on.",
        "settings survey_window_ms=1": "survey_window_ms",
        "record end": "No recording is running; start one with `record begin`.",
        "dan\x1b[2Jce": "There is no command dan\\x1b[2Jce; `help` lists them.",
    }
    done = headless(ONLINE + "\n".join(lines) + "\n# a remark\n\nquit\npress nobody\n")
    assert done.returncode == 1
    told = done.stderr.splitlines()
    for place, (line, sentence) in enumerate(lines.items()):
        assert f"line {place + 2}, `{line}`: ".replace("\x1b", "\\x1b") in told[place]
        assert sentence in told[place]
    assert len(told) == len(lines)


def test_a_script_that_is_late_keeps_its_pace(tmp_path: Path) -> None:
    """What waits for power is not done before the stall is over, however long the lines before took."""
    script = f"""{ONLINE}
at 0
wait 4s                 # much longer than what follows allows for
at 100
stall 2000
at 400
power cut 1 0.5
at 600
press no
at 3500
power on                # would find power on without the pace, and power would go afterwards
at 4500
expect power on
press yes
expect event booted within 60s
expect event stray_pressed button=yes within 60s
"""
    done = headless(script, "--folder", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


def test_who_waits_is_told_when_it_is_ready_and_may_end_it_between_lines() -> None:
    words = [TRIVOX, "simulate", "--headless"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr
        assert program.stderr.readline().startswith("The bench is ready: type a command")
        program.send_signal(signal.SIGINT)
        assert program.wait(LIMIT_S) == 0
        assert program.stderr.read() == ""


@pytest.mark.parametrize("line", ["wait 100s", "step 3000d", "hold yes 100s"])
def test_a_script_that_is_interrupted_has_not_held(line: str) -> None:
    words = [TRIVOX, "simulate", "--headless"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin
        assert program.stdout
        assert program.stderr
        program.stdin.write(f"help\n{line}\n")
        program.stdin.flush()
        assert program.stdout.readline().startswith("press BUTTON")
        program.send_signal(signal.SIGINT)
        assert program.wait(LIMIT_S) == 1
        assert program.stderr.read() == "trivox: The program was told to end.\n"


@pytest.mark.long
def test_a_board_without_radio_speaks_through_the_gateway() -> None:
    script = f"""{ONLINE}{ANSWERED}
link off
press no
expect no event within 1s
link on
expect event stray_pressed button=no within 60s
power cut
power on
expect event booted within 60s
wifi off
"""
    done = headless(patient(script), "--board", "pico")
    assert done.stderr.endswith("`wifi off`: The board pico has no radio.\n")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr


def test_the_outbox_is_known_without_a_network() -> None:
    script = f"""{ONLINE}
press yes               # when that has arrived, clock and settings have too
expect event stray_pressed button=yes within 60s
expect outbox 0 within 60s
wifi off
press no
expect outbox 1
state
press yes
expect outbox 2
wifi on
expect outbox 0 within 60s
expect outbox 1 within 10ms
"""
    done = headless(script)
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert re.fullmatch(r"(\d+) to \1 wait, next \d+, epoch [0-9a-f]{8}", facts["outbox"]), done.stdout
    assert done.stderr.splitlines() == [
        "trivox: line 14, `expect outbox 1 within 10ms`: This did not hold within 10 ms: outbox 1."
    ]


@pytest.mark.long
def test_a_recorded_session_is_a_test(tmp_path: Path) -> None:
    late = "wait 400ms\nhold no\nwait 100ms\nrelease no\nwait 1s\n"
    script = f"{ONLINE}record begin\nwait 300ms\n{ANSWERED}{late}record end\n"
    done = headless(script, "--folder", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = (tmp_path / "recordings").iterdir()
    assert done.stdout.splitlines()[-1] == f"Saved as {file}"
    recorded = file.read_text()
    assert "expect event survey_closed outcome=yes cause=answered" in recorded
    assert "expect event stray_pressed button=no reason=already_answered" in recorded
    again = headless(recorded)
    assert (again.returncode, again.stderr) == (0, ""), recorded
    broken = headless(recorded.replace("press yes 90", "press cant_say 90"))
    assert broken.returncode == 1
    assert "The next event is survey_closed outcome=cant_say" in broken.stderr


def test_a_recording_is_kept_when_the_folder_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = headless("record begin\npress seller\nrecord end\n")
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = tmp_path.iterdir()
    assert done.stdout.splitlines()[-1] == f"Saved as {file}"
    assert "\npress seller\n" in file.read_text()


def test_the_readmes_script_holds(tmp_path_factory: pytest.TempPathFactory) -> None:
    readme = (Path(__file__).parents[2] / "simulator/README.md").read_text("utf-8")
    (script,) = re.findall(r"--headless <<'END'\n(.*?)END\n", readme, re.DOTALL)
    done = headless(script, place=installed(tmp_path_factory))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broker_with_tls_and_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = make_certificates(tmp_path)
    monkeypatch.setenv("TRIVOX_MQTT_USER", "bench")
    monkeypatch.setenv("TRIVOX_MQTT_PASSWORD", "pass: /word")
    with Mosquitto(tmp_path, account=("bench", "pass: /word"), certificates=tmp_path) as broker:
        options = ["--broker", f"mqtts://localhost:{broker.tls_port}", "--ca-file", str(authority)]
        done = headless(f"{ONLINE}press no\nexpect event stray_pressed within 60s\n", *options)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--board", "pico_x"], "There is no board pico_x for the bench; use one of unix, esp32, pico_w, pico."),
        (["--broker", "http://127.0.0.1"], "http://127.0.0.1 is not a broker's address"),
        (["--broker", "mqtts://127.0.0.1"], "--broker mqtts://HOST:PORT and --ca-file FILE go together"),
        (["--ca-file", "/dev/null"], "--broker mqtts://HOST:PORT and --ca-file FILE go together"),
        (["--broker", "mqtts://127.0.0.1", "--ca-file", "/nowhere"], "/nowhere does not exist"),
    ],
)
def test_an_impossible_start_is_reported(options: list[str], sentence: str) -> None:
    done = headless("state\n", *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"trivox: {sentence}")
