"""A bridge for as many sites as one claim can name works at the broker as written; with more it does not start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bridge.secured import SecuredShop
from tests.support import forked
from tests.support.programs import wait_until

EVENTS = "trivox/v1/shop/till-1/events"


def options(count: int, length: int) -> list[str]:
    """Return the options for so many sites, with ids of that length."""
    return [word for number in range(count) for word in ("--site", f"{number:0{length}}")]


@pytest.mark.parametrize(("count", "length"), [(1_840, 32), (8_000, 5)])
def test_a_bridge_for_very_many_sites_works_at_the_broker_as_written(tmp_path: Path, count: int, length: int) -> None:
    shop = SecuredShop(tmp_path)
    try:
        shop.start_broker()
        shop.start_bridge("--new", "--site", "shop", *options(count, length))
        with shop.known("shop/till-1") as console, shop.known("boss.viewer") as viewer:
            console.listen("trivox/v1/shop/till-1/ack")
            console.say(EVENTS, shop.signed("shop/till-1", 1))
            wait_until("it is acknowledged", lambda: [text for _, text in console.heard if b"through" in text])
            viewer.listen("trivox/v1/bridge/+")
            claim = wait_until("the claim", lambda: [text for topic, text in viewer.heard if "/bridge/" in topic])[0]
            assert len(json.loads(claim)["sites"]) == count + 1
            assert not viewer.gone.is_set()
    finally:
        shop.__exit__()
    assert "oversize packet" not in shop.broker_said()


@pytest.mark.parametrize(("count", "length"), [(2_300, 29), (1_900, 32), (9_000, 5)])
def test_more_sites_than_a_claim_can_name_are_wrong_usage(tmp_path: Path, count: int, length: int) -> None:
    database = tmp_path / "a.db"
    refused = forked.run("bridge", "--database", str(database), *options(count, length))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"{count} times --site is too much" in refused.stderr
    assert "run several bridges with fewer sites each, or one without --site" in refused.stderr
    assert not database.exists()
