"""A recorded session: a script in the bench's language that does the same again and expects the same."""

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from simulator.bench.expectations import PASSED_OVER, WITHIN_MS
from simulator.bench.journal import Entry
from simulator.bench.session import Session, Switches

_SEEN_S = 0.15  # a lamp that is as it is for less is not asked for: a repetition may fall between
_TOLD = {  # what an event is told apart by
    "survey_closed": ("outcome", "cause"),
    "stray_pressed": ("button", "reason"),
    "button_stuck": ("button",),
    "button_freed": ("button",),
}


class Recorder:
    """Listens to the journal between `begin` and `end`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries: list[Entry] = []
        self._before = Switches()
        self._began_s = 0.0

    def begin(self) -> None:
        """From now on everything is kept."""
        self._session.recording(on=True)
        self._entries = []
        self._before = Switches(**vars(self._session.switches))
        self._began_s = time.monotonic()
        self._session.journal.listen(self._entries.append)

    def end(self) -> Path:
        """Save the script; where it is."""
        self._session.recording(on=False)
        self._session.journal.leave(self._entries.append)
        now = datetime.now(UTC)
        text = script(self._entries, self._before, self._began_s)
        head = f"# Recorded at the bench on {now:%Y-%m-%d %H:%M} UTC; again: trivox simulate --headless"
        file = self._session.recordings / f"{now:%Y-%m-%d-%H%M%S}.bench"
        file.parent.mkdir(parents=True, exist_ok=True)
        board = f" --board {self._session.board}" if self._session.board != "unix" else ""
        file.write_text(f"{head}{board} < {file.name}\n{text}", encoding="utf-8")
        self._session.journal.write("recorded", file=str(file), script=file.read_text(encoding="utf-8"))
        return file


def script(entries: Sequence[Entry], before: Switches, began_s: float) -> str:
    """What was done, each deed at its time, and after it what came of it: lamps, events, rows."""
    lines = _beginning(before)
    deeds = _deeds(entries)
    parts = _parts(entries, [number for number, *_ in deeds])
    brief = _brief(entries)
    parts = [[entry for entry in part if entry.number not in brief] for part in parts]
    lines += _expected(parts[0], began_s, "")
    for (_, at_s, line), part in zip(deeds, parts[1:], strict=True):
        lines += [f"at {max(0, round((at_s - began_s) * 1000))}", line, *_expected(part, at_s, line)]
    return "\n".join([*lines, "expect no event within 1s", ""])


def _beginning(before: Switches) -> list[str]:
    """How everything stood."""
    lines = ["expect online within 30s"]
    lines += [f"stick {button}" for button in before.stuck]
    lines += ["wifi off"] * (not before.wifi) + ["link off"] * (not before.link)
    lines += ["flash fill"] * before.filled + ["power cut"] * (not before.powered)
    return [*lines, "at 0"]


def _deeds(entries: Sequence[Entry]) -> list[tuple[int, float, str]]:
    """Number, moment and line of each deed; a button held and let go before anything else was done is one press."""
    done = [entry for entry in entries if entry.kind == "did"]
    deeds = []
    place = 0
    while place < len(done):
        entry = done[place]
        words = entry.facts["line"].split()
        following = done[place + 1] if place + 1 < len(done) else None
        line = entry.facts["line"]
        if following and words[0] == "hold" and following.facts["line"] == f"release {words[1]}":
            line = f"press {words[1]} {max(1, round((following.at_s - entry.at_s) * 1000))}"
            place += 1
        deeds.append((entry.number, entry.at_s, line))
        place += 1
    return deeds


def _parts(entries: Sequence[Entry], borders: Sequence[int]) -> list[list[Entry]]:
    """The entries before the first border, and after each."""
    parts: list[list[Entry]] = [[] for _ in range(len(borders) + 1)]
    for entry in entries:
        parts[sum(border <= entry.number for border in borders)].append(entry)
    return parts


def _brief(entries: Sequence[Entry]) -> set[int]:
    """The numbers of lamp changes that the next one of the lamp soon took back."""
    changes: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind == "lamp":
            changes.setdefault(entry.facts["name"], []).append(entry)
    return {
        entry.number
        for lamp in changes.values()
        for entry, following in pairwise(lamp)
        if following.at_s - entry.at_s < _SEEN_S
    }


def _expected(part: Sequence[Entry], since_s: float, deed: str) -> list[str]:
    """What came, each lamp's state once."""
    lines: list[str] = []
    for entry in part:
        what = _told(entry, deed)
        if what is None or (entry.kind == "lamp" and any(line.startswith(f"expect {what}") for line in lines)):
            continue
        after_ms = (entry.at_s - since_s) * 1000
        within = "" if after_ms < WITHIN_MS / 2 else f" within {math.ceil((after_ms + WITHIN_MS) / 1000)}s"
        lines.append(f"expect {what}{within}")
    return lines


def _told(entry: Entry, deed: str) -> str | None:
    facts = entry.facts
    if entry.kind == "event" and facts["event"].get("type") not in PASSED_OVER:
        event = facts["event"]
        told = [f"{name}={event[name]}" for name in _TOLD.get(event["type"], ()) if name in event]
        return " ".join(["event", event["type"], *told])
    if entry.kind == "row" and facts["outcome"] != "open":
        return f"row {facts['outcome']}"
    if entry.kind == "lamp" and (facts["name"] != "seller" or (facts["on"] and "seller" in deed.split())):
        return f"lamp {facts['name']} {'on' if facts['on'] else 'off'}"
    return None
