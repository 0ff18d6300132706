"""People keep to their plan, keep well away from boundaries, and write down what they did."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.people.diary import Diary, DiaryEntry
from simulator.people.hands import HostClock, People, Post
from simulator.people.shop_plan import CHANGE_MS, MARGIN_MS, QUARTER_MS, Happening, Rules, ShopTraffic, chains, plan

RULES = Rules(survey_window_ms=3000, long_press_ms=1000, reopen_guard_ms=1000, force_majeure_scope_s=8)
NOON_MS = 1_763_812_800_000


class Pretended:
    """Time and a console in one: a press takes as long as it is held."""

    def __init__(self, now_ms: int = NOON_MS + QUARTER_MS // 2, stop_after_ms: int | None = None) -> None:
        self.time_ms = now_ms
        self.stop_at_ms = None if stop_after_ms is None else now_ms + stop_after_ms
        self.pressed: list[tuple[int, str, int]] = []
        self.cuts = 0

    def now_ms(self) -> int:
        return self.time_ms

    def wait(self, ms: int) -> bool:
        self.time_ms += ms
        return self.stop_at_ms is not None and self.time_ms >= self.stop_at_ms

    def power_off(self) -> None:
        self.cuts += 1

    def power_on(self) -> None:
        self.time_ms += 200

    def press(self, button: str, held_ms: int = 120) -> None:
        self.pressed.append((self.time_ms, button, held_ms))
        self.time_ms += held_ms


def performed(happenings: list[Happening], world: Pretended, **post: object) -> tuple[list[DiaryEntry], bool]:
    diary = Diary()
    changed_post = replace(Post(world, "demo", "till-1", RULES), **post)
    finished = People(changed_post, diary, world).perform(happenings)
    return diary.entries(), finished


def test_a_plan_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert plan("a", RULES, 50) == plan("a", RULES, 50)
    assert plan("a", RULES, 50) != plan("b", RULES, 50)


def test_as_many_are_asked_as_wanted_and_with_sampling_more_are_served() -> None:
    customers = [h for h in plan(1, replace(RULES, ask_every=5), 20) if h.kind == "customer"]
    assert len(customers) == 100
    assert [customer.ends == "not_asked" for customer in customers] == ([True] * 4 + [False]) * 20


def test_the_shares_are_those_of_the_traffic() -> None:
    wanted = [
        h.wanted for h in plan(3, RULES, 4000, ShopTraffic(yes=0.5, no=0.2, cant_say=0.1, silent=0.2)) if h.presses
    ]
    for want, share in (("yes", 0.5), ("no", 0.2), ("cant_say", 0.1)):
        assert wanted.count(want) / len(wanted) == pytest.approx(share, abs=0.06)


@given(st.integers(), st.sampled_from([RULES, Rules(), Rules(5000, 1500, 800, 3)]))
def test_presses_keep_away_from_every_boundary(seed: int, rules: Rules) -> None:
    happenings = plan(seed, rules, 40, ShopTraffic(guard=0.3, force_majeure_during=0.3, late_answer=0.3))
    for happening in happenings:
        for press in happening.presses:
            if press.why == "answer":
                assert press.after_ms <= rules.survey_window_ms - MARGIN_MS
            if press.why == "again":
                assert press.after_ms <= rules.reopen_guard_ms - MARGIN_MS
            if press.why == "force_majeure":
                assert press.held_ms >= rules.long_press_ms + MARGIN_MS
            else:
                assert press.held_ms <= rules.long_press_ms - MARGIN_MS
        if happening.ends == "superseded":
            assert rules.reopen_guard_ms + MARGIN_MS <= happening.lasts_ms <= rules.survey_window_ms - MARGIN_MS
        if happening.ends == "expired":
            assert happening.lasts_ms >= rules.survey_window_ms + MARGIN_MS


@given(st.integers())
def test_a_superseded_survey_is_followed_at_once_by_the_next(seed: int) -> None:
    for chain in chains(plan(seed, replace(RULES, ask_every=seed % 3 + 1), 30, ShopTraffic(superseding=1.0))):
        assert all(happening.ends == "superseded" for happening in chain[:-1])
        assert all(happening.presses[0].why == "ask" for happening in chain[1:])
        assert chain[-1].ends != "superseded"


def test_timings_without_room_are_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        Rules(survey_window_ms=2000)


def test_the_diary_holds_every_press_that_was_made() -> None:
    world = Pretended()
    happenings = plan(7, RULES, 40)
    entries, finished = performed(happenings, world)
    assert finished
    written = [(press.at_ms, press.button, press.held_ms) for entry in entries for press in entry.presses]
    assert written == world.pressed
    assert [(entry.planned_ms, entry.ends) for entry in entries if entry.kind != "shift"] == [
        (happening.planned_ms, happening.ends) for happening in happenings
    ]


@pytest.mark.parametrize("into_ms", [QUARTER_MS - 3000, 100, QUARTER_MS - CHANGE_MS - 1])
def test_nobody_presses_around_a_quarter_of_an_hour(into_ms: int) -> None:
    world = Pretended(NOON_MS + into_ms)
    performed(plan(8, RULES, 5), world)
    assert all(MARGIN_MS < at_ms % QUARTER_MS < QUARTER_MS - MARGIN_MS for at_ms, _, _ in world.pressed)


@pytest.mark.parametrize("seed", range(8))
def test_nobody_opens_a_survey_near_the_end_of_a_force_majeures_scope(seed: int) -> None:
    world = Pretended()
    entries, _ = performed(plan(seed, RULES, 60, ShopTraffic(force_majeure=0.2)), world)
    presses = [press for entry in entries for press in entry.presses]
    declared = [press.at_ms for press in presses if press.why == "force_majeure"]
    assert declared
    for ask in (press for press in presses if press.why == "ask"):
        last = max((at_ms for at_ms in declared if at_ms < ask.at_ms), default=0)
        assert abs(ask.at_ms - last - 8000) > MARGIN_MS


def test_sellers_change_in_the_middle_of_a_pause() -> None:
    world = Pretended()
    entries, _ = performed(plan(9, RULES, 30, changes=2), world, sellers=("ann", "bob"))
    shifts = [entry for entry in entries if entry.kind == "shift"]
    assert [shift.seller_id for shift in shifts] == ["ann", "bob", "ann"]
    assert [shift.until_ms for shift in shifts[:-1]] == [shift.at_ms for shift in shifts[1:]]
    for shift in shifts:
        assert all(min(abs(at_ms - shift.at_ms), abs(at_ms - shift.until_ms)) >= 1900 for at_ms, _, _ in world.pressed)


def test_a_plug_is_pulled_while_a_survey_is_open() -> None:
    world = Pretended()
    entries, _ = performed(plan(12, RULES, 40, ShopTraffic(power_cut=0.2)), world)
    cut = [entry for entry in entries if entry.ends == "cut_off"]
    assert len(cut) == world.cuts > 0
    assert all([press.why for press in entry.presses] == ["ask", "power_cut"] for entry in cut)


def test_people_who_are_stopped_write_that_they_did_not_finish() -> None:
    world = Pretended(stop_after_ms=20_000)
    entries, finished = performed(plan(10, RULES, 60), world)
    assert not finished
    assert [entry.ends for entry in entries if entry.kind == "customer"][-1] == "unfinished"
    assert entries[-1].kind == "shift"


def test_a_diary_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "diary.ndjson"
    diary = Diary(file)
    world = Pretended()
    People(Post(world, "demo", "till-1", RULES), diary, world).perform(plan(11, RULES, 5))
    lines: Iterator[str] = iter(file.read_text(encoding="utf-8").splitlines())
    assert Diary.read(lines) == diary.entries()


def test_the_hosts_clock_stops_when_told() -> None:
    stop = Event()
    clock = HostClock(stop)
    before = clock.now_ms()
    assert not clock.wait(1)
    assert clock.now_ms() > before
    stop.set()
    assert clock.wait(60_000)
