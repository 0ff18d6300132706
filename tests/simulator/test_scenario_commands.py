"""Run `trivox simulate SCENARIO` as users do: where files go, what is prepared, and whether reports are as expected."""

import json
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.cli.main import build
from simulator import Run, Scenario, ScenarioError
from simulator.oracle.comparison import differences
from simulator.scenario.sites import shifts_on
from tests.simulator.scenario_check import TRIVOX, is_as_expected, reported, trivox
from tests.simulator.scenarios import HURRY, small, written
from tests.support.programs import wait_until


def simulate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [TRIVOX, "simulate", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture
def hurry(tmp_path: Path) -> str:
    (tmp_path / "hurry.toml").write_text(HURRY, encoding="utf-8")
    return "hurry.toml"


def test_files_go_into_a_new_folder_here_and_what_is_there_is_kept(hurry: str, tmp_path: Path) -> None:
    assert simulate(tmp_path, hurry).returncode == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "hurry").iterdir()}
    again = simulate(tmp_path, hurry, "--seed", "8")
    assert "events are in hurry-2. Take them in with `hurry-2/prepare.sh DATABASE`" in again.stdout
    assert {file.name: file.read_bytes() for file in (tmp_path / "hurry").iterdir()} == before
    assert {file.name for file in (tmp_path / "hurry-2").iterdir()} == before.keys()
    assert (tmp_path / "hurry-2" / "diary.ndjson").read_bytes() != before["diary.ndjson"]


@pytest.mark.long
def test_a_database_is_prepared_and_its_reports_are_checked(hurry: str, tmp_path: Path) -> None:
    said = simulate(tmp_path, hurry, "--out", "out", "--database", "shop.db")
    assert (said.returncode, said.stderr) == (0, "")
    assert f"Take them in with `{TRIVOX} ingest out/messages.ndjson --database shop.db`" in said.stdout
    database = str(tmp_path / "shop.db")
    few = simulate(tmp_path, "out", "--check", "shop.db")
    assert few.returncode == 1
    assert few.stderr.startswith(
        "trivox: The reports on shop.db are not what out expects:\n"
        "by question, question_id staff, question_revision 1 is not reported.\n"
    )
    trivox("ingest", str(tmp_path / "out" / "messages.ndjson"), "--database", database)
    right = simulate(tmp_path, "out", "--check", "shop.db")
    run = Run(tmp_path / "out")
    rows = sum(len(run.expected(*report)) for report in run.reports)
    assert (right.returncode, right.stdout) == (0, f"All {rows} rows of 13 reports are as expected.\n")
    trivox("site", "set", "shop", "--timezone", "Asia/Tokyo", "--database", database)
    wrong = run.differences(reported(run, tmp_path / "shop.db", "hour", "default"), "hour")
    assert "hour 2026-09-01T00:00+03:00, question_id staff, question_revision 1 is not reported." in wrong


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (
            ["nowhere", "--check", "shop.db"],
            1,
            "nowhere does not hold a finished run: its expected.json is missing or damaged.",
        ),
        (["--check", "shop.db"], 2, "--check is for scenarios: give a scenario, or leave this option out."),
        (
            ["quiet_branch", "--check", "shop.db", "--seed", "3"],
            2,
            "--seed cannot be used with --check: leave one out.",
        ),
        (["quiet_branch", "--speed", "real"], 2, "--speed is for a live run: add --broker, or leave this option out."),
        (["quiet_branch", "--broker", "mqtt://x", "--jobs", "2"], 2, "--jobs is for files: leave it out"),
        (["quiet_branch", "--broker", "mqtt://x", "--speed", "real", "--from", "2026-01-01"], 2, "begins today"),
        (["quiet_branch", "--out", "file"], 1, "file cannot be the run's folder (File exists): give another one."),
        (["quiet_branch", "--out", "out", "--database", "no/such.db"], 1, "could not be prepared: trivox: There is no"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(
    words: list[str], status: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("dear", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(build(), ["simulate", *words])
    assert (done.exit_code, done.stdout) == (status, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert (tmp_path / "file").read_text(encoding="utf-8") == "dear"


@pytest.mark.long
def test_shifts_of_a_long_run_are_in_files_that_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Scenario.of(small(days=7)).write(tmp_path / "whole", jobs=1)
    monkeypatch.setattr("simulator.scenario.write_side_files.SHIFTS_PER_FILE", 3)
    cut = Scenario.of(small(days=7)).write(tmp_path / "cut", database=tmp_path / "shop.db", jobs=1)
    parts = [
        (cut.folder / name).read_text("utf-8").splitlines() for name in ("shifts.csv", "shifts-2.csv", "shifts-3.csv")
    ]
    assert [len(part) for part in parts] == [4, 4, 2]
    together = [parts[0][0], *(line for part in parts for line in part[1:])]
    assert together == (whole.folder / "shifts.csv").read_text("utf-8").splitlines()
    trivox("ingest", str(cut.messages), "--database", str(tmp_path / "shop.db"))
    is_as_expected(cut.folder, tmp_path / "shop.db", rows_at_least=13)


def test_a_shift_in_the_hour_that_summer_time_skips_is_left_out(tmp_path: Path) -> None:
    shifts = {"ann": ("03:00", "04:00"), "bob": ("04:00", "05:00"), "eve": ("02:30", "03:00")}
    sellers = [{"id": name, "shifts": [{"start": start, "end": end}]} for name, (start, end) in shifts.items()]
    site = {"id": "shop", "timezone": "Europe/Sofia", "visitors": [60] * 24}
    site["checkout_points"] = [{"id": "till", "sellers": sellers}]
    tables = small(first_day=date(2026, 3, 28), days=2, site=[site])
    Scenario.of(tables).write(tmp_path / "run", database=tmp_path / "shop.db")
    lines = (tmp_path / "run" / "shifts.csv").read_text("utf-8").splitlines()[1:]
    assert [(line.split(",")[2], *line.split(",")[-2:]) for line in lines] == [
        ("eve", "2026-03-28T00:30:00+00:00", "2026-03-28T01:00:00+00:00"),
        ("ann", "2026-03-28T01:00:00+00:00", "2026-03-28T02:00:00+00:00"),
        ("bob", "2026-03-28T02:00:00+00:00", "2026-03-28T03:00:00+00:00"),
        ("eve", "2026-03-29T00:30:00+00:00", "2026-03-29T01:00:00+00:00"),
        ("bob", "2026-03-29T01:00:00+00:00", "2026-03-29T02:00:00+00:00"),
    ]


def test_a_shift_that_begins_or_ends_in_the_skipped_hour_is_cut_there() -> None:
    def worked(start: str, end: str) -> list[int]:
        shift = {"start": start, "end": end}
        till = {"id": "till", "sellers": [{"id": "ann", "shifts": [shift]}]}
        site = {"id": "shop", "timezone": "Europe/Sofia", "visitors": [60] * 24, "checkout_points": [till]}
        (planned,) = Scenario.of(small(site=[site])).plan.sites
        return [
            (shift.to_ms - shift.from_ms) // 60_000
            for shift in shifts_on(planned.posts[0], planned.zone, date(2026, 3, 29))
        ]

    assert (worked("02:00", "03:30"), worked("03:30", "05:00")) == ([60], [60])
    assert worked("03:10", "03:50") == []


def test_workers_end_quietly_when_their_parent_is_killed(tmp_path: Path) -> None:
    words = [TRIVOX, "simulate", "chain_200_sites", "--days", "300", "--jobs", "2", "--out", "out"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as program:
        messages = tmp_path / "out" / "messages.ndjson"
        wait_until("it writes", lambda: program.poll() or (messages.is_file() and messages.stat().st_size))
        program.kill()
        assert program.wait() == -signal.SIGKILL
        assert program.stderr is not None
        assert program.stderr.read() == ""  # to its end, which is that of the workers too


def test_a_script_without_a_guard_can_write(tmp_path: Path) -> None:
    lines = [
        "from simulator import Scenario",
        'run = Scenario.load("everything.toml", days=1).write("run")',
        'print("events", run.events > 0)',
    ]
    written(tmp_path)  # has several sites
    (tmp_path / "script.py").write_text("\n".join(lines), encoding="utf-8")
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "events True\n", "")


def test_a_run_is_read_again_from_its_folder(tmp_path: Path) -> None:
    made = Scenario.of(small()).write(tmp_path / "run", jobs=1)
    run = Run(tmp_path / "run")
    assert (run.events, run.title, run.from_on, run.to_on) == (made.events, "One till", "2026-03-01", "2026-03-04")
    asked = sum(entry.kind == "customer" and entry.ends != "not_asked" for entry in run.diary())
    (row,) = run.expected("console")
    assert asked == row["surveys"] > 100
    with pytest.raises(
        ScenarioError, match=r"^A run expects no report by seller \(only\); for only it expects: console\.$"
    ):
        run.expected("seller", "only")


ROW = {
    "seller_id": "ann",
    "question_id": "staff",
    "question_revision": 1,
    "surveys": 40,
    "force_majeures": 0,
    "visitors": None,
    "dissatisfaction_index": {"value": 0.25, "at_k0": 0.1, "at_k1": 0.4},
    "exact_conversion": {"value": 1 / 3},
}
NAME = "seller_id ann, question_id staff, question_revision 1"


@pytest.mark.parametrize(
    ("reported", "found"),
    [
        ([{**ROW, "low": 0.1, "notes": ["x"], "exact_conversion": {"value": 0.1 + 0.7 / 3, "low": None}}], []),
        ([], [f"{NAME} is not reported."]),
        ([ROW, ROW], [f"{NAME} is reported twice."]),
        ([{**ROW, "surveys": 41}], [f"{NAME}: surveys is 41, not 40."]),
        ([{**ROW, "visitors": 0}], [f"{NAME}: visitors is 0, not None."]),
        ([{**ROW, "exact_conversion": None}], [f"{NAME}: exact_conversion is None, not {ROW['exact_conversion']}."]),
        (
            [{**ROW, "dissatisfaction_index": {"value": 0.25, "at_k0": 0.1, "at_k1": None}}],
            [f"{NAME}: dissatisfaction_index.at_k1 is None, not 0.4."],
        ),
        ([ROW, {**ROW, "seller_id": None, "surveys": 0}], []),
        (
            [ROW, {**ROW, "seller_id": None}],
            ["seller_id None, question_id staff, question_revision 1 is reported, but nobody was there."],
        ),
    ],
)
def test_every_difference_is_a_sentence(reported: list[dict[str, Any]], found: list[str]) -> None:
    assert differences(reported, [ROW]) == found


def test_a_value_that_is_expected_to_be_none_is_none() -> None:
    few = {**ROW, "dissatisfaction_index": None}
    assert differences([ROW], [few]) == [f"{NAME}: dissatisfaction_index is {ROW['dissatisfaction_index']}, not None."]


def test_expected_json_is_what_the_readme_says(tmp_path: Path) -> None:
    Scenario.of(small()).write(tmp_path / "run", jobs=1)
    whole = json.loads((tmp_path / "run" / "expected.json").read_text("utf-8"))
    assert whole.keys() == {"title", "seed", "events", "from", "to", "reports"}
    assert all(report.keys() == {"by", "force_majeure", "rows"} for report in whole["reports"])
