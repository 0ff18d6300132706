"""Test a machine whose memory is used up: the bridge keeps running, and continues when there is some again."""

from __future__ import annotations

from tests.bridge.shop import RealShop
from tests.support import facts

EVENTS = 10_000


def test_nothing_is_lost_without_memory_and_the_bridge_continues_by_itself(shop: RealShop) -> None:
    shop.start_bridge()
    shop.send_events(1, 10)
    shop.wait_acknowledged(10)
    shop.limit_memory(is_full=True)
    shop.send_events(11, EVENTS)
    shop.wait_logged("memory")
    refused = shop.trivox("site", "set", "s1", "--timezone", "Europe/Sofia")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "too little memory" in refused.stderr
    assert shop.through() <= shop.stored()
    shop.limit_memory(is_full=False)
    shop.keep_sending(11, EVENTS)
    assert shop.stored() == EVENTS + 10
    assert facts.rejects(shop.database) == []
    assert shop.trivox("site", "set", "s1", "--timezone", "Europe/Sofia").returncode == 0
    assert shop.stop_bridge() == 0
    assert "Traceback" not in shop.log.read_text()
