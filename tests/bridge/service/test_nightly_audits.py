"""The bridge draws audits each night, at sites whose checkout points have cameras."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from bridge.admin.commands import RunNightlyJob
from bridge.service.nightly import NIGHTLY, run_steps
from bridge.store import open_store
from tests.bridge.office import Office, OfficeTill, at

DAYS = ("--from", "2025-11-01", "--to", "2025-12-01")


def night(office: Office, now: str) -> None:
    """Do the nightly job of audits as the bridge does, a transaction a step."""
    command = RunNightlyJob(name="audits", night=now[:10])
    with closing(open_store(office.database, writing=True)) as store:
        steps = run_steps(store, command)
        while True:
            with store.transaction(at(now)):
                if next(steps, store) is store:
                    return


def drawn(office: Office) -> list[tuple[str, str]]:
    rows = json.loads(office.do("audit", "report", *DAYS, "--by", "site,day", "--format", "json"))
    return [(row["site_id"], row["day"]) for row in rows]


@pytest.fixture
def chain(office: Office) -> Office:
    """Two sites with surveys on four days; only one has a camera."""
    for number, site in enumerate(("seen", "unseen")):
        till = OfficeTill(site, "till-1", f"0000abc{number}", f"c{number}", base_ms=at("2025-11-01T00:00:00+00:00"))
        for day in (10, 11, 12, 13):
            till.surveys(at(f"2025-11-{day}T12:00:00+00:00"), yes=4)
        office.take(till)
        office.do("site", "set", site, "--timezone", "UTC")
        office.do("checkout-point", "set", site, "counter-1", "--console", "till-1")
    office.do("camera", "set", "seen/counter-1", "--kind", "frigate", "--url", "http://127.0.0.1:9")
    return office


def test_yesterday_is_drawn_and_later_what_was_missed_since(chain: Office) -> None:
    assert "audits" in [job.name for job in NIGHTLY]
    night(chain, "2025-11-11T03:00:00+00:00")
    assert drawn(chain) == [("seen", "2025-11-10")]  # the first time only yesterday
    night(chain, "2025-11-11T04:00:00+00:00")
    assert drawn(chain) == [("seen", "2025-11-10")]
    night(chain, "2025-11-14T03:00:00+00:00")  # no bridge ran for two nights
    assert drawn(chain) == [("seen", f"2025-11-{day}") for day in (10, 11, 12, 13)]
    assert "audit seen/2025-11-12" in chain.do("history", "--kind", "audit")


def test_what_has_no_footage_any_more_is_not_drawn(chain: Office) -> None:
    chain.do("settings", "set", "--all", "footage_days=2")
    night(chain, "2025-11-11T03:00:00+00:00")
    night(chain, "2025-11-14T03:00:00+00:00")
    assert drawn(chain) == [("seen", f"2025-11-{day}") for day in (10, 13)]
