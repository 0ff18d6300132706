"""Record a session as a script in the bench's language that does the same again and expects the same."""

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from simulator.bench.expectations import UNORDERED_TYPES, WITHIN_MS
from simulator.bench.journal import JournalEntry
from simulator.bench.session import BenchSession, Switches

_LAMP_STEADY_S = 0.15  # a lamp state that lasts less is not expected: a repetition may not show it
_EXPECTED_FIELDS = {  # of an event, by its type
    "survey_closed": ("outcome", "cause"),
    "stray_pressed": ("button", "reason"),
    "button_stuck": ("button",),
    "button_freed": ("button",),
}


class Recorder:
    """A listener to the journal between `begin` and `end`."""

    def __init__(self, session: BenchSession) -> None:
        self._session = session
        self._entries: list[JournalEntry] = []
        self._before = Switches()
        self._began_s = 0.0

    def begin(self) -> None:
        """Start to record."""
        self._session.set_recording(on=True)
        self._entries = []
        self._before = Switches(**vars(self._session.switches))
        self._began_s = time.monotonic()
        self._session.journal.listen(self._entries.append)

    def end(self) -> Path:
        """Save the script; return its path."""
        self._session.set_recording(on=False)
        self._session.journal.leave(self._entries.append)
        now = datetime.now(UTC)
        text = script(self._entries, self._before, self._began_s)
        head = f"# Recorded at the bench on {now:%Y-%m-%d %H:%M} UTC; again: trivox simulate --headless"
        file = self._session.recordings / f"{now:%Y-%m-%d-%H%M%S}Z.bench"
        file.parent.mkdir(parents=True, exist_ok=True)
        board = f" --board {self._session.board}" if self._session.board != "unix" else ""
        file.write_text(f"{head}{board} < {file.name}\n{text}", encoding="utf-8")
        self._session.journal.write("recorded", file=str(file), script=file.read_text(encoding="utf-8"))
        return file


def script(entries: Sequence[JournalEntry], before: Switches, began_s: float) -> str:
    """Return the script: each action at its time, and after it the lamps, events and rows that followed."""
    lines = _preparation(before)
    actions = _actions(entries)
    parts = _split(entries, [number for number, *_ in actions])
    flickers = _flickers(entries)
    parts = [[entry for entry in part if entry.number not in flickers] for part in parts]
    lines += _expect_lines(parts[0], began_s, "")
    for (_, at_s, line), part in zip(actions, parts[1:], strict=True):
        lines += [f"at {max(0, round((at_s - began_s) * 1000))}", line, *_expect_lines(part, at_s, line)]
    return "\n".join([*lines, "expect no event within 1s", ""])


def _preparation(before: Switches) -> list[str]:
    """Return the lines that set everything as it was before the recording."""
    lines = ["expect online within 30s"]
    lines += [f"stick {button}" for button in before.stuck]
    lines += ["wifi off"] * (not before.wifi) + ["link off"] * (not before.link)
    lines += ["flash fill"] * before.filled + ["power cut"] * (not before.powered)
    return [*lines, "at 0"]


def _actions(entries: Sequence[JournalEntry]) -> list[tuple[int, float, str]]:
    """Return number, moment and line of each action; a hold whose release is the next action becomes one press."""
    done = [entry for entry in entries if entry.kind == "did"]
    actions = []
    place = 0
    while place < len(done):
        entry = done[place]
        words = entry.facts["line"].split()
        following = done[place + 1] if place + 1 < len(done) else None
        line = entry.facts["line"]
        if following and words[0] == "hold" and following.facts["line"] == f"release {words[1]}":
            line = f"press {words[1]} {max(1, round((following.at_s - entry.at_s) * 1000))}"
            place += 1
        actions.append((entry.number, entry.at_s, line))
        place += 1
    return actions


def _split(entries: Sequence[JournalEntry], borders: Sequence[int]) -> list[list[JournalEntry]]:
    """Split the entries at the numbers in `borders`: those before the first, and those from each on."""
    parts: list[list[JournalEntry]] = [[] for _ in range(len(borders) + 1)]
    for entry in entries:
        parts[sum(border <= entry.number for border in borders)].append(entry)
    return parts


def _flickers(entries: Sequence[JournalEntry]) -> set[int]:
    """Return the numbers of lamp changes that the lamp's next change soon reversed."""
    changes: dict[str, list[JournalEntry]] = {}
    for entry in entries:
        if entry.kind == "lamp":
            changes.setdefault(entry.facts["name"], []).append(entry)
    return {
        entry.number
        for lamp in changes.values()
        for entry, following in pairwise(lamp)
        if following.at_s - entry.at_s < _LAMP_STEADY_S
    }


def _expect_lines(part: Sequence[JournalEntry], since_s: float, action: str) -> list[str]:
    """Return the `expect` lines for what followed an action at `since_s`; each state of a lamp once."""
    lines: list[str] = []
    for entry in part:
        expectation = _expectation(entry, action)
        if expectation is None:
            continue
        if entry.kind == "lamp" and any(line.startswith(f"expect {expectation}") for line in lines):
            continue
        after_ms = (entry.at_s - since_s) * 1000
        within = "" if after_ms < WITHIN_MS / 2 else f" within {math.ceil((after_ms + WITHIN_MS) / 1000)}s"
        lines.append(f"expect {expectation}{within}")
    return lines


def _expectation(entry: JournalEntry, action: str) -> str | None:
    """Return what `expect` says of an entry; None if it is not expected, as the blinks of the seller's lamp."""
    facts = entry.facts
    if entry.kind == "event" and facts["event"].get("type") not in UNORDERED_TYPES:
        event = facts["event"]
        pairs = [f"{name}={event[name]}" for name in _EXPECTED_FIELDS.get(event["type"], ()) if name in event]
        return " ".join(["event", event["type"], *pairs])
    if entry.kind == "row" and facts["outcome"] != "open":
        return f"row {facts['outcome']}"
    if entry.kind == "lamp" and (facts["name"] != "seller" or (facts["on"] and "seller" in action.split())):
        return f"lamp {facts['name']} {'on' if facts['on'] else 'off'}"
    return None
