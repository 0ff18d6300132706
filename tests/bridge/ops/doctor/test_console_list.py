"""`trivox console list`: what it says about each console, in which order, and on which terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from tests.bridge.office import MINUTE_MS, Office, OfficeTill
from tests.support.forked import Forked

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator import Console
    from simulator.programs import Bridge

OBJECT = {
    *(
        "site_id",
        "console_id",
        "health",
        "rule",
        "reason",
        "signs",
        "enrolled",
        "retired_at_ms",
        "online",
        "last_seen_at_ms",
    ),
    *("health_at_ms", "firmware", "board", "hardware_id", "outbox_event_count", "clock_offset_ms", "rssi_dbm"),
    *("heap_free_bytes", "loop_lag_max_ms", "settings_revision", "faults", "lost_event_count"),
    *("lost_last_day_event_count", "unproved_event_count", "words_proved_at_ms"),
}


def now() -> int:
    return time.time_ns() // 1_000_000


def heartbeat(console: str, at_ms: int | None = None, **health: Any) -> dict[str, Any]:
    """Return a heartbeat of a console that is well, apart from `health`."""
    at_ms = now() if at_ms is None else at_ms
    well = {
        "epoch": "0000abcd",
        "hardware_id": f"board-of-{console}",
        "firmware": "1.0.0",
        "board": "pico_w",
        "at_ms": at_ms,
        "outbox": {"first": 41, "next": 41},
        "rssi": -61,
        "faults": [],
    }
    topic = f"trivox/v1/{console}/health"
    return {"topic": topic, "payload": well | health, "received_at_ms": at_ms}


def listed(office: Office, *options: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(office.do("console", "list", "--json", *options))
    return rows


def test_the_worst_come_first_each_with_the_rule_that_decided(office: Office) -> None:
    instant_ms = now()
    office.take_messages(
        [
            heartbeat("demo/well"),
            heartbeat("demo/broken", faults=["flash", "clock"], rssi=-90),
            heartbeat("demo/silent", now() - 60 * MINUTE_MS),
            heartbeat("sofia/ahead", instant_ms) | {"received_at_ms": instant_ms - 75_000},
            heartbeat("sofia/full", outbox={"first": 1, "next": 2_600}),
        ]
    )
    office.do("checkout-point", "set", "sofia", "counter-1", "--console", "named", "--new")
    rows = listed(office)
    assert [(row["site_id"], row["console_id"], row["health"], row["rule"]) for row in rows] == [
        ("demo", "broken", "red", "flash"),
        ("demo", "silent", "red", "silent"),
        ("sofia", "full", "red", "outbox_half"),
        ("sofia", "ahead", "amber", "clock_off"),
        ("sofia", "named", "grey", "never_heard"),
        ("demo", "well", "green", None),
    ]
    assert all(set(row) == OBJECT for row in rows)
    broken = rows[0]
    assert [finding["rule"] for finding in broken["signs"]] == ["flash", "clock_unknown", "signal"]
    assert (broken["rssi_dbm"], broken["firmware"], broken["online"]) == (-90, "1.0.0", None)
    assert rows[2]["outbox_event_count"] == 2_599
    assert rows[3]["clock_offset_ms"] == 75_000
    assert {name: rows[4][name] for name in ("last_seen_at_ms", "firmware", "outbox_event_count", "rssi_dbm")} == {
        "last_seen_at_ms": None,
        "firmware": None,
        "outbox_event_count": None,
        "rssi_dbm": None,
    }


def test_the_readme_documents_every_key() -> None:
    page = (Path(__file__).parents[4] / "bridge/ops/doctor/README.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| [^|]+ \|$", page.partition("| key | value |")[2], re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == OBJECT


def test_one_site_can_be_listed_and_an_unknown_one_is_an_error(office: Office) -> None:
    office.take_messages([heartbeat("demo/till-1"), heartbeat("sofia/till-1")])
    office.do("site", "set", "empty", "--timezone", "UTC")
    assert [row["site_id"] for row in listed(office, "--site", "sofia")] == ["sofia"]
    assert "demo" not in office.do("console", "list", "--site", "sofia")
    assert listed(office, "--site", "empty") == []
    assert office.do("console", "list", "--site", "empty").startswith("No console has been heard yet")
    wrong = office.run("console", "list", "--site", "sofja\x1b[2J")
    assert (wrong.status, wrong.out, wrong.err.count("\n")) == (2, "", 1)
    assert "There is no site sofja" in wrong.err
    assert "\x1b" not in wrong.err


def test_a_heartbeat_follows_the_settings_that_a_console_was_sent(office: Office) -> None:
    office.take_messages(
        [heartbeat("demo/slow", now() - 20 * MINUTE_MS), heartbeat("demo/quick", now() - 20 * MINUTE_MS)]
    )
    online = {"state": "online", "epoch": "0000abcd", "hardware_id": "c0ffee"}
    for console in ("slow", "quick"):
        topic = f"trivox/v1/demo/{console}/status"
        office.take_messages([{"topic": topic, "payload": online, "received_at_ms": now() - 20 * MINUTE_MS}])
    assert [row["rule"] for row in listed(office)] == ["silent", "silent"]
    office.do("settings", "set", "heartbeat_ms=600000", "--console", "demo/slow")
    assert [(row["console_id"], row["rule"]) for row in listed(office)] == [("quick", "silent"), ("slow", None)]
    for lines in (office.do("console", "list").splitlines(), office.do("watch", "--once").splitlines()):
        states = {name: line for name in ("slow", "quick") for line in lines if name in line and "demo" in line}
        assert "no contact" in states["quick"]
        assert " online " in states["slow"]


def test_nobody_is_called_to_a_console_whose_shop_is_closed(office: Office) -> None:
    def shift(console: str, start: int, end: int) -> str:
        times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now() / 1000 + 3600 * hour)) for hour in (start, end)]
        return f"demo,{console},anna,Anna,{times[0]},{times[1]}"

    office.take_messages(
        [heartbeat(f"demo/{name}", now() - 60 * MINUTE_MS) for name in ("open", "closed", "planned", "old")]
    )
    rows = [shift("open", -2, 2), shift("closed", -9, -2), shift("planned", 8, 16), shift("old", -24 * 9, -24 * 8)]
    assert office.shifts(*rows).status == 0
    rules = {row["console_id"]: row["rule"] for row in listed(office)}
    assert rules == {"open": "silent", "closed": "off_shift", "planned": "off_shift", "old": "silent"}


def test_losses_decide_for_a_day(office: Office) -> None:
    def batches(till: OfficeTill, at_ms: int, first: int) -> list[dict[str, Any]]:
        for number in range(3):
            till.survey(at_ms + number * 1000, "yes")
        (before,) = till.messages()
        before["payload"]["events"] = before["payload"]["events"][:4]
        after = json.loads(json.dumps(before))
        after["payload"] |= {"first": first, "base": first, "events": after["payload"]["events"][:1]}
        return [before, after | {"received_at_ms": at_ms + 60_000}]

    fresh, old = OfficeTill(console_id="fresh"), OfficeTill(console_id="old")
    day_ms = 24 * 60 * MINUTE_MS
    start_ms = now() - 2 * MINUTE_MS
    office.take_messages(batches(fresh, start_ms, 8) + batches(old, start_ms - day_ms - MINUTE_MS, 10))
    office.take_messages([heartbeat("demo/fresh"), heartbeat("demo/old")])
    rows = {row["console_id"]: row for row in listed(office)}
    assert [(rows["fresh"][name]) for name in ("rule", "lost_event_count", "lost_last_day_event_count")] == [
        "lost",
        3,
        3,
    ]
    assert [(rows["old"][name]) for name in ("rule", "lost_event_count", "lost_last_day_event_count")] == [None, 5, 0]
    assert "Console demo/old lost 5 events for good" in office.do("doctor")


def test_a_console_that_sends_no_heartbeat_is_known_by_its_start(office: Office) -> None:
    till = OfficeTill()
    till.event("booted", now() - 1000, reset="power_on", firmware="1.0.0", board="esp32", hardware_id="c0ffee")
    office.take(till)
    (row,) = listed(office)
    assert (row["hardware_id"], row["health"], row["firmware"]) == ("c0ffee", "green", None)


def test_two_boards_decide_for_a_day(office: Office) -> None:
    long_ago_ms = now() - 26 * 60 * MINUTE_MS
    for console, at_ms in (("demo/now", now() - 10 * MINUTE_MS), ("demo/past", long_ago_ms)):
        turns = [heartbeat(console, at_ms + turn * 1000, hardware_id=f"{turn % 2}a") for turn in range(4)]
        office.take_messages(turns)
    office.take_messages([heartbeat("demo/now", hardware_id="1a"), heartbeat("demo/past", hardware_id="1a")])
    assert {row["console_id"]: row["rule"] for row in listed(office)} == {"now": "two_boards", "past": None}


def test_a_revoked_console_that_speaks_is_not_green(office: Office) -> None:
    office.do("console", "enroll", "demo/till-1")
    office.do("console", "revoke", "demo/till-1")
    office.take_messages([heartbeat("demo/till-1")])
    (row,) = listed(office)
    assert (row["health"], row["reason"]) == ("amber", "revoked")
    assert "Console demo/till-1 is revoked, and was heard just now: " in office.do("doctor")


def test_a_board_that_goes_by_another_name_is_told_under_its_old_one(office: Office) -> None:
    board = {"epoch": "0000abcd", "hardware_id": "c0ffee"}
    for console, state, ago_ms in (("demo/til-1", "offline", 5000), ("demo/till-1", "online", 0)):
        message = heartbeat(console, now() - ago_ms, **board)
        status = {"topic": f"trivox/v1/{console}/status", "payload": {"state": state, **board}}
        office.take_messages([message, message | status])
    assert {row["console_id"]: row["reason"] for row in listed(office)} == {
        "til-1": "its board is now demo/till-1",
        "till-1": None,
    }
    told = office.do("doctor")
    assert "is now demo/till-1: retire the old name with `trivox console retire demo/til-1`" in told
    assert "Wi-Fi" not in told


def test_text_from_consoles_cannot_control_a_terminal(office: Office) -> None:
    office.take_messages(
        [
            heartbeat(
                "demo/till-1",
                firmware="\x1b[2Jx\ny[/b]",
                faults=["\x1b[31mfire\r", "流量" * 60, "", "a\tb"],
                rssi=10**400,
            )
        ]
    )
    for options in ((), ("--json",)):
        text = office.do("console", "list", *options)
        assert not {character for character in text if not character.isprintable() and character != "\n"}
    assert "x\\ny[/b]" in office.do("console", "list")
    forged = [f"{number:0>60}" for number in range(10)] + [f"stuck:{number:0>60}" for number in range(10)]
    office.take_messages([heartbeat("demo/till-1", faults=forged)])
    for command in (("console", "list"), ("doctor",)):
        text = office.do(*command)
        assert " and 14 more" in text
        assert max(map(len, text.splitlines())) < 1000


# -- terminals -------------------------------------------------------------------------------------------------------


def on_terminal(office: Office, columns: int, **environment: str) -> str:
    """Return what a terminal of that width receives."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color", **environment}
    with os.fdopen(slave, "wb", buffering=0) as terminal:
        words = ("console", "list", "--database", str(office.database))
        program = Forked(*words, out=terminal, err=terminal, environment=environment)
    output = b""
    try:
        while piece := os.read(master, 65_536):
            output += piece
    except OSError:  # the other side is closed
        pass
    os.close(master)
    assert program.wait(120) == 0
    return output.decode()


def plain_lines(text: str) -> list[str]:
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[90m", "\x1b[0m"):
        text = text.replace(code, "")
    assert "\x1b" not in text
    return text.replace("\r", "").splitlines()


@pytest.mark.parametrize("columns", [40, 80, 132, 250])
def test_nothing_that_matters_is_cut_or_wrapped_at_any_width(office: Office, columns: int) -> None:
    office.take_messages(
        [heartbeat("demo/till-1"), heartbeat("demo/till-2", faults=["flash", "流量"], firmware="1.0.0-β")]
    )
    text = on_terminal(office, columns)
    for word in ("till-1", "till-2", "green", "red !!", "flash fails", "1.0.0-β", "-61 dBm", "1 red, 1 green."):
        assert word in text
    assert len(plain_lines(text)) == (5 if columns > 100 else 6)  # a table, or a paragraph each
    if columns > 100:
        assert max(cell_len(line) for line in plain_lines(text)) <= columns
    else:
        assert "流量" in text


def test_colours_are_for_terminals_only(office: Office) -> None:
    office.take_messages([heartbeat("demo/till-1", faults=["flash"])])
    assert "\x1b[31mred !!" in on_terminal(office, 132)
    assert "\x1b" not in on_terminal(office, 132, NO_COLOR="1")
    assert "\x1b" not in on_terminal(office, 132, TERM="dumb")
    assert "\x1b" not in office.do("console", "list")


# -- real ones -------------------------------------------------------------------------------------------------------


def test_a_real_console_is_green_until_its_button_sticks(
    office: Office, trivox_bridge: Bridge, trivox_console: Callable[..., Console]
) -> None:
    office.database = trivox_bridge.database

    def row() -> dict[str, Any]:
        (only,) = listed(office)
        return only

    trivox_bridge.trivox("settings", "set", "--all", "heartbeat_ms=1000", "stuck_ms=2000")
    console = trivox_console("shop/till-1", board="pico_w")
    trivox_bridge.wait_for_console("shop/till-1")
    status = trivox_bridge.wait_for(lambda: row()["health"] == "green" and row(), "it is well", limit_s=120)
    assert (status["online"], status["board"], status["faults"], status["rule"]) == (True, "pico_w", [], None)
    assert abs(status["clock_offset_ms"]) < 60_000
    assert status["outbox_event_count"] < 10
    console.hold("yes")
    trivox_bridge.wait_for(lambda: row()["rule"] == "stuck", "its button is stuck", limit_s=120)
    console.release("yes")
    trivox_bridge.wait_for(lambda: row()["health"] == "green", "its button is free", limit_s=120)
    console.power_off()
    trivox_bridge.wait_for(lambda: row()["online"] is False, "the broker has reported that it is gone", limit_s=120)
    assert (row()["health"], row()["rule"]) == ("amber", "offline")
