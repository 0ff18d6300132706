"""Check what a scenario writes: the same for the same seed, and a bridge reports from it exactly what is expected."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from simulator.oracle.surveys import strays
from simulator.people.diary import Diary, DiaryEntry
from simulator.scenario.run_folder import Run
from simulator.scenario.scenario import Scenario
from tests.schema.schemas import validator
from tests.simulator.scenario_check import TRIVOX, is_as_expected, take_in, trivox
from tests.simulator.scenarios import written

FILES = (
    *("messages.ndjson", "diary.ndjson", "expected.json", "shifts.csv", "sites.csv", "checkout_points.csv"),
    *("prepare.sh", "truth.json", "rewritten_shifts.csv"),
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
    shifts = json.loads(trivox("history", "--kind", "shift", "--json", "--database", str(database)))
    rewritten = [change for change in shifts if change["before"] is not None]
    acts = [cheat["acts"] for seller in Run(filled).truth() for cheat in seller["cheats"] if cheat["cheat"] == REWRITES]
    assert len(rewritten) == sum(acts) > 5


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


GAMING_DAYS = 14
REWRITES = "rewrites_shifts"


@pytest.fixture(scope="module")
def gaming(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two weeks of the sellers who game the console."""
    return Scenario.load("gaming_sellers", days=GAMING_DAYS).write(tmp_path_factory.mktemp("gaming") / "out", jobs=1)


@pytest.fixture(scope="module")
def entries_of(gaming: Run) -> dict[str, list[DiaryEntry]]:
    """What happened, by seller who truly worked there."""
    sellers: dict[str, str] = {}
    entries: dict[str, list[DiaryEntry]] = {}
    for entry in gaming.diary():
        if entry.kind == "shift":
            sellers[entry.console_id] = entry.seller_id
        entries.setdefault(sellers[entry.console_id], []).append(entry)
    return entries


def test_each_gaming_seller_shows_in_the_reports(gaming: Run) -> None:
    rows = {row["seller_id"]: row for row in gaming.expected("seller")}
    fair = [row for seller_id, row in rows.items() if seller_id.startswith("fair")]
    assert len(fair) == 24
    assert len(rows) == 34

    def usual(figure: Callable[[dict[str, Any]], float]) -> float:
        return sum(figure(row) for row in fair) / len(fair)

    def conversion(row: dict[str, Any]) -> float:
        return float(row["exact_conversion"]["value"])

    def share(outcome: str) -> Callable[[dict[str, Any]], float]:
        return lambda row: float(row[outcome] / (row["surveys"] + row["error"]))

    assert conversion(rows["forgets"]) < 0.6
    assert 0.8 < usual(conversion) < 1
    assert conversion(rows["skips"]) < usual(conversion) - 0.05
    assert share("no")(rows["picks"]) < usual(share("no")) / 3
    assert min(share("yes")(rows[name]) for name in ("presses", "waits")) > usual(share("yes")) * 1.3
    assert conversion(rows["ghosts"]) > usual(conversion) + 0.08
    assert rows["excuses"]["force_majeures"] > 5 * max(row["force_majeures"] for row in fair)
    assert rows["spoils"]["force_majeures"] > 3 * max(row["force_majeures"] for row in fair)
    assert rows["unplugs"]["error"] > 30
    assert not any(row["error"] for row in fair)
    moved = rows["rewrites"]["surveys"] / usual(lambda row: row["surveys"])
    assert 0.7 < moved < 0.95


def test_the_truth_tells_who_cheated_how_and_how_often(gaming: Run, entries_of: dict[str, list[DiaryEntry]]) -> None:
    """Count acts and opportunities in the diary, and compare them with truth.json."""
    sellers = {seller["seller_id"]: seller for seller in gaming.truth()}
    done = {seller_id: Counter(entry.cheat for entry in entries_of[seller_id]) for seller_id in sellers}
    for seller_id, seller in sellers.items():
        assert seller["cheats"] == [] if seller_id.startswith(("fair", "forgets")) else len(seller["cheats"]) == 1
        assert done[seller_id].keys() - {""} == {cheat["cheat"] for cheat in seller["cheats"]}
    cheats = {seller_id: seller["cheats"][0] for seller_id, seller in sellers.items() if seller["cheats"]}
    for seller_id, cheat in cheats.items():
        if seller_id != "rewrites":  # one shift, two moved parts
            assert cheat["acts"] == done[seller_id][cheat["cheat"]], seller_id
        assert abs(cheat["acts"] / cheat["opportunities"] - cheat["share"]) < 0.15, seller_id
        assert cheat["months"] == {"2026-02": {name: cheat[name] for name in ("acts", "opportunities")}}
    assert cheats["rewrites"]["opportunities"] == GAMING_DAYS
    assert done["rewrites"]["rewrites_shifts"] == 2 * cheats["rewrites"]["acts"]
    customers = {
        seller_id: [entry for entry in entries if entry.kind == "customer"] for seller_id, entries in entries_of.items()
    }
    asked = {seller_id: [entry for entry in some if entry.ends != "not_asked"] for seller_id, some in customers.items()}

    def count(entries: list[DiaryEntry], **fields: str) -> int:
        return sum(all(getattr(entry, name) == value for name, value in fields.items()) for entry in entries)

    assert cheats["presses"]["opportunities"] == count(asked["presses"], wanted="silent")
    assert cheats["unplugs"]["opportunities"] == count(asked["unplugs"], wanted="no")
    assert cheats["picks"]["opportunities"] == count(asked["picks"], wanted="no") + cheats["picks"]["acts"]
    assert cheats["spoils"]["acts"] <= count(asked["spoils"], wanted="no", ends="answered")


def test_cheats_are_pressed_when_the_cheat_would_press(entries_of: dict[str, list[DiaryEntry]]) -> None:
    def of(seller_id: str, cheat: str) -> list[DiaryEntry]:
        return [entry for entry in entries_of[seller_id] if entry.cheat == cheat]

    def answered_after_ms(entry: DiaryEntry) -> int:
        assert [press.why for press in entry.presses][-1] == "answer_by_seller"
        return entry.presses[-1].at_ms - entry.presses[0].at_ms

    assert all(300 <= answered_after_ms(entry) < 600 + 200 for entry in of("presses", "presses_yes"))
    waited = [answered_after_ms(entry) for entry in of("waits", "presses_yes")]
    assert 3000 <= min(waited) < 3200
    assert 4300 < max(waited) <= 4500
    for entry in of("ghosts", "ghosts"):
        assert (entry.kind, entry.bought, entry.visitors, entry.opens_survey) == ("ghost", False, 0, True)
        assert 2000 <= answered_after_ms(entry) <= 9000
    for entry in of("spoils", "force_majeure_while_unhappy"):
        ask, *_, declared, answer = [press for press in entry.presses if press.why not in {"again", "late_answer"}]
        assert ask.at_ms < declared.at_ms < answer.at_ms
        assert (declared.why, answer.button, declared.held_ms >= 1500) == ("force_majeure", "no", True)
    for entry in of("unplugs", "pulls_plug"):
        assert [press.why for press in entry.presses] == ["ask", "power_cut"]
        assert (entry.wanted, entry.ends) == ("no", "cut_off")
    for entry in of("excuses", "force_majeure_after_no"):
        assert entry.kind == "force_majeure"
    for seller_id, cheat in (("picks", "asks_unhappy"), ("skips", "asks_in_unhappy_hours")):
        assert {entry.ends for entry in of(seller_id, cheat)} == {"not_asked"}
    sofia = ZoneInfo("Europe/Sofia")
    skipped = {datetime.fromtimestamp(entry.at_ms / 1000, sofia).hour for entry in of("skips", "asks_in_unhappy_hours")}
    assert skipped <= {12, 13, 17, 18}  # who came near the end of such an hour may be served after it
    assert {12, 17} <= skipped
