"""A fleet's console and a MicroPython console emit the same events for the same presses.

The whole real console lives in virtual time that goes on while it is busy, so its contacts come some milliseconds
late: times may differ a little, by less than people keep away from any boundary. If only the survey table and events
run under MicroPython, they get exact milliseconds, and every time is the same too.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from at_once import read_batch
from mini_broker import MiniBroker

from simulator.console.console import Console
from simulator.console.micropython import command
from simulator.console.pinmap import FIRMWARE
from simulator.people.diary import DiaryEntry, Press
from simulator.scenario.console_day import ConsoleDay
from simulator.scenario.file import read
from simulator.scenario.fleet_console import BUTTONS, Fleet, FleetConsole
from simulator.scenario.sites import planned_sites
from tests.support.programs import wait_until
from tests.support.seeds import seeded

BUSY = {
    "title": "Everything at once",
    "first_day": date(2026, 3, 2),
    "days": 1,
    "customers": {"odd": {"yes": 1, "no": 1, "cant_say": 1, "silent": 2, "late_answer": 0.3, "stray": 0.3}},
    "temperaments": {
        "odd": {"force_majeure": 0.1, "force_majeure_during": 0.1, "presses_twice": 0.3, "presses_yes": 0.2}
        | {"presses_yes_after_s": [0.3, 5], "ghosts": 0.1, "force_majeure_while_unhappy": 0.3}
    },
    "faults": {"sticky": {"stuck_buttons_per_day": 2}},
    "site": [
        {
            "id": "shop",
            "visitors": [400] * 24,
            "customers": "odd",
            "faults": "sticky",
            "checkout_points": [
                {
                    "id": "till",
                    "sellers": [{"id": "ann", "temperament": "odd", "shifts": [{"start": "10:00", "end": "11:30"}]}],
                }
            ],
        }
    ],
}
CHUNK = 60
LATE_MS = 2000  # MicroPython's clock goes on while it works, and the machine may be busy
POWER_MS = 60_000  # from power on to the first press
STAGE = """
import json, sys
from console import events
from console.settings import Settings
from console.survey import SurveyTable
table, survey, seq, offset = SurveyTable(Settings()), None, FIRST, OFFSET
def settle(up_ms):
    global survey, seq
    fact = table.take(up_ms)
    while fact is not None:
        print(json.dumps(events.event(fact, 1, fact[events.UP_MS] + offset, survey), separators=(",", ":")))
        if fact[events.TYPE] == events.SURVEY_OPENED:
            survey = seq
        seq += 1
        fact = table.take(up_ms)
for line in sys.stdin:
    button, up_ms, held_ms = [int(word) for word in line.split()]
    settle(up_ms - 1)
    table.press(button, up_ms)
    table.release(button, up_ms + held_ms)
settle(up_ms + held_ms + 60000)
"""


@pytest.fixture
def broker() -> Iterator[MiniBroker]:
    made = MiniBroker()
    yield made
    made.close()


def entries(seed: int) -> list[DiaryEntry]:
    site = planned_sites(read(BUSY, "test"), "test")[0]
    day = ConsoleDay(site, site.posts[0], date(2026, 3, 2), seed)
    return [entry for entry in day.stream() if entry.presses]


def edges(presses: list[Press]) -> list[tuple[int, str, bool]]:
    """Return contacts and breaks, each with the ms since the one before."""
    moments = [(press.at_ms, press.button, True) for press in presses]
    moments += [(press.until_ms, press.button, False) for press in presses]
    moments.sort()
    made, before_ms = [], moments[0][0] - 2000
    for at_ms, button, on in moments:
        made.append((at_ms - before_ms, button, on))
        before_ms = at_ms
    return made


def real_events(presses: list[Press], broker: MiniBroker, folder: Path) -> list[dict[str, Any]]:
    plan: list[tuple[int, str | None, bool]] = [*edges(presses), (60_000, None, False)]
    with Console(folder, broker=f"mqtt://127.0.0.1:{broker.port}") as console:
        wait_until("it is connected", lambda: broker.health)
        for at in range(0, len(plan), CHUNK):
            console.hurry(plan[at : at + CHUNK])

        def is_settled() -> bool:
            console.hurry([(4000, None, False)])
            outbox = broker.health["outbox"]
            return bool(outbox["first"] == outbox["next"] > 10)

        wait_until("all is acknowledged", is_settled)
    assert not broker.bridge.conflicts
    return [event for _, event in sorted(broker.bridge.events.items())]


def fleet_texts(happened: list[DiaryEntry]) -> list[str]:
    fleet = Fleet()
    console = FleetConsole(fleet, fleet.settings(), "00000001", "0" * 12)
    console.power_on(happened[0].at_ms - POWER_MS)
    for entry in happened:
        console.play(entry)
    console.settle(happened[-1].until_ms + 60_000)
    return read_batch(console.outbox, 1, 10_000)[1]


def of_presses(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of presses, with times since the event before, and surveys numbered from the first event on."""
    survey_events = [event for event in events if event["type"] not in {"booted", "clock_set", "settings_applied"}]
    before_ms = survey_events[0]["up_ms"]
    others = len(events) - len(survey_events)
    for event in survey_events:
        up_ms = event["up_ms"]
        event.pop("at_ms")
        if "opened_up_ms" in event:
            event["opened_up_ms"] = up_ms - event["opened_up_ms"]
        if event.get("survey"):
            event["survey"] -= others
        event["up_ms"] -= before_ms
        before_ms = up_ms
    return survey_events


def same(one: Any, other: Any, name: str) -> bool:
    if name in {"up_ms", "opened_up_ms", "response_ms"}:
        return abs(one - other) <= LATE_MS
    return bool(one == other)


def test_the_same_presses_make_the_same_events(broker: MiniBroker, tmp_path: Path) -> None:
    happened = entries(seeded("presses").randrange(1 << 24))
    presses = [press for entry in happened for press in entry.presses]
    assert len(presses) > 100
    real = of_presses(real_events(presses, broker, tmp_path))
    fleets = of_presses([json.loads(text) for text in fleet_texts(happened)])
    for theirs, ours in zip(real, fleets, strict=False):
        assert theirs.keys() == ours.keys(), (theirs, ours)
        assert all(same(theirs[name], ours[name], name) for name in theirs), (theirs, ours)
    assert len(real) == len(fleets)
    assert {event["type"] for event in real} >= {
        *("survey_opened", "survey_closed", "stray_pressed", "force_majeure_declared", "button_stuck", "button_freed"),
    }


def test_table_and_events_agree_with_micropython_to_the_millisecond() -> None:
    happened = entries(seeded("presses").randrange(1 << 24))
    started_ms = happened[0].at_ms - POWER_MS
    ours = fleet_texts(happened)
    first = next(number for number, text in enumerate(ours, 1) if json.loads(text)["up_ms"] >= POWER_MS)
    presses = [press for entry in happened for press in entry.presses]
    lines = [f"{BUTTONS[press.button]} {press.at_ms - started_ms} {press.held_ms}\n" for press in presses]
    program = STAGE.replace("FIRST", str(first)).replace("OFFSET", str(started_ms))
    run = subprocess.run(
        [*command(), "-c", program],
        input="".join(lines),
        env={"MICROPYPATH": os.pathsep.join([".frozen", str(FIRMWARE)])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    theirs = [json.loads(line) for line in run.stdout.splitlines()]  # MicroPython does not keep the order of keys
    assert theirs == [json.loads(text) for text in ours[first - 1 :]]
    assert len(theirs) > len(presses) // 2
