"""Test what the bridge does once a night, with the clock in the test's hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.admin.commands import SetSite, Sweep
from bridge.service import nightly
from bridge.service.nightly import NightlyJob
from tests.bridge.office import at
from tests.support.programs import wait_until
from tests.support.writing import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.service.writer import Writer
    from bridge.store import Store

LIMIT_S = 60.0


class Night:
    """A nightly job of three steps that notes when it ran, and the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = at("2026-11-22T01:00:00+00:00")
        self.ran_at: list[int] = []
        self.failures = 0
        self.holds = False
        self.steps_taken = 0
        monkeypatch.setattr(nightly, "NIGHTLY", (NightlyJob("test", self.steps),))

    def steps(self, store: Store) -> Iterator[None]:
        if self.failures:
            self.failures -= 1
            raise ValueError("planted")
        yield
        while self.holds:
            self.steps_taken += 1
            yield
        self.ran_at.append(store.now_ms)
        yield


def ran(writer: Writer, night: Night, count: int) -> bool:
    """Wake the writer, and wait until the job has run so many times."""
    writer.perform(Sweep())
    wait_until(LIMIT_S, lambda: len(night.ran_at) >= count)
    writer.perform(Sweep())
    return len(night.ran_at) == count


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(monkeypatch)


def test_a_job_is_done_once_a_night_from_three_on(tmp_path: Path, night: Night) -> None:
    with writing(tmp_path / "a.db", now_ms=lambda: night.now_ms) as writer:
        assert ran(writer, night, 1)  # the night before, in which no bridge ran
        night.now_ms = at("2026-11-22T02:59:59+00:00")
        assert ran(writer, night, 1)
        night.now_ms = at("2026-11-22T03:00:00+00:00")
        assert ran(writer, night, 2)
        night.now_ms = at("2026-11-22T14:00:00+00:00")
        assert ran(writer, night, 2)
        night.now_ms = at("2026-11-23T03:00:00+00:00")
        assert ran(writer, night, 3)
    assert night.ran_at[1] == at("2026-11-22T03:00:00+00:00")


def test_a_bridge_that_starts_anew_does_only_what_was_missed(tmp_path: Path, night: Night) -> None:
    for instant, count in (("22T04:00:00", 1), ("22T23:00:00", 1), ("24T12:00:00", 2)):
        night.now_ms = at(f"2026-11-{instant}+00:00")
        with writing(tmp_path / "a.db", now_ms=lambda: night.now_ms) as writer:
            assert ran(writer, night, count)
    assert night.ran_at == [at("2026-11-22T04:00:00+00:00"), at("2026-11-24T12:00:00+00:00")]


def test_the_night_is_that_of_most_sites(tmp_path: Path, night: Night) -> None:
    with writing(tmp_path / "a.db", now_ms=lambda: night.now_ms) as writer:
        writer.perform(SetSite(site_id="tokyo", timezone="Asia/Tokyo", new=True))
        assert ran(writer, night, 1)
        night.now_ms = at("2026-11-22T18:00:00+00:00")  # three o'clock of the 23rd there
        assert ran(writer, night, 2)


def test_a_job_that_fails_is_tried_again_within_the_hour(tmp_path: Path, night: Night) -> None:
    night.failures = 1
    with writing(tmp_path / "a.db", now_ms=lambda: night.now_ms) as writer:
        writer.perform(Sweep())
        wait_until(LIMIT_S, lambda: night.failures == 0)
        assert ran(writer, night, 0)
        night.now_ms = at("2026-11-22T02:00:00+00:00")
        assert ran(writer, night, 1)


def test_a_long_command_goes_before_a_nightly_job_under_way(tmp_path: Path, night: Night) -> None:
    night.holds = True
    with writing(tmp_path / "a.db", now_ms=lambda: night.now_ms) as writer:
        writer.perform(Sweep())
        wait_until(LIMIT_S, lambda: night.steps_taken > 0)
        writer.perform(SetSite(site_id="demo", timezone="Europe/Sofia", new=True))
        assert not night.ran_at
        night.holds = False
        assert ran(writer, night, 1)
