"""Check what a scenario writes: the same for the same seed, and a bridge reports from it exactly what is expected."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from simulator.oracle.surveys import strays
from simulator.people.diary import Diary
from simulator.scenario.scenario import Scenario
from simulator.scenario.write_files import Worker
from tests.schema.schemas import validator
from tests.simulator.scenario_check import TRIVOX, is_as_expected, take_in
from tests.simulator.scenarios import written

FILES = (
    *("messages.ndjson", "diary.ndjson", "expected.json", "shifts.csv", "sites.csv", "checkout_points.csv"),
    "prepare.sh",
)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_the_same_seed_gives_the_same_bytes_for_any_number_of_processes(tmp_path: Path) -> None:
    scenario = written(tmp_path)
    made = []
    for number, (jobs, hash_seed) in enumerate((("1", "1"), ("2", "2"), ("3", "3"))):
        folder = tmp_path / str(number)
        words = [TRIVOX, "simulate", str(scenario), "--out", str(folder), "--jobs", jobs]
        subprocess.run(
            words, check=True, capture_output=True, timeout=120, env={**os.environ, "PYTHONHASHSEED": hash_seed}
        )
        made.append(contents(folder))
    assert made[0] == made[1] == made[2]
    Scenario.load(scenario, seed=10).write(tmp_path / "other", jobs=1)
    assert contents(tmp_path / "other")["messages.ndjson"] != made[0]["messages.ndjson"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    Scenario.load(written(folder)).write(folder / "out", jobs=1)
    return folder / "out"


def messages(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "messages.ndjson").read_text("utf-8").splitlines()]


def test_a_bridge_reports_what_is_expected(filled: Path, tmp_path: Path) -> None:
    database = tmp_path / "trivox.db"
    output = take_in(filled, database)
    assert ", 0 in conflict, 0 rejected; 0 messages could not be read." in output
    assert " 0 known before" not in output  # acknowledgements were lost
    is_as_expected(filled, database)


def test_the_messages_hold_everything_that_the_scenario_asks_for(filled: Path) -> None:
    batches = [message["payload"] for message in messages(filled) if message["topic"].endswith("/events")]
    events = [event for batch in batches for event in batch["events"]]
    kinds = Counter(event["type"] for event in events)
    assert kinds.keys() >= {
        *("booted", "clock_set", "settings_applied", "survey_opened", "survey_closed", "stray_pressed"),
        *("force_majeure_declared", "button_stuck", "button_freed"),
    }
    assert {event["cause"] for event in events if "cause" in event} == {"answered", "expired", "superseded"}
    assert {event.get("reason") for event in events} >= {"no_survey", "already_answered", "guard"}
    assert any(event["at_ms"] is None and event["type"] == "survey_opened" for event in events)
    assert {event["source"] for event in events if event["type"] == "clock_set"} == {"ntp", "bridge"}


def test_every_message_follows_its_schema(filled: Path) -> None:
    sent = messages(filled)
    leaves = {leaf: validator(leaf) for leaf in ("events", "counts", "status", "health")}
    assert {message["topic"].rpartition("/")[2] for message in sent} == leaves.keys()
    for message in sent[:: len(sent) // 100]:
        leaves[message["topic"].rpartition("/")[2]].validate(message["payload"])


def test_stray_presses_are_those_of_the_diary(filled: Path) -> None:
    diary = Diary.read((filled / "diary.ndjson").read_text("utf-8").splitlines())
    first: dict[tuple[str, str, int], dict[str, Any]] = {}
    for message in messages(filled):
        if message["topic"].endswith("/events"):
            for number, event in enumerate(message["payload"]["events"], message["payload"]["base"]):
                first[message["topic"], message["payload"]["epoch"], number] = event
    sent = Counter((event["button"], event["reason"]) for event in first.values() if event["type"] == "stray_pressed")
    plan = Scenario.load(filled.parent / "everything.toml").plan
    assert sent == strays(diary, plan.setup.rules)


def rows_by_seller(name: str) -> tuple[dict[str, dict[str, Any]], list[Any]]:
    worker = Worker(Scenario.load(name, days=14).plan, 0, 1)
    outputs = list(worker.outputs())
    return {row["seller_id"]: row for row in worker.totals.rows(("seller",), "with")}, outputs


def test_each_gaming_seller_shows_in_the_data() -> None:
    rows, outputs = rows_by_seller("gaming_sellers")
    honest = rows["honest"]

    def share(seller: str, answer: str) -> float:
        return float(rows[seller][answer] / rows[seller]["surveys"])

    assert rows["forgets"]["exact_conversion"]["value"] < 0.6
    assert 0.95 < honest["exact_conversion"]["value"] <= 1
    assert share("picks", "no") < share("honest", "no") / 3
    assert share("presses", "yes") > share("honest", "yes") * 1.3
    assert rows["excuses"]["force_majeures"] > 0.9 * rows["excuses"]["no"] > 10 * honest["force_majeures"]
    lines = [json.loads(line) for output in outputs for line in output.messages.splitlines()]
    closes: dict[str, list[dict[str, Any]]] = {}
    counts: dict[tuple[str, bool], list[int]] = {}
    for line in lines:
        if line["topic"].endswith("/events"):
            closes.setdefault(line["topic"].split("/")[3], []).extend(line["payload"]["events"])
        elif line["payload"].get("kind") == "transactions":
            hour = (line["payload"]["from_ms"] // 3_600_000 + 2) % 24  # of Sofia in winter
            counts.setdefault((line["payload"]["seller_id"], hour in {12, 17}), []).append(line["payload"]["count"])
    quick = [event for event in closes["console-till-d"] if event.get("response_ms", 9999) < 500]
    assert len(quick) > 100
    assert not [event for event in closes["console-till-a"] if event.get("response_ms", 9999) < 500]
    asked: Counter[bool] = Counter()
    for event in closes["console-till-c"]:
        if event["type"] == "survey_opened":
            asked[(event["at_ms"] // 3_600_000 + 2) % 24 in {12, 17}] += 1
    conversion = {unhappy: asked[unhappy] / sum(counts["picks", unhappy]) for unhappy in (True, False)}
    assert conversion[True] < conversion[False] - 0.15
    follows = 0
    before: dict[str, Any] = {}
    for event in closes["console-till-e"]:
        if event["type"] == "force_majeure_declared" and before.get("outcome") == "no":
            follows += event["up_ms"] - before["up_ms"] < 10_000
        before = event if event["type"] == "survey_closed" else before
    assert follows > 0.85 * rows["excuses"]["no"]
