"""Test that text from outside is text in every output: no markup, no control of a terminal, no formula, no code."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import pty
import re
import time
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from prometheus_client.core import GaugeMetricFamily

from bridge.log import FACTS, Formatter
from bridge.service.metrics_server import MetricsServer
from bridge.wire import contract
from tests.bridge.office import Office, OfficeTill, at
from tests.support import facts
from tests.support.forked import Forked
from tests.support.programs import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NINE = at("2026-11-02T09:00+00:00")
CONTROLS = "\x00\x07\x1b\r\t\x7f\x84\x85\x9b\x9d\u061c\u200e\u202e\u2066\u2028\u2029\u200b\u2060\ufeff\xad\U000e0041"
HOSTILE = f"[/x][link=http://a]{{}}\x1b]8;;http://a\x07{CONTROLS}"
SCRIPTS = (
    "Иванова-Щъркел, Ёлкин №1",
    "إليسا المصري",
    "שרה כהן",
    "می‌خواهم",
    "क्‍ष हिन्दी",
    "ქართული ไทย 한국어 日本語",
    "葛\U000e0100城",
    "e\u0301le\u0300ne",
    "👩‍👩‍👧 🏳️‍🌈 1️⃣",
    "1\u00a0234 [sic] C:\\new",
)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.do("site", "set", "demo", "--timezone", "UTC")
    return office


def raw_controls(text: str) -> list[str]:
    """Return what no terminal, log or spreadsheet should get: controls, directions, and what cannot be seen."""
    joined = re.sub(r"(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])", "", text)
    kinds = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return [f"U+{ord(char):04X}" for char in joined if char != "\n" and unicodedata.category(char) in kinds]


# -- ids ---------------------------------------------------------------------------------------------------------------


def asking(question_id: str) -> OfficeTill:
    till = OfficeTill()
    till.survey(NINE, "no", question_id)
    till.force_majeure(NINE + 60_000, question_id)
    return till


@pytest.mark.parametrize("question_id", ["[/x]", "[link=http://a]", "\u202e", "\x9b", "Staff", "a b", "", "q" * 33])
def test_a_question_id_is_judged_by_the_pattern_of_ids(office: Office, question_id: str) -> None:
    office.take(asking(question_id))
    assert facts.rejects(office.database, "reason") == ["impossible value: question_id is not a valid id"] * 3
    assert office.do("report", "--from", "2026-11-01", "--to", "2026-12-01").startswith("There are no surveys from")
    assert "Rejected as impossible value: 3" in office.do("doctor")
    till = OfficeTill()
    till.events, till.sent = [*asking(question_id).events], 3
    till.survey(NINE + 120_000, "yes")
    office.take(till)
    assert [row["yes"] for row in office.rows("question")] == [1]


@pytest.fixture
def older(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Return a database of a bridge that took any id and any seller, with hostile text wherever there may be text."""
    with monkeypatch.context() as patched:
        patched.setattr(contract, "_check_question_id", lambda text: None)
        office.take(asking(HOSTILE))
    health = {"firmware": HOSTILE, "board": HOSTILE, "hardware_id": HOSTILE, "faults": [HOSTILE], "epoch": "00000001"}
    now_ms = time.time_ns() // 1_000_000
    office.take_messages(
        [
            {"topic": "trivox/v1/demo/till-1/health", "payload": health, "received_at_ms": now_ms},
            {"topic": f"trivox/v1/demo/till-1/{HOSTILE}", "payload": {HOSTILE: HOSTILE}, "received_at_ms": now_ms},
        ]
    )
    name = HOSTILE.replace("\r", "").replace("\x00", "")
    assert office.shifts(f'demo,till-1,elena,"{name}",2026-11-02,2026-11-03').status == 0
    office.do("checkout-point", "set", "demo", "[/x]", "--console", "till-1")
    office.do("question", "set", "staff", "--text", f"en={HOSTILE}", "--silent-weight", "1")
    office.do("question", "set", "staff", "--silent-weight-origin", HOSTILE)
    return office


OUTPUTS = (
    ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "seller,checkout_point"),
    ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "seller,checkout_point", "--format", "csv"),
    ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "seller,checkout_point", "--format", "json"),
    ("compare", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "seller"),
    ("compare", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "checkout_point", "--format", "csv"),
    ("compare", "--from", "2026-11-01", "--to", "2026-12-01", "--target", "--format", "json"),
    ("watch", "--once"),
    ("doctor",),
    ("console", "list"),
    ("console", "list", "--json"),
    ("question", "list"),
    ("settings", "list"),
    ("history",),
    ("history", "--json"),
)


def test_a_database_with_hostile_text_breaks_and_steers_nothing(older: Office) -> None:
    for words in OUTPUTS:
        result = older.run(*words)
        assert result.status == 0, (words, result)
        assert raw_controls(result.out + result.err) == [], words
    assert json.loads(older.do(*OUTPUTS[2]))[0]["question_id"] == HOSTILE, "JSON says what is stored"
    (row,) = csv.DictReader(io.StringIO(older.do(*OUTPUTS[1])))
    assert row["question_id"].startswith(r"[/x][link=http://a]{}\x1b]8;;http://a\x07\x00\x07\x1b\r\t\x7f\x84\x85\x9b")
    older.do("rebuild")
    assert [row["no"] for row in older.rows("question")] == [1]


def test_nothing_hostile_reaches_a_terminal(older: Office) -> None:
    for words in (OUTPUTS[0], ("watch", "--once"), ("console", "list"), ("question", "list")):
        received = on_terminal(older, *words)
        assert raw_controls(re.sub(r"\x1b\[[0-9;]*m", "", received).replace("\r\n", "\n")) == [], words
        assert "[/x]" in received
        assert "\x1b]" not in received, "no link"


def on_terminal(office: Office, *words: str, **environment: str) -> str:
    """Return what a terminal receives from a command that must succeed."""
    ours, theirs = pty.openpty()
    settings = {**os.environ, "COLUMNS": "120", "TERM": "xterm-256color", **environment}
    with os.fdopen(theirs, "wb", buffering=0) as terminal:
        program = Forked(*words, "--database", str(office.database), out=terminal, err=terminal, environment=settings)
    pieces = []
    try:
        while piece := os.read(ours, 65_536):
            pieces.append(piece)
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert program.wait(120) == 0, b"".join(pieces)
    return b"".join(pieces).decode()


# -- each output -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", SCRIPTS)
def test_letters_of_every_script_are_shown_as_they_are(office: Office, text: str) -> None:
    office.do("question", "set", "staff", "--text", f"en={text}", "--silent-weight-origin", text, "--new")
    listed = office.do("question", "list")
    assert f"  en: {text}\n" in listed
    assert f"({text})" in listed
    assert json.loads(office.do("history", "--json"))
    assert text in office.do("history", "--json").replace("\\\\", "\\")


@pytest.mark.parametrize("char", [*CONTROLS, "\n", "\u200d", "\u3164", "\ue000", "\U000e0100"])
def test_what_cannot_be_seen_is_shown_by_its_number(office: Office, char: str) -> None:
    office.do("question", "set", "staff", "--text", f"en=a{char}b", "--new")
    shown = char.encode("unicode_escape").decode()
    assert f"  en: a{shown}b\n" in office.do("question", "list")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\uff1d", "a;=", "a; +"])
def test_no_cell_is_a_formula_and_numbers_stay_numbers(office: Office, begin: str) -> None:
    till = OfficeTill()
    till.surveys(NINE, "loyalty", no=40)
    office.take(till)
    seller = f"{begin}HYPERLINK(1)"
    assert office.shifts(f'demo,till-1,"{seller}",Elena,2026-11-02,2026-11-03').status == 0
    table = office.do(*OUTPUTS[1])
    (row,) = csv.DictReader(io.StringIO(table))
    assert re.sub("[=+@\uff1d-]", r"'\g<0>", seller) == row["seller_id"]
    assert row["emotional_loyalty_index"] == "-1.0"


def test_an_error_is_one_line_whatever_names_it_repeats(office: Office) -> None:
    for words in (
        ("console", "list", "--site", f"sofia\nAll is well.{CONTROLS[2:]}"),
        ("shift", "import", f"/nowhere/a\n{CONTROLS[2:]}.csv"),
        ("shift", "import", "/nowhere/a\nline 2: seller_id is missing\nand 3 more"),
        ("shift", "import", "Usage:\ntrivox"),
        ("report", "--from", "2026-11-01", "--to", "2026-12-01", "--by", "seller\n\x9b"),
        ("frobnicate\n\x1b[2J",),
        ("site", "set", "demo", "--timezone", "Europe/\n\u202e"),
    ):
        result = office.run(*words)
        assert (result.status > 0, result.out, result.err.count("\n")) == (True, "", 1), result
        assert raw_controls(result.err) == []


def test_a_line_of_the_log_is_one_line_of_text() -> None:
    record = logging.LogRecord("trivox.bridge", logging.INFO, "", 0, f"it says {HOSTILE}\n", (), None)
    setattr(record, FACTS, {"topic": HOSTILE + "\n", "name": "Иванова"})
    line = Formatter().format(record)
    assert "\n" not in line
    assert raw_controls(line) == []
    assert 'name="Иванова"' in line


class _HostileLabels:
    def collect(self) -> Iterator[Any]:
        family = GaugeMetricFamily("trivox_test", "A test.", labels=["name"])
        family.add_metric([f'"\\\n{HOSTILE}Иванова'], 1)
        yield family


def test_labels_of_metrics_steer_nothing() -> None:
    port = free_port()
    server = MetricsServer(port, _HostileLabels())
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
    finally:
        server.close()
    assert raw_controls(text) == []
    assert text.count("trivox_test{") == 1
    assert "Иванова" in text
