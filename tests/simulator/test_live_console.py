"""A console of a live run, by a clock that the test sets: nothing is sent before it happens, nor much later."""

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from simulator.people.diary import Diary, DiaryEntry
from simulator.scenario.live_console import FOREVER_MS, LiveClock, LiveConsole, LiveContext
from simulator.scenario.scenario import Scenario
from simulator.scenario.site_day import PlayedPart, part_of_day
from tests.firmware.portable.at_once import read_batch
from tests.simulator.scenarios import small

DAY = date(2026, 3, 2)
OPENS_MS = int(datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp() * 1000)
ON_MS = OPENS_MS - 300_000
STEP_MS = 500


class IdleTimer:
    """A timer that never fires."""

    def cancel(self) -> None:
        pass


class SetClock(LiveClock):
    """A clock that the test sets; it calls nothing at a given time, since the test calls `go_on` itself."""

    def __init__(self, at_ms: int) -> None:
        super().__init__(at_ms)
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms

    def call_at(self, at_ms: int, work: Callable[[], None]) -> Any:
        return IdleTimer()


class MorningShop:
    """One till, open from 9 to 12."""

    def __init__(self, at_ms: int, **changes: Any) -> None:
        self.plan = Scenario.of(small(**changes)).plan
        self.clock = SetClock(at_ms)
        self.diary = io.BytesIO()
        self.context = LiveContext(self.plan, self.clock, self.diary)
        self.console = LiveConsole(self.context, self.plan.sites[0], self.plan.sites[0].posts[0])
        self.connected: list[int] = []
        self.context.connect = lambda _: self.connected.append(self.clock.at_ms)

    def step(self, by_ms: int = STEP_MS) -> None:
        self.clock.at_ms += by_ms
        self.console.go_on()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in read_batch(self.console.sender.console.outbox, 1, 5000)[1]]

    def played(self) -> list[DiaryEntry]:
        return Diary.read(self.diary.getvalue().decode().splitlines())


def happened_ms(event: dict[str, Any], started_ms: int) -> int:
    return started_ms + int(event["up_ms"])


def test_a_console_has_no_power_before_its_shop_opens() -> None:
    shop = MorningShop(ON_MS - 10_000)
    shop.console.go_on()
    assert (shop.connected, shop.events()) == ([], [])
    while not shop.connected:
        shop.step()
    assert ON_MS <= shop.connected[0] <= ON_MS + STEP_MS
    shop.step(10_000)
    assert [event["type"] for event in shop.events()] == ["booted", "settings_applied", "clock_set"]
    assert shop.played() == []


def test_events_come_when_they_happen() -> None:
    shop = MorningShop(OPENS_MS + 600_000)
    known = 0
    for _ in range(1200):
        shop.step()
        events = shop.events()
        started_ms = shop.console.sender.console.started_ms
        for event in events[known:]:
            assert happened_ms(event, started_ms) <= shop.clock.at_ms
            if known:  # at first it sends the events of its boot
                assert happened_ms(event, started_ms) > shop.clock.at_ms - 2 * STEP_MS
        known = len(events)
    kinds = [event["type"] for event in shop.events()]
    assert kinds.count("survey_closed") > 5
    first = next(entry for entry in shop.played() if entry.kind == "customer")
    assert first.at_ms >= OPENS_MS + 600_000  # earlier customers are not played
    assert shop.played()[0].kind == "shift"  # but the seller was there


def test_a_power_cut_is_played_once_the_power_is_back() -> None:
    faults = {"faults": {"cuts": {"power_cuts_per_day": 20}}}
    shop = MorningShop(OPENS_MS, **faults, site=[{**small()["site"][0], "faults": "cuts"}])
    boots = 1
    console = shop.console.sender.console
    while boots < 5:
        shop.step()
        if console.boot > boots:
            boots += 1
            assert shop.clock.at_ms - STEP_MS <= console.started_ms <= shop.clock.at_ms
            assert shop.played()[-1].ends == "cut_off"


def test_a_stopped_console_finishes_what_has_begun() -> None:
    shop = MorningShop(OPENS_MS)
    while [event["type"] for event in shop.events()][-1:] != ["survey_opened"]:
        shop.step()
    assert shop.console.through_ms == shop.played()[-1].at_ms
    shop.console.stop()
    assert shop.events()[-1]["type"] == "survey_closed"
    part = PlayedPart(OPENS_MS, {("shop", "console-till"): shop.console.through_ms})
    again = part_of_day(shop.plan, shop.plan.sites[0], DAY, part)
    assert again.entries == shop.played()
    shop.step(3_600_000)
    assert again.entries == shop.played()


def test_a_stopped_console_without_the_time_still_learns_it() -> None:
    shop = MorningShop(
        OPENS_MS - 200_000,
        faults={"late": {"late_clock": 1.0}},
        site=[{**small()["site"][0], "faults": "late"}],
    )
    shop.step()
    assert "clock_set" not in [event["type"] for event in shop.events()]
    shop.console.stop()
    assert shop.events()[-1]["type"] == "clock_set"


def test_a_day_is_over_half_an_hour_after_closing() -> None:
    shop = MorningShop(OPENS_MS)
    until_ms = OPENS_MS + int(timedelta(hours=3, minutes=30).total_seconds() * 1000)
    while shop.clock.at_ms < until_ms:
        shop.step(30_000)
    assert shop.console.through_ms == FOREVER_MS
    whole = part_of_day(shop.plan, shop.plan.sites[0], DAY, PlayedPart(0, {("shop", "console-till"): FOREVER_MS}))
    assert whole.entries == shop.played()
    assert shop.context.ended == 0  # nothing is acknowledged


def test_days_that_were_over_at_the_start_are_not_played() -> None:
    shop = MorningShop(OPENS_MS + 4 * 3_600_000)
    shop.console.go_on()
    assert (shop.connected, shop.played(), shop.console.ended, shop.context.ended) == ([], [], True, 1)
