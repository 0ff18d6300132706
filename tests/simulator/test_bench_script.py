"""The arguments of the bench's commands, the journal, and the script made from a session: no console is needed."""

import json
import time
from pathlib import Path
from typing import Any, cast

import pytest

from simulator.bench.expectations import TYPES
from simulator.bench.journal import ENTRIES_MAX, Journal, JournalEntry
from simulator.bench.language import COMMANDS, Bench, help_text
from simulator.bench.recording import script
from simulator.bench.session import Switches
from simulator.bench.words import CommandError, button_of, duration, on_off, share_of, whole_number


def test_every_event_of_the_schema_can_be_expected() -> None:
    event = json.loads((Path(__file__).parents[2] / "schema/event.json").read_text("utf-8"))
    assert set(TYPES) == set(event["properties"]["type"]["enum"])


@pytest.mark.parametrize(
    ("word", "ms"), [("500", 500), ("500ms", 500), ("2s", 2000), ("1.5s", 1500), ("3min", 180_000), ("2d", 172_800_000)]
)
def test_a_time_has_a_unit_or_is_in_ms(word: str, ms: int) -> None:
    assert duration(word) == ms


@pytest.mark.parametrize("word", ["3661d", "9" * 400 + "h"])
def test_a_time_that_is_too_long_is_refused(word: str) -> None:
    assert duration("3660d") == 3660 * 86_400_000
    with pytest.raises(CommandError, match="is too long; the longest time is 3660d"):
        duration(word)


@pytest.mark.parametrize("word", ["", "s", "-5", "2 s", "1e3", "5weeks", "nan"])
def test_a_word_that_is_not_a_time_is_refused(word: str) -> None:
    with pytest.raises(CommandError, match="is not a time"):
        duration(word)


class SlowSession:
    """A session on a busy machine: pressing takes longer than the press is to last."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.pressed_s = self.released_s = 0.0

    def hold(self, _button: str) -> None:
        time.sleep(0.1)
        self.pressed_s = time.monotonic()

    def release(self, _button: str) -> None:
        self.released_s = time.monotonic()

    def wait(self, _condition: object, limit_s: float) -> None:
        time.sleep(max(0, limit_s))


@pytest.mark.parametrize("name", ["press", "hold"])
def test_a_press_lasts_from_its_contact_on(name: str) -> None:
    session = SlowSession()
    COMMANDS[name].do(Bench(cast(Any, session)), ["yes", "50"])
    assert session.released_s - session.pressed_s >= 0.05


def test_wrong_words_are_refused() -> None:
    with pytest.raises(CommandError, match="no button maybe; choose one of yes, no, cant_say, seller"):
        button_of("maybe")
    with pytest.raises(CommandError, match="neither on nor off"):
        on_off("On")
    with pytest.raises(CommandError, match="0 is not valid here; write a whole number, 1 or more"):
        whole_number("0", 1)
    for word in ("2", "-1.5", "nan", "half"):
        with pytest.raises(CommandError, match="is not a share"):
            share_of(word)


def test_an_error_quotes_what_a_terminal_must_not_obey_and_no_more_than_needed() -> None:
    bench = Bench(cast(Any, SlowSession()))
    for line, quoted in (
        ("\x1b[2Jclear", "\\x1b[2Jclear;"),
        ("pre\u202ess", "pre\\u202ess;"),
        ("z" * 999, "z" * 100 + "…;"),
    ):
        with pytest.raises(CommandError) as error:
            bench.do(line)
        assert str(error.value) == f"There is no command {quoted} `help` lists them."
    with pytest.raises(CommandError, match=r"This line has 2001 characters; write at most 2000\."):
        bench.do("#" * 2001)


def test_help_has_each_command() -> None:
    lines = [line.split()[0] for line in help_text().splitlines() if line]
    assert set(COMMANDS) <= set(lines)


def test_the_readme_has_the_language() -> None:
    readme = Path(__file__).parents[2] / "simulator/README.md"
    assert f"```text\n{help_text()}\n```" in readme.read_text("utf-8")


def entries(*found: tuple[str, float, dict[str, object]]) -> list[JournalEntry]:
    return [JournalEntry(number, kind, at_s, facts) for number, (kind, at_s, facts) in enumerate(found, 10)]


def test_a_session_becomes_a_script() -> None:
    closed = {"type": "survey_closed", "outcome": "yes", "cause": "answered"}
    session = entries(
        ("did", 101.0, {"line": "hold seller"}),
        ("lamp", 101.02, {"name": "seller", "on": True}),
        ("did", 101.1, {"line": "release seller"}),
        ("event", 101.2, {"seq": 2, "event": {"type": "survey_opened"}}),
        ("lamp", 101.2, {"name": "yes", "on": True}),
        ("row", 101.3, {"outcome": "open"}),
        ("did", 102.0, {"line": "wifi off"}),
        ("did", 103.0, {"line": "hold yes"}),
        ("did", 103.5, {"line": "wifi on"}),
        ("did", 103.6, {"line": "release yes"}),
        ("event", 112.0, {"seq": 3, "event": {"type": "booted"}}),
        ("event", 112.0, {"seq": 4, "event": closed}),
        ("row", 112.1, {"outcome": "yes"}),
    )
    assert script(session, Switches(powered=True, stuck=["no"]), 100.0).splitlines() == [
        "expect online within 30s",
        "stick no",
        "at 0",
        "at 1000",
        "press seller 100",
        "expect lamp seller on",
        "expect event survey_opened",
        "expect lamp yes on",
        "at 2000",
        "wifi off",
        "at 3000",
        "hold yes",
        "at 3500",
        "wifi on",
        "at 3600",
        "release yes",
        "expect event survey_closed outcome=yes cause=answered within 14s",
        "expect row yes within 14s",
        "expect no event within 1s",
    ]


def test_the_sellers_blinks_and_repeated_lamps_are_left_out() -> None:
    lamps = [("lamp", 100 + n / 5, {"name": "seller", "on": n % 2 == 0}) for n in range(6)]
    answers = [("lamp", 102 + n / 5, {"name": "yes", "on": n % 2 == 0}) for n in range(6)]
    lines = script(entries(*lamps, *answers), Switches(powered=True), 100.0).splitlines()
    assert [line for line in lines if "lamp" in line] == ["expect lamp yes on", "expect lamp yes off"]


def test_a_lamp_that_only_flickered_is_left_out() -> None:
    lit = [(0.0, True), (0.02, False), (0.5, True), (0.8, False)]
    lamps = [("lamp", 100 + after_s, {"name": "no", "on": on}) for after_s, on in lit]
    flicker = [("did", 99.9, {"line": "press yes"}), *lamps[:2], ("did", 100.1, {"line": "press no"}), *lamps[2:]]
    lines = script(entries(*flicker), Switches(powered=True), 99.0).splitlines()
    assert [line for line in lines if "lamp" in line or "press" in line] == [
        "press yes",
        "expect lamp no off",
        "press no",
        "expect lamp no on",
        "expect lamp no off",
    ]


def test_the_journal_drops_the_oldest_entries_and_counts_on() -> None:
    journal = Journal()
    for number in range(ENTRIES_MAX + 5):
        journal.write("did", line=str(number))
    assert journal.last == ENTRIES_MAX + 5
    assert [entry.number for entry in journal.since(ENTRIES_MAX + 3)] == [ENTRIES_MAX + 4, ENTRIES_MAX + 5]
    assert len(journal.since(0)) == ENTRIES_MAX


def test_a_late_listener_gets_the_present_state() -> None:
    journal = Journal()
    journal.write("switches", powered=True)
    journal.write("wire", leaf="status", payload={"state": "offline"})
    journal.write("wire", leaf="status", payload={"state": "online"})
    journal.write("wire", leaf="events", payload={})
    for number in range(ENTRIES_MAX + 5):
        journal.write("did", line=str(number))
    heard = journal.listen(lambda _: None, 3)
    assert [entry.number for entry in heard] == [1, 3, ENTRIES_MAX + 7, ENTRIES_MAX + 8, ENTRIES_MAX + 9]
    newest = journal.newest("wire", "status")
    assert newest
    assert newest.facts["payload"] == {"state": "online"}
    assert journal.newest("wire", "health") is None


def test_a_listener_that_left_gets_no_more_entries() -> None:
    journal, heard = Journal(), []
    journal.write("did", line="before")
    assert [entry.facts["line"] for entry in journal.listen(heard.append)] == ["before"]
    journal.write("did", line="while")
    journal.leave(heard.append)
    journal.write("did", line="after")
    assert [entry.facts["line"] for entry in heard] == ["while"]
