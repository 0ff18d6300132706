"""Whatever figures and texts a console or a till sends, commands, rebuilds and other consoles go on as before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bridge.office import OfficeTill, at

if TYPE_CHECKING:
    from tests.bridge.office import Office

LARGEST = 2**53


def test_sums_beyond_64_bits_end_no_command(office: Office) -> None:
    till = OfficeTill()
    till.event("button_stuck", at("2026-11-02T09:00:00+00:00"), button="yes")
    (message,) = till.messages()
    far = {"first": LARGEST, "base": LARGEST}  # each says that as many events before it are lost
    office.take_messages(
        [{**message, "payload": {**message["payload"], **far, "epoch": f"{epoch:08x}"}} for epoch in range(1_030)]
    )
    hour = {"kind": "visitors", "from_ms": at("2026-11-02T09:00:00+00:00"), "to_ms": at("2026-11-02T10:00:00+00:00")}
    topic = "trivox/v1/demo/door/counts"
    office.take_messages(
        [
            {"topic": topic, "payload": {**hour, "id": f"{n}", "count": LARGEST}, "received_at_ms": 1}
            for n in range(1_030)
        ]
    )
    assert "9223372036854775807" in office.do("counts", "list")
    assert "demo" in office.run("console", "list").out
    assert "events for good" in office.run("doctor").out
    assert "lost" in office.do("watch", "--once")
    office.do("rebuild")
