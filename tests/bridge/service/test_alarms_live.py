"""An alarm through a real broker and bridge: raised, told of, acknowledged, and kept over a restart."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.bridge.office import MINUTE_MS, Office, OfficeTill
from tests.support import alarm_servers, facts
from tests.support.alarm_times import alarm_times
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.shop import RealShop

DAY_MS = 24 * 60 * MINUTE_MS
SECRET = alarm_servers.TEST_SECRET


@pytest.mark.long
def test_an_alarm_is_told_of_as_the_answer_comes_and_once(shop: RealShop, tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    office, till = Office(tmp_path), OfficeTill("s1", "c1", base_ms=now_ms - 70 * DAY_MS)
    office.database = shop.database
    times = alarm_times(now_ms)
    for at_ms in times.earlier_ms:
        till.surveys(at_ms, no=2, yes=18)
    office.take(till)
    secrets = tmp_path / "hook.toml"
    secrets.write_text(f'secret = "{SECRET}"\n', "utf-8")
    secrets.chmod(0o600)
    with alarm_servers.webhook(SECRET) as server:
        url = f"http://127.0.0.1:{server.port}/"
        office.do("alarm-recipient", "set", "till", "--by", "webhook", "--to", url, "--login", secrets)
        shop.start_bridge()
        till.surveys(times.answers_ms, no=4)
        for message in till.messages():
            shop.send(json.dumps(message["payload"]).encode())
        wait_until("the webhook has it", lambda: server.taken)
        assert server.taken[0].content["counted"] == 4
        shop.wait_metric('trivox_alarms_total{answer="no"}', 1)
        assert shop.trivox("alarms", "acknowledge", "1").stdout == "Alarm 1 is acknowledged.\n"
        wait_until("that is stored", lambda: facts.alarm_deliveries(shop.database, state="sent"))
        shop.stop_bridge()
        shop.start_bridge()
        till.survey(time.time_ns() // 1_000_000 - 4_000, "no")
        for message in till.messages():
            shop.send(json.dumps(message["payload"]).encode())
        shop.wait_acknowledged(len(till.events))
        shop.stop_bridge()
    assert facts.alarms(shop.database, "state") == ["acknowledged"]
    assert (len(server.taken), server.refused) == (1, [])
    assert SECRET not in shop.log.read_text("utf-8")
