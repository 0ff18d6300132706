"""Reports from sums of transactions and visitors are those that are read row by row, in random worlds that change."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from bridge.admin import commands
from bridge.errors import TrivoxError
from bridge.reports import rows as report
from bridge.reports.coverage.stale import refresh
from bridge.reports.days import given_days
from bridge.reports.report_query import ReportQuery
from bridge.reports.rows import report_rows
from bridge.store import Store, open_store
from tests.support import facts
from tests.support.intake import execute, rebuild, take_messages
from tests.support.seeds import seeded

if TYPE_CHECKING:
    import random
    from pathlib import Path

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START = int(datetime(2026, 10, 24, tzinfo=UTC).timestamp()) * 1000  # the clocks go back on the 25th
NOW = START + 20 * DAY_MS
ZONES = {"s1": "Europe/Sofia", "s2": "Asia/Kolkata"}
SELLERS = ("anna", "boris", "clara")
GROUPS = (
    *("", "site", "seller", "console", "checkout_point", "day", "month", "site,week", "seller,day", "seller,console"),
    *("seller,checkout_point", "seller,month", "console,day", "checkout_point,month"),
)
SUMS = ("coverage_figure", "coverage_known", "coverage_source")


class CountedWorld:
    """A random world: two sites, each with two consoles at one or two checkout points, some days around two changes."""

    def __init__(self, store: Store, dice: random.Random) -> None:
        self.store, self.dice, self.sent = store, dice, 0
        self.kind_of_counts = {site_id: dice.choice(("hours", "sales", "mixed")) for site_id in ZONES}
        for site_id, timezone in ZONES.items():
            self.do(commands.SetSite(site_id=site_id, timezone=timezone))
            for console_id in ("c1", "c2"):
                self.place(site_id, console_id)
        for _ in range(4):
            self.change()

    def do(self, command: commands.BridgeCommand) -> None:
        """Carry out a command; one that is refused, for shifts overlap or nothing is there, changes nothing."""
        with suppress(TrivoxError), self.store.transaction(NOW):
            execute(self.store, command)

    def instant(self) -> int:
        """Return an instant in one of eleven days: often near a midnight, an hour or the end of the month."""
        at_ms = START + self.dice.randrange(11 * DAY_MS)
        if self.dice.random() < 0.4:
            at_ms = at_ms // DAY_MS * DAY_MS + self.dice.choice((-2, -5.5, 0, 22)) * HOUR_MS
            at_ms += self.dice.randrange(-HOUR_MS, HOUR_MS)
        return int(at_ms)

    def change(self) -> None:
        """Let something come in, or be corrected."""
        self.dice.choice((self.surveys, self.surveys, self.counts, self.counts, self.shifts, self.other))()

    def surveys(self) -> None:
        messages = []
        for _ in range(self.dice.randrange(1, 8)):
            site_id, console_id = self.dice.choice([*ZONES]), self.dice.choice(("c1", "c2"))
            times = [self.instant()] if self.dice.random() < 0.3 else []
            first = self.instant()
            times += [first + index * self.dice.choice((1, 7, 40)) * 60_000 for index in range(self.dice.randrange(12))]
            messages += [self.survey(site_id, console_id, at_ms) for at_ms in times]
        take_messages(self.store, messages, NOW)

    def survey(self, site_id: str, console_id: str, at_ms: int) -> tuple[str, bytes, int]:
        self.sent += 1
        question = {"question_id": self.dice.choice(("staff", "office")), "question_revision": self.dice.choice((1, 2))}
        outcome = self.dice.choice(("yes", "no", "silent", "silent", "error"))
        cause = {"silent": "expired", "error": "fault"}.get(outcome, "answered")
        response = {"response_ms": 900} if cause == "answered" else {}
        base = {"boot": 1, **question}
        close = {"survey": 1, "opened_up_ms": 5000, "outcome": outcome, "cause": cause, **response}
        events = [
            {**base, "up_ms": 5000, "at_ms": at_ms, "type": "survey_opened"},
            {**base, "up_ms": 5900, "at_ms": at_ms + 900, "type": "survey_closed", **close},
        ]
        payload = {"epoch": f"{self.sent:08x}", "first": 1, "base": 1, "events": events}
        return f"trivox/v1/{site_id}/{console_id}/events", json.dumps(payload).encode(), at_ms + 1000

    def counts(self) -> None:
        messages = []
        for _ in range(self.dice.randrange(1, 12)):
            site_id = self.dice.choice([*ZONES])
            place = self.dice.choice(
                (
                    *({}, {"checkout_point_id": "p1"}, {"checkout_point_id": "p1"}, {"checkout_point_id": "p2"}),
                    *({"seller_id": "anna"}, {"checkout_point_id": "p2", "seller_id": "boris"}),
                )
            )
            source, from_ms = self.dice.choice(("till", "door")), self.instant()
            for index in range(self.dice.choice((1, 1, 4, 9))):
                payload = self.count(self.kind_of_counts[site_id], from_ms + index * HOUR_MS, source, place)
                topic = f"trivox/v1/{site_id}/{source}/counts"
                messages.append((topic, json.dumps(payload).encode(), NOW))
        take_messages(self.store, messages, NOW)

    def count(self, kind_of_counts: str, at_ms: int, source: str, place: dict[str, str]) -> dict[str, Any]:
        is_sale = kind_of_counts == "sales" or (kind_of_counts == "mixed" and self.dice.random() < 0.5)
        lasts = self.dice.choice((0, 1000, 50_000)) if is_sale else self.dice.choice((1, 1, 1, 3, 24, 60)) * HOUR_MS
        from_ms = at_ms if is_sale or self.dice.random() < 0.1 else at_ms // HOUR_MS * HOUR_MS
        name = f"{self.dice.randrange(200)}" if self.dice.random() < 0.2 else f"{from_ms}{place}"
        kind = "transactions" if source == "till" else "visitors"
        figures = {"from_ms": from_ms, "to_ms": from_ms + lasts, "count": self.dice.choice((0, 1, 2, 7, 30))}
        return {"id": name, "kind": kind, **figures, **place}

    def shifts(self) -> None:
        lines = ["site_id,console_id,seller_id,seller_name,started_at,ended_at"]
        for site_id in self.dice.sample([*ZONES], self.dice.choice((1, 2))):
            for console_id in self.dice.sample(("c1", "c2"), self.dice.choice((1, 2))):
                times = sorted({self.instant() // 60_000 * 60 for _ in range(self.dice.choice((2, 4, 12)))})
                for begins, ends in list(pairwise(times))[:: self.dice.choice((1, 2))]:
                    seller = self.dice.choice(SELLERS)
                    span = (datetime.fromtimestamp(time, UTC).isoformat() for time in (begins, ends))
                    lines.append(f"{site_id},{console_id},{seller},{seller},{','.join(span)}")
        self.do(commands.ImportShifts(name="shifts.csv", text="\n".join(lines) + "\n", new=True))

    def place(self, site_id: str, console_id: str) -> None:
        point, day = self.dice.choice(("p1", "p2")), date(2026, 10, self.dice.randrange(20, 31))
        self.do(
            commands.SetCheckoutPoint(
                site_id=site_id, checkout_point_id=point, console_id=console_id, from_day=day, new=True
            )
        )

    def other(self) -> None:
        """Move a console, set another time zone, or remove counts or shifts."""
        site_id, dice = self.dice.choice([*ZONES]), self.dice.random()
        first = date(2026, 10, self.dice.randrange(24, 31))
        if dice < 0.4:
            self.place(site_id, "c1")
        elif dice < 0.5:
            self.do(commands.SetSite(site_id=site_id, timezone=self.dice.choice(("UTC", "America/New_York"))))
        elif dice < 0.8:
            self.do(commands.RemoveCounts(site_id=site_id, from_day=first, to_day=first + timedelta(days=1)))
        else:
            self.do(
                commands.RemoveShifts(
                    scope=commands.Scope(site_id, ""), from_day=first, to_day=first + timedelta(days=2)
                )
            )


def refresh_all(store: Store) -> None:
    with store.transaction(NOW):
        for _ in refresh(store):
            pass


def random_query(dice: random.Random) -> ReportQuery:
    first = date(2026, 10, dice.choice((1, 20, 23, 24, 25, 26, 28)))
    last = dice.choice(
        (date(2026, 10, 29), date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2), date(2026, 12, 1))
    )
    by = tuple(filter(None, dice.choice(GROUPS).split(",")))
    sites = dice.choice((None, None, ("s1",)))
    sellers = dice.choice((None, None, ("anna",), ("anna", "clara")))
    question = dice.choice((None, None, "staff"))
    return ReportQuery(given_days(first, last), by, question, sites, None, sellers, merge_revisions=dice.random() < 0.2)


def check(store: Store, dice: random.Random, patch: pytest.MonkeyPatch) -> None:
    query = random_query(dice)
    total = dice.random() < 0.3
    found = report_rows(store, query, total=total)
    with patch.context() as context:
        context.setattr(report, "can_tell", lambda *_: False)
        expected = report_rows(store, query, total=total)
    assert found == expected, query


def sums(store: Store) -> dict[str, list[Any]]:
    return {name: facts.query(store, f"SELECT * FROM {name}") for table in SUMS for name in (table, f"{table}_month")}


@pytest.mark.parametrize("world", range(3))
def test_sums_tell_what_rows_tell(world: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = seeded(f"counted world {world}")
    store = open_store(tmp_path / "trivox.db", writing=True)
    counted = CountedWorld(store, dice)
    for _ in range(8):
        if dice.random() < 0.7:
            refresh_all(store)
        for _ in range(dice.randrange(3)):
            counted.change()
        for _ in range(4):
            check(store, dice, monkeypatch)
    refresh_all(store)
    assert not facts.query(store, "SELECT * FROM coverage_stale")
    before = sums(store)
    with store.transaction(NOW):
        rebuild(store)
    refresh_all(store)
    assert sums(store) == before
    store.close()
