"""A site whose consoles send answers as they are given, with a clock that the test sets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.service.alarms import close_passed
from tests.bridge.office import MINUTE_MS, OfficeTill, at
from tests.support import facts
from tests.support.intake import execute, take_in

if TYPE_CHECKING:
    from bridge.admin.commands import BridgeCommand
    from bridge.store import Store
    from bridge.surveys.facts import Fact

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NOON = at("2026-11-25T12:00:00+00:00")
ANSWER_MS = 3_000  # how long after its survey's opening an answer comes


def payloads(till: OfficeTill) -> list[tuple[str, bytes, int]]:
    """Return what a console has not sent yet."""
    return [
        (message["topic"], json.dumps(message["payload"]).encode(), message["received_at_ms"])
        for message in till.messages()
    ]


class AlarmSite:
    """Consoles at a site; all that is sent is taken in at `now_ms`."""

    def __init__(self, store: Store, *console_ids: str, site_id: str = "s1") -> None:
        self.store = store
        self.now_ms = NOON
        self.tills = {
            name: OfficeTill(site_id, name, epoch=f"{number:08x}", base_ms=NOON - 100 * DAY_MS)
            for number, name in enumerate(console_ids or ("c1",), 1)
        }

    def history(self, no: int = 8, yes: int = 72, at_ms: int = NOON, days: int = 20, **more: Any) -> None:
        """Let so many answers come at every console, over the days before, each in the hour that begins at `at_ms`."""
        for till in self.tills.values():
            for day in range(days, 0, -1):
                counts = {
                    name: count * day // days - count * (day - 1) // days for name, count in (("no", no), ("yes", yes))
                }
                till.surveys(at_ms - day * DAY_MS + MINUTE_MS, **more, **counts)
        self.send()

    def send(self) -> list[Fact]:
        """Have all consoles send what they hold; return the facts."""
        messages = [message for till in self.tills.values() for message in payloads(till)]
        return take_in(self.store, messages, self.now_ms)[1].facts

    def answer(self, *outcomes: str, console: str = "c1", ago_ms: int = 0, **more: Any) -> None:
        """Have answers given one a minute from now on, each sent at once; or as long ago as told."""
        for outcome in outcomes:
            self.now_ms += MINUTE_MS
            self.tills[console].survey(self.now_ms - ANSWER_MS - ago_ms, outcome, **more)
            self.send()

    def do(self, command: BridgeCommand) -> dict[str, Any]:
        """Carry out a command now."""
        with self.store.transaction(self.now_ms):
            return execute(self.store, command)

    def wait(self, minutes: int) -> list[Fact]:
        """Let time pass, and the bridge close what has passed; return the facts."""
        found: list[Fact] = []
        self.now_ms += minutes * MINUTE_MS
        with self.store.transaction(self.now_ms):
            close_passed(self.store, found.append)
        return found

    def alarms(self, *names: str, **where: Any) -> list[Any]:
        """Return the alarms so far."""
        return facts.alarms(self.store, *names, **where)
