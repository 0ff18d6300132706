"""Test the `trivox` command as a whole: exit statuses, sentences, backup, doctor and the list of consoles."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.support import facts, forked, planted
from tests.support.command import trivox

NINE = at("2026-11-02T09:00+00:00")


def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from bridge.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_program_itself_ends_with_the_right_status(tmp_path: Path) -> None:
    database = str(tmp_path / "trivox.db")
    done = run_program("site", "set", "demo", "--timezone", "UTC", "--database", database)
    assert (done.returncode, done.stderr) == (0, "")
    wrong = run_program("report", "--by", "nothing")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    could_not = run_program("console", "enroll", "demo/till-1", "--database", str(tmp_path / "nowhere" / "other.db"))
    assert (could_not.returncode, could_not.stdout, could_not.stderr.count("\n")) == (1, "", 1)
    assert run_program("--version").stdout.startswith("trivox ")


@pytest.mark.parametrize("arguments", [(), ("report", "--help"), ("question",)])
def test_help_is_shown(arguments: tuple[str, ...]) -> None:
    result = forked.run(*arguments)
    assert "Usage: trivox" in result.stdout + result.stderr


@pytest.mark.parametrize("arguments", [("dance",), ("--loud",), ("report", "--loud"), ("site", "set")])
def test_wrong_usage_is_one_sentence_that_says_where_to_look(office: Office, arguments: tuple[str, ...]) -> None:
    result = office.run(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("trivox: ")
    assert result.err.count("\n") == 1
    assert "--help" in result.err


@pytest.mark.parametrize("command", ["report", "gateway", "console flash", "settings set", "simulate", "backup"])
def test_a_hint_names_the_help_of_the_command_itself(command: str) -> None:
    option = {"gateway": "--port", "console flash": "--wait", "simulate": "--seed"}.get(command, "--database")
    mistakes: list[tuple[str, ...]] = [("--nope",), (option,)]
    mistakes += [(option, "many")] if option in {"--wait", "--seed"} else []
    for words in mistakes:
        result = trivox(*command.split(), *words)
        assert result.returncode == 2
        assert result.stderr.endswith(f": see `trivox {command} --help`.\n")
        assert "range" not in result.stderr


def test_a_damaged_database_is_reported_in_one_sentence(office: Office) -> None:
    office.database.write_bytes(b"This is no database, it is a letter to the manager." * 100)
    result = office.run("report", "--from", "2026-11-01", "--to", "2026-12-01")
    assert result.status == 1
    assert "trivox backup" in result.err
    assert result.err.count("\n") == 1


def test_a_backup_holds_everything_and_only_its_owner_may_read_it(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=40)
    office.take(till)
    copy = office.folder / "copy.db"
    office.do("backup", copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in office.folder.glob("copy*")) == ["copy.db"]
    before = office.rows("site")
    for left in office.folder.glob("trivox.db*"):
        left.unlink()
    shutil.copy(copy, office.database)
    assert office.rows("site") == before
    again = office.run("backup", copy)
    assert again.status == 1
    assert "there already" in again.err
    assert office.run("backup", office.folder / "no" / "copy.db").status == 1


def test_reading_goes_on_while_somebody_writes(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=40)
    office.take(till)
    with planted.half_written(office.database):
        office.do("console", "list")
        office.do("backup", office.folder / "copy.db")
        office.do("question", "list")
        assert "All is well" in office.do("doctor") or "to look at" in office.do("doctor")
        assert office.rows("site")[0]["surveys"] == 40


def test_doctor_finds_losses_rejects_and_the_silent(office: Office) -> None:
    till = OfficeTill()
    till.surveys(NINE, yes=4)
    messages = till.messages()
    messages[0]["payload"]["events"][2] = {"type": "danced", "boot": 1, "up_ms": 5, "at_ms": None}
    later = OfficeTill()
    later.surveys(NINE + 60 * MINUTE_MS, yes=1)
    (lost,) = later.messages()
    lost["payload"] |= {"first": 14, "base": 14}
    lost["payload"]["events"] = lost["payload"]["events"][:1]
    office.take_messages([*messages, lost])
    text = office.do("doctor")
    assert "Console demo/till-1 lost 5 events for good" in text  # 9 to 13
    assert "Rejected as unknown type: 1" in text
    assert "Console demo/till-1 is silent" in text


def test_doctor_tells_two_boards_from_one_that_was_replaced(office: Office) -> None:
    def booted(till: OfficeTill, at_ms: int) -> None:
        till.event("booted", at_ms, reset="power_on", firmware="1", board="esp32", hardware_id=till.hardware_id)

    old, new = (OfficeTill(epoch=epoch, hardware_id=board) for epoch, board in (("0000000a", "aa"), ("0000000b", "bb")))
    booted(old, NINE)
    office.take(old)
    booted(new, NINE + MINUTE_MS)
    new.survey(NINE + 2 * MINUTE_MS, "yes")
    office.take(new)
    assert "Two boards" not in office.do("doctor")
    old.survey(NINE + 3 * MINUTE_MS, "yes")
    office.take(old)
    text = office.do("doctor")
    assert "Two boards (aa and bb) use the console id demo/till-1 at once" in text
    assert office.rows("console")[0]["surveys"] == 2  # kept apart, both counted


def test_doctor_recognises_two_boards_by_their_health_messages(office: Office) -> None:
    def said(hardware_id: str, minute: int) -> None:
        payload = {"hardware_id": hardware_id, "epoch": "0000000a"}
        at_ms = NINE + minute * MINUTE_MS
        office.take_messages([{"topic": "trivox/v1/demo/till-1/health", "payload": payload, "received_at_ms": at_ms}])

    for minute, board in enumerate(("aa", "aa", "bb", "bb", "aa")):  # exchanged, and put back
        said(board, minute)
    assert "Two boards" not in office.do("doctor")
    said("bb", 5)
    assert "Two boards (aa and bb) use the console id demo/till-1 at once" in office.do("doctor")


def test_doctor_and_list_show_what_health_says(office: Office) -> None:
    now_ms = time.time_ns() // 1_000_000
    till = OfficeTill()
    till.survey(NINE, "yes")
    faulty = {
        "topic": "trivox/v1/demo/till-1/health",
        "payload": {
            "epoch": till.epoch,
            "hardware_id": "c0ffee",
            "firmware": "1.0.0",
            "board": "esp32",
            "at_ms": now_ms - 3_600_000,
            "outbox": {"first": 41, "next": 57},
            "settings_revision": 0,
            "faults": ["flash", "stuck:yes"],
        },
        "received_at_ms": now_ms,
    }
    online = {"topic": "trivox/v1/demo/till-1/status", "payload": {"state": "online"}, "received_at_ms": now_ms}
    office.take_messages([*till.messages(), faulty, online])
    text = office.do("doctor")
    assert "reports the fault flash: it works from RAM" in text
    assert "reports the fault stuck:yes: free the button" in text
    assert "clock of console demo/till-1 is 3600 s behind" in text
    assert "is silent" not in text
    listed = office.do("console", "list")
    for word in ("demo", "till-1", "online", "1.0.0", "esp32", "c0ffee", "16", "flash, stuck:yes"):
        assert word in listed


def test_damage_inside_the_database_is_reported_and_not_copied(office: Office) -> None:
    till = OfficeTill()
    till.surveys(at("2026-11-03T09:00+00:00"), yes=500)
    office.take(till)
    planted.overwrite(office.database, 8192, 60_000)
    doctor = office.run("doctor")
    assert "damaged" in doctor.out + doctor.err
    assert "trivox doctor" not in doctor.out + doctor.err
    copied = office.run("backup", office.folder / "copy.db")
    assert (copied.status, copied.err.count("\n")) == (1, 1)
    assert "damaged" in copied.err
    assert not (office.folder / "copy.db").exists()


def test_another_programs_database_is_left_alone(office: Office) -> None:
    planted.of_another_program(office.database)
    result = office.run("site", "set", "demo", "--timezone", "Europe/Sofia")
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert facts.tables(office.database) == ["foo"]
