"""Record the events of consoles for tests, and run the `trivox` command on them.

Tests count what they expect by hand or from their input, and never take it from the bridge's own code.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.cli import main

if TYPE_CHECKING:
    from pathlib import Path

MINUTE_MS = 60_000


class CommandResult(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


def at(text: str) -> int:
    """Return an ISO 8601 instant with offset in ms since 1970-01-01 UTC."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@dataclass
class OfficeTill:
    """A console that records its events, in one epoch and one boot."""

    site_id: str = "demo"
    console_id: str = "till-1"
    epoch: str = "0000abcd"
    hardware_id: str = "c0ffee"
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0
    base_ms: int = at("2026-11-01T00:00:00+00:00")

    def event(self, type_: str, at_ms: int, **more: Any) -> int:
        """Record an event; return its number."""
        up_ms = at_ms - self.base_ms
        self.events.append({"boot": 1, "up_ms": up_ms, "at_ms": at_ms, "type": type_, **more})
        return len(self.events)

    def survey(
        self, at_ms: int, outcome: str, question: str = "staff", revision: int = 1, response_ms: int = 3000
    ) -> int:
        """Record a survey: an answer comes after 3 s, or never; return its number."""
        asked = {"question_id": question, "question_revision": revision}
        number = self.event("survey_opened", at_ms, **asked)
        cause = {"silent": "expired", "error": "fault"}.get(outcome, "answered")
        took_ms = 20_000 if outcome == "silent" else response_ms
        answered = {"response_ms": took_ms} if cause == "answered" else {}
        opened = {"survey": number, "opened_up_ms": at_ms - self.base_ms}
        self.event("survey_closed", at_ms + took_ms, **opened, **asked, outcome=outcome, cause=cause, **answered)
        return number

    def surveys(self, at_ms: int, question: str = "staff", revision: int = 1, **outcomes: int) -> int:
        """Record many surveys, half a minute apart; return the time after the last one."""
        for outcome, count in outcomes.items():
            for _ in range(count):
                self.survey(at_ms, outcome, question, revision)
                at_ms += MINUTE_MS // 2
        return at_ms

    def force_majeure(self, at_ms: int, question: str = "staff", revision: int = 1) -> None:
        """Record a force majeure with no survey open."""
        self.event("force_majeure_declared", at_ms, survey=None, question_id=question, question_revision=revision)

    def messages(self) -> list[dict[str, Any]]:
        """Return what was not sent yet, as recorded messages."""
        messages = []
        for base in range(self.sent, len(self.events), 32):
            events = self.events[base : base + 32]
            payload = {"epoch": self.epoch, "first": 1, "base": base + 1, "events": events}
            messages.append(self._message("events", payload, events[-1]["at_ms"] + 100))
        self.sent = len(self.events)
        return messages

    def _message(self, leaf: str, payload: dict[str, Any], at_ms: int) -> dict[str, Any]:
        topic = f"trivox/v1/{self.site_id}/{self.console_id}/{leaf}"
        return {"topic": topic, "payload": payload, "received_at_ms": at_ms}


class Office:
    """A database and the commands that work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "trivox.db"

    def run(self, *arguments: object) -> CommandResult:
        """Run `trivox` with these arguments and this database."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main.run([*map(str, arguments), "--database", str(self.database)])
        return CommandResult(status, out.getvalue(), err.getvalue())

    def do(self, *arguments: object) -> str:
        """Run a command that must succeed; return what it printed."""
        result = self.run(*arguments)
        assert result.status == 0, result
        return result.out

    def take(self, *tills: OfficeTill) -> None:
        """Ingest what consoles recorded."""
        self.take_messages([message for till in tills for message in till.messages()])

    def take_messages(self, messages: list[dict[str, Any]]) -> None:
        """Ingest recorded messages."""
        path = self.folder / "recorded.ndjson"
        path.write_text("".join(json.dumps(message) + "\n" for message in messages), "utf-8")
        self.do("ingest", path)

    def count(self, source: str, payload: dict[str, Any], site: str = "demo") -> None:
        """Have a till or people counter send a count."""
        message = {
            "topic": f"trivox/v1/{site}/{source}/counts",
            "payload": payload,
            "received_at_ms": 1_800_000_000_000,
        }
        self.take_messages([message])

    def rows(
        self, by: str, *options: object, from_day: str = "2026-11-01", to_day: str = "2026-12-01"
    ) -> list[dict[str, Any]]:
        """Return the rows of a report."""
        rows: list[dict[str, Any]] = json.loads(
            self.do("report", "--from", from_day, "--to", to_day, "--by", by, "--format", "json", *options)
        )
        return rows

    def file(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.folder / name
        path.write_bytes(text.encode())
        return path

    def shifts(self, *lines: str, options: tuple[str, ...] = ()) -> CommandResult:
        """Import shifts."""
        head = "site_id,console_id,seller_id,seller_name,started_at,ended_at"
        return self.run("shift", "import", self.file("shifts.csv", "\n".join([head, *lines]) + "\n"), *options)
